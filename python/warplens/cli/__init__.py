"""The command `warplens`, in the extra `cli`."""

import sys


def main() -> None:
    """Run the command; without its extra, say how to get it."""
    try:
        from warplens.cli.commands import warplens
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] == "warplens":
            raise
        sys.exit(
            f"The command warplens needs '{error.name}', which is not installed: pip install warplens[cli]"
        )
    warplens()
