"""The version that the compiled module tells, against that of the installed package."""

from importlib.metadata import version

import warplens as wl


def test_the_version_is_that_of_the_package():
    assert wl.__version__ == version("warplens")
