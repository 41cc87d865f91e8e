"""CTC with weights and penalties of blanks, twice: over every path, and as a recursion over columns."""

import itertools
from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class Costs:
    """Settings of the costs; a path begins at weight 1 and ends on the last label or the blank after it."""

    gamma: float = 1.0
    blank_penalty: float = 0.0
    blank_weight: float = 1.0
    free_between: bool = False
    class_costs: np.ndarray | None = None


@dataclass
class Truth:
    """The settings of CTC for one item; columns are blank, label, blank, ..."""

    value: float
    H: np.ndarray  # (T,2L+1)
    E: np.ndarray
    entropy: float
    blank_uses: float
    columns: np.ndarray = field(default_factory=lambda: np.zeros(0, int))

    def taught(self, classes):
        """H Y, (T,K)."""
        return self.H @ np.eye(classes)[self.columns]

    def y_mod(self, classes):
        """H Y / h, 0 where h is 0."""
        h = self.H.sum(1, keepdims=True)
        return self.taught(classes) / np.where(h > 0, h, 1)

    def logit_gradient(self, softmax):
        """h softmax - H Y."""
        return self.H.sum(1, keepdims=True) * softmax - self.taught(softmax.shape[1])


def expanded(labels, blank=0):
    """Columns, and where a step of two columns may arrive, and where a step into a blank is free."""
    labels = np.asarray(labels, int).reshape(-1)
    columns = np.full(2 * len(labels) + 1, blank)
    columns[1::2] = labels
    skips, needed = np.zeros(len(columns), bool), np.zeros(len(columns), bool)
    for j in range(1, len(labels)):
        skips[2 * j + 1] = labels[j] != labels[j - 1]
        needed[2 * j] = labels[j] == labels[j - 1]
    return columns, skips, needed


def _charges(log_probs, labels, blank, costs):
    """Costs of arriving by steps of 0, 1, 2 columns, (3,T,C), and which of these pay the penalty."""
    columns, skips, needed = expanded(labels, blank)
    C = -np.asarray(log_probs, float)
    if costs.class_costs is not None:
        C = C + costs.class_costs
    C = C[:, columns]
    T, M = C.shape
    is_blank = np.arange(M) % 2 == 0
    charge, pays, weight = np.zeros((3, T, M)), np.zeros((3, T, M)), np.ones((3, T, M))
    for step in range(3):
        free = needed & costs.free_between & (step == 1)
        dear = is_blank & ~free
        pays[step] = dear
        weight[step, 1:, dear] = costs.blank_weight
        charge[step] = np.where(np.isinf(C), np.inf, weight[step] * np.where(np.isinf(C), 0, C))
        if costs.free_between and costs.blank_penalty == np.inf:
            # Where only the needed blanks are left, a path may still begin on one.
            pays[step, 0] = 0
        charge[step] += np.where(pays[step] > 0, costs.blank_penalty, 0)
    charge[2, :, ~skips] = np.inf
    return columns, charge, pays, weight


def by_every_path(log_probs, labels, blank=0, costs=Costs()):
    """Sum over every path."""
    columns, charge, pays, weight = _charges(log_probs, labels, blank, costs)
    _, T, M = charge.shape
    found = []
    for path in itertools.product(range(M), repeat=T):
        steps = np.diff(path, prepend=0)
        if path[0] > 1 or (steps < 0).any() or (steps > 2).any() or path[-1] < M - 2:
            continue
        cost = sum(charge[s, t, c] for t, (s, c) in enumerate(zip(steps, path, strict=True)))
        if cost < np.inf:
            found.append((cost, path, steps))
    H, E = np.zeros((T, M)), np.zeros((T, M))
    if not found:
        return Truth(np.inf, H, E, 0.0, 0.0, columns)
    least = min(cost for cost, _, _ in found)
    mass = np.array([np.exp((least - cost) / costs.gamma) for cost, _, _ in found])
    p = mass / mass.sum()
    uses = 0.0
    for probability, (_, path, steps) in zip(p, found, strict=True):
        for t, (s, c) in enumerate(zip(steps, path, strict=True)):
            E[t, c] += probability
            H[t, c] += probability * weight[s, t, c]
            uses += probability * pays[s, t, c]
    value = least - costs.gamma * np.log(mass.sum())
    return Truth(value, H, E, -(p * np.log(np.where(p > 0, p, 1))).sum(), uses, columns)


def by_recursion(log_probs, labels, blank=0, costs=Costs()):
    """Sum over paths by the recursion, in logarithms."""
    columns, charge, pays, weight = _charges(log_probs, labels, blank, costs)
    _, T, M = charge.shape
    D = np.full(M, np.inf)
    D[0] = 0.0
    shares = np.zeros((3, T, M))
    for t in range(T):
        before = np.stack([np.r_[np.full(s, np.inf), D][:M] for s in range(3)])
        total = before + charge[:, t]
        least = total.min(0)
        least = np.where(np.isinf(least), 0, least)
        mass = np.exp((least - total) / costs.gamma)
        with np.errstate(divide="ignore"):
            D = least - costs.gamma * np.log(mass.sum(0))
        shares[:, t] = mass / np.where(mass.sum(0) > 0, mass.sum(0), 1)
    ends = np.array([D[M - 1], D[M - 2] if M > 1 else np.inf])
    H, E = np.zeros((T, M)), np.zeros((T, M))
    if not np.isfinite(ends).any():
        return Truth(np.inf, H, E, 0.0, 0.0, columns)
    mass = np.exp((ends.min() - ends) / costs.gamma)
    q = mass / mass.sum()
    now = np.zeros(M)
    now[M - 1] = q[0]
    if M > 1:
        now[M - 2] = q[1]
    entropy, uses = -_xlogx(q).sum(), 0.0
    for t in range(T - 1, -1, -1):
        E[t] = now
        arrived = shares[:, t] * now
        H[t] = (weight[:, t] * arrived).sum(0)
        uses += (pays[:, t] * arrived).sum()
        entropy -= (now * _xlogx(shares[:, t]).sum(0)).sum()
        now = sum(np.r_[arrived[s], np.zeros(s)][s:] for s in range(3))
    return Truth(ends.min() - costs.gamma * np.log(mass.sum()), H, E, entropy, uses, columns)


def _xlogx(p):
    return p * np.log(np.where(p > 0, p, 1))


def least_frames(labels):
    """Frames of the shortest path: the labels, and a blank between equal ones."""
    labels = list(labels)
    return len(labels) + sum(a == b for a, b in itertools.pairwise(labels))
