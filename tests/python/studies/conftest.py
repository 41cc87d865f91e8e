"""A study of tones."""

import pytest

pytest.importorskip("torch", reason="torch is not installed")
pytest.importorskip("librosa", reason="librosa is not installed")

from published_datasets import write_bpsd, write_maestro

STUDY = """
name = "smoke"
title = "A study of tones"
seeds = [0]
width = {width}
precision = "float32"
paper_f_before = 0.60

[pretraining]
steps = {pretraining_steps}
short_steps = 4
clip_seconds = 2.0
batch = 4
learning_rate = 3e-3
decay = 0.98
decay_steps = 10
clip_norm = 3.0

[finetuning]
steps = {finetuning_steps}
batch = 4
learning_rate = 1e-3
clip_norm = 0.0
step_weights = [0.1, 1.0, 1.0]
segment_measures = 8
segment_seconds = 2.0
measure_seconds = 0.5
longest_seconds = 20.0
relabel_steps = 5
look_steps = 3
inspect_steps = 5

[[data.pretraining]]
dataset = "maestro"
folder = "{maestro}"
split = "train"

[[data.finetuning]]
dataset = "bpsd"
folder = "{bpsd}"
versions = ["AS35"]

[[data.test]]
dataset = "bpsd"
folder = "{bpsd}"
versions = ["WK64"]

[[runs]]
name = "gamma 0.1"
gamma = 0.1
paper_f = 0.67

[[runs]]
name = "poor, piecewise"
start = "short"
schedule = "piecewise"
points = [[0.3, 10.0], [0.7, 0.1]]

[[runs]]
name = "poor, target-driven"
start = "short"
schedule = "target-driven"
gamma = 10.0
factor = 0.3

[[runs]]
name = "strong targets"
objective = "strong"

[[runs]]
name = "EM"
objective = "em"

[[runs]]
name = "unweighted"
step_weights = [1.0, 1.0, 1.0]

[[runs]]
name = "prior"
prior = 3.0
prior_until = 0.5

[[runs]]
name = "forward-sum"
objective = "forward-sum"

[[runs]]
name = "subsequence"
objective = "subsequence"
skip_penalty = 10.0

[[runs]]
name = "drop"
objective = "drop"
drop = 40.0

[[runs]]
name = "CTC-A, we"
objective = "multi-label-ctc"
output = "we"

[[runs]]
name = "CTC-B, ne3"
objective = "multi-label-ctc"
output = "ne3"
blank_rule = "B"

[[runs]]
name = "CTC-C, ne3"
objective = "multi-label-ctc"
output = "ne3"
blank_rule = "C"
"""


@pytest.fixture(scope="session")
def small_datasets(tmp_path_factory):
    root = tmp_path_factory.mktemp("datasets")
    return {"maestro": write_maestro(root / "maestro"), "bpsd": write_bpsd(root / "bpsd")}


@pytest.fixture
def write_study(small_datasets):
    """Writes a configuration; its settings, and lines to be replaced."""

    def write(path, *, replace=(), **settings):
        told = {"width": 4, "pretraining_steps": 60, "finetuning_steps": 12, **small_datasets, **settings}
        text = STUDY.format(**told)
        for old, new in replace:
            assert old in text
            text = text.replace(old, new)
        path.write_text(text, "utf-8")
        return path

    return write
