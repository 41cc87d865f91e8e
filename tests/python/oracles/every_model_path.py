"""The general alignment model as a sum over every path of a small grid, each charged on its own."""

from dataclasses import dataclass, field

import numpy as np


@dataclass
class Setting:
    """Steps as (i, j, weight, penalty), and where paths begin and end; arrays broadcast to (N,M)."""

    steps: list
    entry: np.ndarray
    exit: np.ndarray
    entry_weight: object = 1.0
    exit_weight: object = 0.0


@dataclass
class Truth:
    """Expectations over all paths, and those of least cost."""

    value: float
    E: np.ndarray
    H: np.ndarray
    uses: np.ndarray
    begin: np.ndarray
    end: np.ndarray
    entropy: float = 0.0
    mean_cost: float = 0.0
    least: float = np.inf
    best: list = field(default_factory=list)


def corner(N, M, n, m):
    """Costs of 0 at one cell and inf elsewhere."""
    costs = np.full((N, M), np.inf)
    costs[n, m] = 0
    return costs


def paths(N, M, sizes):
    """Every path as cells (n, m, step), -1 where it begins."""
    waiting = [((n, m, -1),) for n in range(N) for m in range(M)]
    while waiting:
        path = waiting.pop()
        yield path
        n, m, _ = path[-1]
        waiting += [(*path, (n + i, m + j, s)) for s, (i, j) in enumerate(sizes) if n + i < N and m + j < M]


def total(C, setting, gamma):
    """The truth for C (N,M) at gamma > 0."""
    N, M = C.shape

    def grid(values):
        return np.broadcast_to(np.asarray(values, float), (N, M))

    def charge(weight, cost):
        return np.inf if cost == np.inf else weight * cost

    def zeros(*front):
        return np.zeros((*front, N, M))

    weights = [grid(step[2]) for step in setting.steps] + [grid(setting.entry_weight)]
    extra = [grid(step[3]) for step in setting.steps] + [grid(setting.entry)]
    last_weight, last = grid(setting.exit_weight), grid(setting.exit)
    priced = []
    for path in paths(N, M, [step[:2] for step in setting.steps]):
        n, m, _ = path[-1]
        cost = charge(last_weight[n, m], C[n, m]) + last[n, m]
        cost += sum(charge(weights[s][n, m], C[n, m]) + extra[s][n, m] for n, m, s in path)
        if cost < np.inf:
            priced.append((cost, path))
    truth = Truth(np.inf, zeros(), zeros(), zeros(len(setting.steps) + 1), zeros(), zeros())
    if not priced:
        return truth
    costs = np.array([cost for cost, _ in priced])
    truth.least = costs.min()
    logs = (truth.least - costs) / gamma
    log_sum = np.log(np.exp(logs).sum())
    shares = np.exp(logs - log_sum)
    truth.value = truth.least - gamma * log_sum
    truth.entropy = -(shares * (logs - log_sum)).sum()
    truth.mean_cost = shares @ costs
    truth.best = [path for cost, path in priced if cost == truth.least]
    for share, (_, path) in zip(shares, priced, strict=True):
        for n, m, s in path:
            truth.E[n, m] += share
            truth.uses[s, n, m] += share
            truth.H[n, m] += share * weights[s][n, m]
        n, m, _ = path[-1]
        truth.end[n, m] += share
        truth.H[n, m] += share * last_weight[n, m]
    truth.begin = truth.uses[-1]
    truth.uses = truth.uses[:-1]
    return truth
