"""
Time series: barycenters and clusters
=====================================

Soft DTW compares series that run at different speeds. ``cdist`` gives the values of
all pairs of a set, ``barycenter`` the series that is nearest to all of a set;
together they are k-means for time series.
"""

import matplotlib.pyplot as plt
import numpy as np

import warplens as wl

rng = np.random.default_rng(3)


def bump(late: bool) -> np.ndarray:
    """Make a series of two peaks, the first or second the higher, at its own tempo."""
    time = np.linspace(0, 1, int(rng.integers(40, 70))) ** rng.uniform(0.6, 1.7)
    low, high = (0.4, 1.0) if late else (1.0, 0.4)
    peaks = low * np.exp(-(((time - 0.3) / 0.08) ** 2)) + high * np.exp(
        -(((time - 0.7) / 0.08) ** 2)
    )
    return peaks + 0.03 * rng.standard_normal(len(time))


kinds = rng.integers(0, 2, 30)
series = [bump(bool(kind)) for kind in kinds]

# %%
# All pairs
# ---------
# The values of soft DTW are not distances: they can be negative, and a series has no
# value of 0 with itself. The divergence takes half of both self-values away and has
# neither fault.

values = wl.cdist(series, gamma=0.05)
own = np.diag(values)
divergences = values - 0.5 * (own[:, np.newaxis] + own)

fig, ax = plt.subplots(figsize=(4.6, 3.8), layout="constrained")
order = np.argsort(kinds, kind="stable")
image = ax.imshow(divergences[np.ix_(order, order)], cmap="viridis")
ax.set_title("divergence of all pairs, sorted by kind", loc="left")
fig.colorbar(image)

# %%
# Two clusters
# ------------
# Each round assigns every series to the nearer centre, and moves each centre to the
# barycenter of its series. It begins with the two series that are farthest from each
# other.

first, second = np.unravel_index(divergences.argmax(), divergences.shape)
centres = [series[first], series[second]]
for _ in range(3):
    nearest = wl.cdist(series, centres, gamma=0.05).argmin(axis=1)
    centres = [
        wl.barycenter(
            [s for s, k in zip(series, nearest, strict=True) if k == c],
            gamma=0.05,
            length=55,
        )
        for c in (0, 1)
    ]

agree = max(np.mean(nearest == kinds), np.mean(nearest != kinds))
print(f"{agree:.0%} of the series are in the cluster of their kind")

grid = np.linspace(0, 1, 55)
fig, axes = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained", sharey=True)
for cluster, ax in enumerate(axes):
    members = [s for s, k in zip(series, nearest, strict=True) if k == cluster]
    stretched = []
    for s in members:
        ax.plot(np.linspace(0, 1, len(s)), s, color="0.75", lw=0.8)
        stretched.append(np.interp(grid, np.linspace(0, 1, len(s)), s))
    ax.plot(grid, centres[cluster], color="C3", lw=2, label="soft-DTW barycenter")
    ax.plot(
        grid,
        np.mean(stretched, axis=0),
        color="C0",
        ls="--",
        label="mean of stretched series",
    )
    ax.set_title(f"cluster {cluster + 1}", loc="left")
axes[0].legend(fontsize="small")
