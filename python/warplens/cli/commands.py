"""The group of commands `warplens`; `output` tells the exit status."""

from importlib import import_module

import click

from warplens.cli.output import InterruptibleGroup

_COMMANDS = ("analyze", "compare", "demo", "sweep")


class LateGroup(InterruptibleGroup):
    """A group that imports a command when it is called: none waits for the imports of others."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the commands."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command by name: `<name>_command` in the module `<name>`."""
        if cmd_name not in _COMMANDS:
            return None
        module = import_module(f"warplens.cli.{cmd_name}")
        command: click.Command = getattr(module, f"{cmd_name}_command")
        return command


@click.group(cls=LateGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="warplens", prog_name="warplens")
def warplens() -> None:
    """Soft dynamic time warping that shows what it teaches.

    `warplens demo` shows an example; `warplens analyze` analyzes your own predictions and targets, and
    `warplens sweep` finds the gamma to train with. `warplens compare` shows what one run keeps that another
    loses.
    """
