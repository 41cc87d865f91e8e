"""Where the command `warplens` starts: a package of its own, since `warplens` itself imports NumPy.

NumPy takes threads for its linear algebra when it is imported. The command has nothing for them to do, and a
process of a single thread can be copied, which is how its workers begin soonest.
"""

import io
import os
import sys


def main() -> None:
    """Run the command; without its extra, say how to get it."""
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    try:
        import rich  # noqa: F401  # asked for here, used where something is drawn

        from warplens.cli.commands import warplens
    except ModuleNotFoundError as error:
        missing = (error.name or "warplens").split(".")[0]
        if missing == "warplens":
            raise
        sys.exit(f"The command warplens needs '{missing}', which is not installed: pip install warplens[cli]")
    if isinstance(sys.stdout, io.TextIOWrapper):
        # As stderr has it: a name that the encoding of a terminal lacks ends no run.
        sys.stdout.reconfigure(errors="backslashreplace")
    warplens(prog_name="warplens")
