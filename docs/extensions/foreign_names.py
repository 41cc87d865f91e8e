"""Names in signatures that have no page of their own: links to other projects, and to the page of types."""

import re
from typing import Any

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.util.nodes import make_refnode

PYTHON = "https://docs.python.org/3/library"
NUMPY = "https://numpy.org/doc/stable/reference"
TORCH = "https://docs.pytorch.org/docs/stable"
MATPLOTLIB = "https://matplotlib.org/stable/api"
PAGES = {
    r"(numpy\.|np\.)?(typing\.)?(ArrayLike|DTypeLike|NDArray)": f"{NUMPY}/typing.html",
    r"(numpy\.|np\.)(?P<name>result_type|ndarray|load|savez)": f"{NUMPY}/generated/numpy.{{name}}.html",
    r"(collections\.abc\.)?(Sequence|Callable|Mapping|Iterator|Iterable|Collection|Generator)": (
        f"{PYTHON}/collections.abc.html"
    ),
    r"(typing\.)?(Any|Literal|ClassVar|NamedTuple|Protocol|Self|Never)": f"{PYTHON}/typing.html",
    r"(pathlib\.)?Path|PurePath|pathlib": f"{PYTHON}/pathlib.html",
    r"abc\.ABC": f"{PYTHON}/abc.html",
    r"os\.PathLike|PathLike": f"{PYTHON}/os.html",
    r"(typing\.)?(IO|BinaryIO)": f"{PYTHON}/typing.html",
    r"_?(io\.)?BytesIO": f"{PYTHON}/io.html",
    r"(numpy\.|np\.)?(?P<kind>u?int\d+|float\d+|bool_?|generic|dtype)": f"{NUMPY}/arrays.scalars.html",
    r"(lightning\.pytorch\.(callbacks\.callback\.)?|pl\.)?(Callback|Trainer|LightningModule)": (
        "https://lightning.ai/docs/pytorch/stable/"
    ),
    r"soundfile\.LibsndfileError": "https://python-soundfile.readthedocs.io/",
    r"(torch\.)?Tensor": f"{TORCH}/tensors.html",
    r"(torch\.)?(device|dtype)": f"{TORCH}/tensor_attributes.html",
    r"(torch\.)?(nn\.)?(modules\.\w+\.)?(?P<name>Module|Parameter|CTCLoss)": (
        f"{TORCH}/generated/torch.nn.{{name}}.html"
    ),
    r"(matplotlib\.axes\.(_axes\.)?)?Axes": f"{MATPLOTLIB}/axes_api.html",
    r"(matplotlib\.figure\.)?Figure": f"{MATPLOTLIB}/figure_api.html",
    r"(matplotlib\.\w+\.)?(Colorbar|AxesImage|SubFigure)": f"{MATPLOTLIB}/index.html",
}
PAGES_OF_NAMES = [(re.compile(pattern), page) for pattern, page in PAGES.items()]


def resolve(app: Sphinx, env: Any, node: pending_xref, contnode: nodes.Node) -> nodes.Node | None:
    """Return a link to the page of the name, if it has one."""
    if node.get("reftarget") in ("None", "NoneType"):
        return contnode
    for pattern, page in PAGES_OF_NAMES:
        if match := pattern.fullmatch(node.get("reftarget", "")):
            return nodes.reference("", "", contnode, internal=False, refuri=page.format(**match.groupdict()))
    domain = env.get_domain("std")
    label = f"type-{node.get('reftarget', '').rpartition('.')[2].lower()}"
    if label in domain.anonlabels:
        page, anchor = domain.anonlabels[label]
        return make_refnode(app.builder, node["refdoc"], page, anchor, contnode)
    return None


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the links."""
    app.connect("missing-reference", resolve, priority=600)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
