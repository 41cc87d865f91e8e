"""`--gamma 0.1 1 10`: which words after the flag are its values."""

import pytest

pytest.importorskip("click")

from warplens.cli.param_types import one_value_a_flag


@pytest.mark.parametrize(
    ("given", "spread"),
    [
        ("data --gamma 0.1 1 10", "data --gamma=0.1 --gamma=1 --gamma=10"),
        ("--gamma 0.1 1 10 data -o out", "--gamma=0.1 --gamma=1 --gamma=10 data -o out"),
        ("--gamma=0.1 1 10 data", "--gamma=0.1 --gamma=1 --gamma=10 data"),
        ("--gamma 1e-3 .5 2. +3 -1 data", "--gamma=1e-3 --gamma=.5 --gamma=2. --gamma=+3 --gamma=-1 data"),
        ("--gamma 1 -o out --gamma 2 3 data", "--gamma=1 -o out --gamma=2 --gamma=3 data"),
        ("--gamma 1 ./10 10data data", "--gamma=1 ./10 10data data"),
        ("10 --gamma 1", "10 --gamma=1"),
        ("--gamma nan data", "--gamma=nan data"),
        ("--gamma", "--gamma"),
        ("data -- --gamma 1 2", "data -- --gamma 1 2"),
        ("--step-weights 0.1 1 1 data", "--step-weights 0.1 1 1 data"),
    ],
)
def test_numbers_belong_to_the_flag_before_them(given, spread):
    assert " ".join(one_value_a_flag(given.split(), {"--gamma"})) == spread
