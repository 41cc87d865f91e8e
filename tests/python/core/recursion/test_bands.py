"""A band is a mask: the cells it allows are those of its definition, and nothing else changes."""

import re
from fractions import Fraction

import numpy as np
import pytest
from oracles import costs

import warplens as wl

SHAPES = [(1, 1), (1, 7), (7, 1), (2, 2), (9, 9), (25, 10), (10, 25), (33, 32), (40, 3)]


def sakoe_chiba(N, M, radius):
    """|(n-1) - (m-1)(N-1)/(M-1)| <= radius for N >= M, exactly; for N < M the axes change places."""
    if N < M:
        return sakoe_chiba(M, N, radius).T
    if M == 1:
        return np.ones((N, M), dtype=bool)
    slope = Fraction(N - 1, M - 1)
    return np.array([[abs(n - m * slope) <= Fraction(radius) for m in range(M)] for n in range(N)])


def itakura(N, M, s):
    """t/s <= q <= s t and (1-t)/s <= 1-q <= s(1-t), t and q the shares of the way along both axes."""
    if N == 1 or M == 1:
        return np.ones((N, M), dtype=bool)
    s, rounding = Fraction(s), Fraction(1, 10**12)
    allowed = np.zeros((N, M), dtype=bool)
    for n in range(N):
        for m in range(M):
            t, q = Fraction(n, N - 1), Fraction(m, M - 1)
            allowed[n, m] = all(
                a / s <= b + rounding and b <= s * a + rounding for a, b in ((t, q), (1 - t, 1 - q))
            )
    return allowed


BANDS = [
    *[(wl.SakoeChiba(radius), sakoe_chiba, radius) for radius in (0, 0.5, 1, 1.5, 3, 7, 1000)],
    *[(wl.Itakura(slope), itakura, slope) for slope in (1, 1.4, 2, 3, 50)],
]


@pytest.mark.parametrize(
    ("band", "definition", "parameter"), BANDS, ids=lambda v: str(v) if isinstance(v, float) else ""
)
@pytest.mark.parametrize("gamma", [0.0, 0.7])
def test_a_band_equals_its_mask(band, definition, parameter, gamma):
    for N, M in SHAPES:
        x, y = costs.sample("mse", N, M, 3)
        allowed = definition(N, M, parameter)
        masked = np.where(allowed, costs.matrix("mse", x, y), np.inf)
        settings = {"gamma": gamma, "step_weights": (0.4, 1, 1.2)}
        try:
            truth = wl.align_costs(masked, **settings)
        except wl.NoPathError:
            with pytest.raises(wl.NoPathError):
                wl.align(x, y, band=band, **settings)
            continue
        banded = wl.align(x, y, band=band, **settings)
        assert banded.value == pytest.approx(truth.value, rel=1e-10)
        np.testing.assert_allclose(banded.H, truth.H, atol=1e-10)
        np.testing.assert_allclose(banded.E, truth.E, atol=1e-10)
        np.testing.assert_allclose(banded.y_mod, banded.H_tilde @ y, atol=1e-10)
        assert banded.entropy == pytest.approx(truth.entropy, rel=1e-8, abs=1e-10)
        np.testing.assert_allclose(banded.step_weights_grad, truth.step_weights_grad, rtol=1e-8, atol=1e-10)
        assert (banded.H[~allowed] == 0).all()
        np.testing.assert_array_equal(banded.path().indices, truth.path().indices)
        assert banded.value == pytest.approx(wl.soft_dtw(x, y, band=band, **settings), rel=1e-12)
        with_costs = wl.align_costs(costs.matrix("mse", x, y), band=band, **settings)
        np.testing.assert_allclose(with_costs.H, truth.H, atol=1e-10)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_band_that_holds_every_cell_is_none(dtype):
    x, y = costs.sample("mse", 30, 21, 3, dtype=dtype)
    free, banded = wl.align(x, y), wl.align(x, y, band=wl.SakoeChiba(30))
    assert banded.value == pytest.approx(free.value, rel=1e-6)
    np.testing.assert_allclose(banded.H, free.H, atol=1e-6)


@pytest.mark.parametrize(("N", "M"), [(861, 100), (100, 861), (31, 7), (7, 30), (12, 5)])
def test_the_error_names_the_smallest_band_with_a_path(N, M):
    x, y = np.zeros((N, 1)), np.zeros((M, 1))
    for too_narrow, of, step in (
        (wl.SakoeChiba(0.1), wl.SakoeChiba, 1e-5),
        (wl.Itakura(1), wl.Itakura, 1e-4),
    ):
        with pytest.raises(wl.NoPathError, match=rf"leaves no path for N={N}, M={M}; the smallest") as raised:
            wl.align(x, y, band=too_narrow)
        smallest = float(re.search(r"that does is ([0-9.]+)$", str(raised.value)).group(1))
        assert np.isfinite(wl.align(x, y, band=of(smallest)).value)
        with pytest.raises(wl.NoPathError):
            wl.align(x, y, band=of(smallest - step))


def test_mask_and_band_together_may_leave_no_path():
    C = np.zeros((6, 6))
    C[2, :4] = np.inf
    assert np.isfinite(wl.align_costs(C, gamma=1.0).value)
    with pytest.raises(wl.NoPathError, match="6 x 6 cost matrix within the band"):
        wl.align_costs(C, gamma=1.0, band=wl.SakoeChiba(1))


def test_inputs_stay_as_they_are():
    C = np.random.default_rng(0).random((9, 9))
    C[3, 5] = np.inf
    before = C.copy()
    alignment = wl.align_costs(C, gamma=1.0, band=wl.SakoeChiba(2))
    _ = alignment.E, alignment.entropy, alignment.path()
    np.testing.assert_array_equal(C, before)
    assert C.flags.writeable
