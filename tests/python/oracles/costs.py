"""The local costs and their gradients for the predictions, as the documentation states them."""

import numpy as np

COSTS_WITH_TARGETS = (
    "mse",
    "sqeuclidean",
    "bce",
    "bce_logits",
    "ce",
    "ce_logits",
    "poisson",
    "poisson_log",
    "cosine",
)
COSTS = (*COSTS_WITH_TARGETS, "euclidean", "l1")
PROBABILITY_TARGETS = ("bce", "bce_logits", "ce", "ce_logits")


def sample(cost, N, M, D, seed=0, dtype=np.float64):
    """x (N,D) and y (M,D) well inside the domain of the cost."""
    generator = np.random.default_rng([seed, N, M, D])
    x, y = generator.normal(size=(N, D)), generator.normal(size=(M, D))
    if cost in ("bce", "ce"):
        x = 0.05 + 0.9 / (1.0 + np.exp(-x))
    if cost == "poisson":
        x = 0.2 + np.abs(x)
    if cost in PROBABILITY_TARGETS:
        y = 0.05 + 0.9 / (1.0 + np.exp(-y))
    if cost in ("poisson", "poisson_log"):
        y = np.abs(y)
    return x.astype(dtype), y.astype(dtype)


def _log(x):
    with np.errstate(divide="ignore"):
        return np.maximum(np.log(x), -100.0)


def _softplus(x):
    return np.logaddexp(0.0, x)


def _sigmoid(x):
    return np.exp(-_softplus(-x))


def _log_softmax(x):
    top = x.max(axis=-1, keepdims=True)
    return x - top - np.log(np.exp(x - top).sum(axis=-1, keepdims=True))


def _prepared(x, y, f, p, mean):
    """All in float64, weights that are not given as ones, a mean over features as a weight."""
    D = np.shape(x)[1]
    f = np.ones(D) if f is None else np.asarray(f, dtype=np.float64)
    p = np.ones(D) if p is None else np.asarray(p, dtype=np.float64)
    return np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64), f / D if mean else f, p


def matrix(cost, x, y, f=None, p=None, mean=False):
    """C (N,M) with feature weights f (D,), positive weights p (D,), summed or averaged over features."""
    x, y, f, p = _prepared(x, y, f, p, mean)
    return np.stack([_row(cost, frame[None], y, f, p) for frame in x])


def _row(cost, x, y, f, p):
    """c(x, y_m) for one frame x (1,D) and all y (M,D)."""
    match cost:
        case "mse":
            each = 0.5 * (x - y) ** 2
        case "sqeuclidean":
            each = (x - y) ** 2
        case "bce":
            each = -p * y * _log(x) - (1 - y) * _log(1 - x)
        case "bce_logits":
            each = p * y * _softplus(-x) + (1 - y) * _softplus(x)
        case "ce":
            each = -y * _log(x)
        case "ce_logits":
            each = -y * _log_softmax(x)
        case "poisson":
            each = x - y * _log(x)
        case "poisson_log":
            each = np.exp(x) - y * x
        case "cosine":
            return 1.0 - (direction(y, f) * direction(x, f)) @ f
        case "euclidean":
            return np.sqrt(((x - y) ** 2) @ f)
        case "l1":
            each = np.abs(x - y)
    return each @ f


def direction(z, f):
    """z/|z| with |z|^2 = sum f z^2, 0 for a zero vector."""
    norm = np.sqrt(np.square(z) @ f)[:, None]
    return np.divide(z, norm, out=np.zeros_like(z), where=norm > 0)


def gradient(cost, x, y, f=None, p=None, mean=False):
    """dc/dx (N,D) between equally many frames x and y; under cosine y is used as it is, not normalised."""
    x, y, f, p = _prepared(x, y, f, p, mean)
    match cost:
        case "mse":
            return f * (x - y)
        case "sqeuclidean":
            return 2.0 * f * (x - y)
        case "bce":
            return f * ((1 - y) / np.maximum(1 - x, 1e-12) - p * y / np.maximum(x, 1e-12))
        case "bce_logits":
            return f * ((1 - y) * _sigmoid(x) - p * y * _sigmoid(-x))
        case "ce":
            return -f * y / np.maximum(x, 1e-12)
        case "ce_logits":
            return np.exp(_log_softmax(x)) * (y @ f)[:, None] - f * y
        case "poisson":
            return f * (1.0 - y / np.maximum(x, 1e-12))
        case "poisson_log":
            return f * (np.exp(x) - y)
        case "cosine":
            norm = np.sqrt(np.square(x) @ f)[:, None]
            along = ((x * y) @ f)[:, None]
            safe = np.where(norm > 0, norm, 1.0)
            return np.where(norm > 0, f * (along * x / safe**3 - y / safe), 0.0)
    raise ValueError(f"{cost} has no modified targets")
