"""The check of a device notices every result that is wrong, whichever it is and wherever it is.

Torch operations on the CPU are checked here in the place of kernels; those themselves, interpreted, are so in
`interpreted_device_check`.
"""

import re

import pytest
import torch

from warplens.torch.autograd.saved_gradient import Solution
from warplens.torch.backends.ops.backend import OpsBackend
from warplens.torch.backends.triton.device_check import CASES, TOLERANCES, find_fault

CPU = torch.device("cpu")


def test_operations_pass():
    assert find_fault(CPU, OpsBackend()) is None


def test_cases_are_of_both_orientations_precisions_and_weights():
    assert {case.N > case.M for case in CASES} == {True, False}
    assert {case.step_weights for case in CASES} == {(1.0, 1.0, 1.0), (0.1, 1.0, 1.0)}
    assert {case.gamma > 0 for case in CASES} == {True, False}
    assert TOLERANCES.keys() == {torch.float32, torch.float64}
    for case in CASES:
        pairs = case.pairs(torch.float32)
        lengths = torch.stack([pairs.x_lengths, pairs.y_lengths])
        assert (lengths < torch.tensor([[case.N], [case.M]])).any(dim=1).all()
        assert pairs.x.isnan().any()
        assert pairs.y.isnan().any()


class Changed(OpsBackend):
    """Torch operations, one result of which is changed.

    Args:
        call: the method whose result it is.
        result: its name, or its place among the gradients.
        change: a function of it.
        of: a function of the batch that says whether it is changed there.
    """

    def __init__(self, call, result, change, of=lambda batch: True):
        self.call, self.result, self.change, self.of = call, result, change, of

    def _solved(self, call, batch, solution):
        if call != self.call or not self.of(batch):
            return solution
        if self.result == "value":
            return Solution(self.change(solution.value), solution.gradients)
        gradients = list(solution.gradients)
        if gradients[self.result] is not None:
            gradients[self.result] = self.change(gradients[self.result])
        return Solution(solution.value, gradients)

    def _named(self, call, batch, results):
        if call == self.call and self.of(batch) and self.result in results:
            results[self.result] = self.change(results[self.result])
        return results

    def solve_pairs(self, pairs, *arguments):
        return self._solved("solve_pairs", pairs, super().solve_pairs(pairs, *arguments))

    def solve_costs(self, matrices, *arguments):
        return self._solved("solve_costs", matrices, super().solve_costs(matrices, *arguments))

    def results_of_pairs(self, pairs, *arguments):
        return self._named("results_of_pairs", pairs, super().results_of_pairs(pairs, *arguments))

    def results_of_costs(self, matrices, settings, names):
        results = super().results_of_costs(matrices, settings, names)
        return (
            self._named("results_of_costs", matrices, results) if "E" in names else results
        )  # of alignments


RESULTS = [
    ("solve_pairs", "value", "the value"),
    ("solve_pairs", 0, "the gradient in x"),
    ("solve_pairs", 1, "the gradient in y"),
    ("solve_pairs", 2, "the gradient in gamma"),
    ("solve_pairs", 3, "the gradient in step weights"),
    ("solve_costs", "value", "the value of cost matrices"),
    ("solve_costs", 0, "the gradient in C of cost matrices"),
    ("solve_costs", 1, "the gradient in gamma of cost matrices"),
    ("solve_costs", 2, "the gradient in step weights of cost matrices"),
    ("results_of_costs", "value", "value of an alignment"),
    ("results_of_costs", "H", "H of an alignment"),
    ("results_of_costs", "E", "E of an alignment"),
    ("results_of_costs", "h", "h of an alignment"),
    ("results_of_costs", "entropy", "entropy of an alignment"),
    ("results_of_pairs", "y_mod", "y_mod of an alignment"),
]


@pytest.mark.parametrize(("call", "result", "name"), RESULTS)
@pytest.mark.parametrize("change", [lambda result: 1.0001 * result, lambda result: result * torch.nan])
def test_every_result_that_is_changed_is_noticed(call, result, name, change):
    fault = find_fault(CPU, Changed(call, result, change))
    assert re.fullmatch(
        rf"float32, N = 21, M = 4, .*: {name}.* differs from the core's by .* is allowed", fault
    )


def test_a_number_in_the_padding_is_noticed():
    def change(result):
        result[0, :, -1] += 1e-4
        return result

    assert "gradient in C of cost matrices" in find_fault(CPU, Changed("solve_costs", 0, change))


def test_a_wrong_shape_is_noticed():
    fault = find_fault(CPU, Changed("results_of_pairs", "y_mod", lambda result: result[:, 1:]))
    assert fault.endswith("y_mod of an alignment has shape (2, 20, 3), not (2, 21, 3)")


def test_a_precision_that_is_lost_is_noticed():
    def change(result):
        return result.to(torch.float32).to(result.dtype)

    fault = find_fault(CPU, Changed("solve_pairs", 0, change, lambda pairs: pairs.x.dtype == torch.float64))
    assert fault.startswith("float64, N = 21")


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_fault_in_one_case_alone_is_noticed(case):
    backend = Changed("solve_pairs", 1, lambda y_grad: -y_grad, lambda pairs: pairs.x.shape[1] == case.N)
    assert find_fault(CPU, backend).startswith(f"float32, {case}: the gradient in y")


def test_an_exception_says_in_which_case():
    def change(result):
        raise RuntimeError("an illegal memory access")

    with pytest.raises(RuntimeError, match="illegal") as error:
        find_fault(CPU, Changed("solve_pairs", 0, change, lambda pairs: pairs.x.shape[1] == 530))
    assert error.value.__notes__ == ["float32, N = 530, M = 3, bce_logits, gamma 1, weights (0.1, 1, 1)"]
