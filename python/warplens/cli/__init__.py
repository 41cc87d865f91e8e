"""The command `warplens`, in the extra `cli`."""

import io
import sys


def main() -> None:
    """Run the command; without its extra, say how to get it."""
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
