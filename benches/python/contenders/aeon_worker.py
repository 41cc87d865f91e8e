"""Worker in the environment of aeon: reads pairs once, then computes all of them for every line on stdin."""

import json
import sys

import numpy as np
from aeon.distances import soft_dtw_distance

path, gamma = sys.argv[1], float(sys.argv[2])
with np.load(path) as data:
    pairs = [
        tuple(np.ascontiguousarray(side.T) for side in pair)
        for pair in zip(data["x"], data["y"], strict=True)
    ]
print("[]", flush=True)
for _ in sys.stdin:
    print(json.dumps([float(soft_dtw_distance(x, y, gamma=gamma)) for x, y in pairs]), flush=True)
