"""Configuration of the documentation site; `make docs` builds it, and nothing is fetched while it does."""

import sys
from importlib.metadata import files
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "extensions"))

import public_names  # noqa: E402

import warplens  # noqa: E402

project = "warplens"
author = "the warplens authors"
copyright = "the warplens authors, MIT licence"
version = release = warplens.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.doctest",
    "sphinx.ext.mathjax",
    "sphinx.ext.napoleon",
    "myst_parser",
    "sphinx_click",
    "sphinx_copybutton",
    "sphinx_gallery.gen_gallery",
    "benchmark_tables",
    "code_role",
    "docstring_markup",
    "foreign_names",
    "site_check",
    "written_signatures",
]
exclude_patterns = ["_build", "extensions", "gallery/*.ipynb", "gallery/*.py", "gallery/*.md5"]
templates_path = ["_templates"]
nitpicky = True
nitpick_ignore = [("py:class", "DataFrame")]  # of pandas, which is not installed with the package
default_role = "named"

# Pages are written in MyST; formulas stand between dollars there.
myst_enable_extensions = ["colon_fence", "dollarmath", "deflist"]
myst_heading_anchors = 3

# The reference: every name of `__all__` has its page.
autosummary_generate = True
autosummary_context = {
    "groups": {package: public_names.groups(package) for package in public_names.packages()}
}
autosummary_ignore_module_all = False
autosummary_imported_members = True
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_inherit_docstrings = False
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 88
napoleon_numpy_docstring = False
napoleon_use_rtype = False
napoleon_use_ivar = True
napoleon_attr_annotations = False

# Snippets of pages and examples of docstrings run in a folder that is thrown away.
doctest_global_setup = """
import os, tempfile
import numpy as np
import torch
import warplens as wl
import warplens.torch as wlt
from warplens.torch import *
from warplens.training import *
_before, _folder = os.getcwd(), tempfile.TemporaryDirectory()
os.chdir(_folder.name)
_ = torch.manual_seed(0)
"""
doctest_global_cleanup = """
os.chdir(_before)
_folder.cleanup()
"""

sphinx_gallery_conf = {
    "examples_dirs": "../examples/gallery",
    "gallery_dirs": "gallery",
    "filename_pattern": "/plot_",
    "within_subsection_order": "gallery_order.ByLesson",
    "abort_on_example_error": True,
    "image_scrapers": ("figure_scraper.returned_figures", "matplotlib"),
    "capture_repr": (),
    "doc_module": ("warplens",),
    "backreferences_dir": "gallery/uses",
    "download_all_examples": False,
    "first_notebook_cell": None,
    "remove_config_comments": True,
    "show_memory": False,
    "show_signature": False,
    "min_reported_time": 1e6,
    # Their page loads scripts of a server.
    "write_computation_times": False,
}


def _mathjax() -> str:
    """Return the path of the one script that sets formulas, from the package that brings it along."""
    (script,) = (
        file for file in files("sphinx-mathjax-offline") or () if file.parts[-2:] == ("mathjax", "tex-svg.js")
    )
    return str(script.locate())


html_theme = "pydata_sphinx_theme"
html_title = "warplens"
html_static_path = ["_static", _mathjax()]
mathjax_path = "tex-svg.js"
html_css_files = ["warplens.css"]
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "navbar_align": "left",
    "navigation_with_keys": False,
    "show_nav_level": 1,
    "show_toc_level": 2,
    "header_links_before_dropdown": 6,
    "footer_start": ["copyright"],
    "footer_end": [],
    "secondary_sidebar_items": ["page-toc"],
    "collapse_navigation": True,
    "pygments_light_style": "github-light",
    "pygments_dark_style": "github-dark",
}
copybutton_exclude = ".linenos, .gp, .go"
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True
