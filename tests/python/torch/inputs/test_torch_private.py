"""Private names of torch: each that the package uses exists, and one file alone uses them."""

import ast
from pathlib import Path

import pytest
import torch
from torch import nn

import warplens.torch
from warplens.torch.inputs import torch_private

PACKAGE = Path(warplens.torch.__file__).parent

# Each with the function of `torch_private` that needs it.
NAMES = [
    ("_C._are_functorch_transforms_active", "is_transformed"),
    ("_C._functorch.is_legacy_batchedtensor", "stands_for_many"),
    ("_C._autograd._get_current_graph_task_keep_graph", "is_graph_kept"),
    ("Tensor._version", "number_of_changes"),
    ("_C._dispatch_tls_local_include_set", "recorded_by_autograd"),
    ("_C._dispatch_tls_local_exclude_set", "recorded_by_autograd"),
    ("_C._ForceDispatchKeyGuard", "recorded_by_autograd"),
    ("_C.DispatchKey.AutogradFunctionality", "recorded_by_autograd"),
    ("_C.DispatchKey.AutogradOther", "recorded_by_autograd"),
    ("nn.Module._apply", "UncastModule"),
]


@pytest.mark.parametrize(("name", "user"), NAMES)
def test_a_private_name_exists(name, user):
    assert hasattr(torch_private, user)
    place = torch
    for part in name.split("."):
        assert hasattr(place, part), f"torch.{name}, which torch_private.{user} needs"
        place = getattr(place, part)


def private_names(file):
    """Yield names with a leading underscore that a file imports from torch or reads from other objects."""
    tree = ast.parse(file.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "torch":
            names = [*node.module.split("."), *(alias.name for alias in node.names)]
            yield from (name for name in names if name.startswith("_"))
        if isinstance(node, ast.Attribute) and node.attr.startswith("_") and not node.attr.startswith("__"):
            of_self = isinstance(node.value, ast.Name) and node.value.id == "self"
            yield from () if of_self else (node.attr,)


def test_one_file_alone_uses_private_names_of_torch():
    for file in PACKAGE.rglob("*.py"):
        if file != Path(torch_private.__file__):
            own = {"_fields", "_replace"}  # of named tuples
            assert not set(private_names(file)) - own, file
    used = set(private_names(Path(torch_private.__file__)))
    listed = {part for name, _ in NAMES for part in name.split(".") if part.startswith("_")}
    assert used - {"_get_current_graph_task_keep_graph"} <= listed


def test_a_function_of_torch_is_told_of_transforms_and_batched_gradients():
    seen = []

    def look(x):
        seen.append(torch_private.is_transformed())
        return x.sum()

    torch.func.grad(look)(torch.ones(2))
    assert (seen, torch_private.is_transformed()) == ([True], False)
    assert not torch_private.stands_for_many(torch.ones(2))


def test_changes_in_place_are_counted():
    x = torch.ones(2)
    before = torch_private.number_of_changes(x)
    x.add_(1)
    assert torch_private.number_of_changes(x) == before + 1
    with torch.inference_mode():
        assert torch_private.number_of_changes(torch.ones(2)) == 0


def test_a_module_keeps_its_dtype():
    module = torch_private.UncastModule()
    module.number = nn.Parameter(torch.ones((), dtype=torch.float64))
    assert module.half().number.dtype == torch.float64
