"""The mark of tests that need Triton, compiled."""

import importlib.util
import os

import pytest

needs_triton = pytest.mark.skipif(
    importlib.util.find_spec("triton") is None or os.environ.get("TRITON_INTERPRET") == "1",
    reason="Triton is not here, or interprets",
)
