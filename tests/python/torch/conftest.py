"""Its folder is where the tests below find their helpers."""

import pytest


@pytest.fixture
def small_blocks(monkeypatch):
    """Give torch operations memory for one line of cells alone."""
    from warplens.torch.backends.ops import grid, recursion

    monkeypatch.setattr(grid, "_CELLS_AT_ONCE", 0)
    monkeypatch.setattr(recursion, "_KEPT_CELLS", 0)
