"""Registers, spills and shared memory of the Triton kernels, compiled ahead of time, without a device.

    python -m benches.python.triton_kernels

writes `benches/record/<date>-triton-ahead-of-time.json`.
"""

import datetime
import json
import re
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import triton
from triton import language as tl
from triton.backends import nvidia
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from warplens.torch.backends.triton.backward_kernel import visit_lines
from warplens.torch.backends.triton.forward_kernel import accumulate_lines
from warplens.torch.backends.triton.plan import Plan, plan

ROOT = Path(__file__).parents[2]
CAPABILITIES = (80, 90, 100)
LENGTHS = (32, 64, 100, 256, 512)  # one of each block; what is longer is cut
TYPES = {"float32": tl.float32, "float64": tl.float64}
VARIANTS = (
    (accumulate_lines, {"KEEP": False, "ALONG_FIRST": True}),
    (accumulate_lines, {"KEEP": True, "ALONG_FIRST": True}),
    (visit_lines, {"MOMENTS": False, "VISITS": False}),
    (visit_lines, {"MOMENTS": True, "VISITS": True}),
)
_FLOATS = frozenset(
    {"costs", "rows", "probabilities", "log_ends", "rates", "visits", "flows", "moments", "weights"}
)


def source(kernel: Any, constants: dict[str, Any]) -> ASTSource:
    """Return what a launch compiles: tensors that torch allocated start at multiples of 16 bytes."""

    def type_of(name: str) -> str:
        if name in constants:
            return "constexpr"
        return "*fp64" if name in _FLOATS else "*i64" if name == "ends" else "i32"

    signature = {name: type_of(name) for name in kernel.arg_names}
    pointers = (place for place, kind in enumerate(signature.values()) if kind.startswith("*"))
    return ASTSource(
        kernel, signature, constants, {(place,): [["tt.divisibility", 16]] for place in pointers}
    )


def built(kernel: Any, constants: dict[str, Any], sizes: Plan, capability: int) -> Any:
    """Compile one kernel for one architecture; its text is in `asm["ptx"]`."""
    target = GPUTarget("cuda", capability, 32)
    return triton.compile(source(kernel, constants), target=target, options=sizes.options)


def compiled(kernel: Any, constants: dict[str, Any], sizes: Plan, capability: int) -> dict[str, Any]:
    """Return registers, bytes spilled and bytes of shared memory of one kernel on one architecture."""
    result = built(kernel, constants, sizes, capability)
    report = _ptxas(result.asm["ptx"], capability)
    stored, loaded = (int(re.search(rf"(\d+) bytes spill {way}", report)[1]) for way in ("stores", "loads"))
    return {
        "registers": int(re.search(r"Used (\d+) registers", report)[1]),
        "spill_store_bytes": stored,
        "spill_load_bytes": loaded,
        "shared_bytes": result.metadata.shared,
        "instructions": len(
            re.findall(r"^\s+(?:@!?%p\d+ +)?[a-z][\w.]* .*;", result.asm["ptx"], re.MULTILINE)
        ),
    }


def _ptxas(ptx: str, capability: int) -> str:
    """Return the report of the assembler that Triton ships."""
    name = "ptxas-blackwell" if capability >= 100 else "ptxas"
    assembler = Path(nvidia.__file__).parent / "bin" / name
    architecture = re.search(r"^\.target (\w+)", ptx, re.MULTILINE)[1]
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "kernel.ptx")
        source.write_text(ptx)
        command = [assembler, "-v", f"--gpu-name={architecture}", source, "-o", Path(folder, "kernel.cubin")]
        return subprocess.run(command, capture_output=True, text=True, check=True).stderr


def rows(capabilities: tuple[int, ...] = CAPABILITIES) -> Iterator[dict[str, Any]]:
    """Yield a row for each architecture, type, length of a line and kernel."""
    for capability in capabilities:
        for dtype, TYPE in TYPES.items():
            for length in LENGTHS:
                sizes = plan(1, 1, length)
                for kernel, variant in VARIANTS:
                    constants = {**variant, "TYPE": TYPE, "BLOCK": sizes.block}
                    yield {
                        "capability": capability,
                        "kernel": kernel.__name__,
                        **variant,
                        "dtype": dtype,
                        "block": sizes.block,
                        "warps": sizes.warps,
                        **compiled(kernel, constants, sizes, capability),
                    }


def _main() -> None:
    date = datetime.date.today().isoformat()
    kernels = list(rows())
    path = ROOT / "benches" / "record" / f"{date}-triton-ahead-of-time.json"
    head = json.dumps({"date": date, "triton": triton.__version__})[1:-1]
    lines = ",\n".join(f"  {json.dumps(row)}" for row in kernels)
    path.write_text(f'{{{head}, "kernels": [\n{lines}\n]}}\n')
    spilled = sum(row["spill_store_bytes"] + row["spill_load_bytes"] > 0 for row in kernels)
    print(f"{path}: {len(kernels)} kernels, {spilled} of them spill")


if __name__ == "__main__":
    _main()
