"""Entry point of the command `warplens`: a package of its own, since `warplens` itself imports NumPy.

NumPy starts threads for its linear algebra when it is imported. The command has nothing for them to do, and a
process of a single thread can be forked, which is how workers start soonest.
"""

import io
import os
import sys
from importlib.util import find_spec


def main() -> None:
    """Run the command; without its extra, print how to install it."""
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    for needed in ("click", "rich", "jinja2", "PIL", "xxhash"):
        if find_spec(needed) is None:
            sys.exit(
                f"The command warplens needs '{needed}', which is not installed: pip install warplens[cli]"
            )
    from warplens.cli.commands import warplens

    if isinstance(sys.stdout, io.TextIOWrapper):
        # As stderr has it: a name that the encoding of a terminal lacks ends no run.
        sys.stdout.reconfigure(errors="backslashreplace")
    warplens(prog_name="warplens")
