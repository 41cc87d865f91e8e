"""The command `warplens`, in the extra `cli`."""

import sys


def main() -> None:
    """Run the command; without its extra, say how to get it."""
    try:
        from warplens.cli.commands import warplens
    except ModuleNotFoundError as error:
        missing = (error.name or "warplens").split(".")[0]
        if missing == "warplens":
            raise
        sys.exit(f"The command warplens needs '{missing}', which is not installed: pip install warplens[cli]")
    warplens(prog_name="warplens")
