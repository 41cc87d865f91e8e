"""The group `warplens`.

Exit status: 0 all is well, 1 an item failed or results could not be written, 2 the command was misused,
130 it was interrupted.
"""

from importlib import import_module

import click

from warplens.cli.interruption import InterruptibleGroup

_COMMANDS = ("analyze", "demo", "sweep")


class LateGroup(InterruptibleGroup):
    """A group whose commands are imported when they are asked for: none waits for what others need."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Their names."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of a name, `<name>_command` in the module that is called so."""
        if cmd_name not in _COMMANDS:
            return None
        module = import_module(f"warplens.cli.{cmd_name}")
        command: click.Command = getattr(module, f"{cmd_name}_command")
        return command


@click.group(cls=LateGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="warplens", prog_name="warplens")
def warplens() -> None:
    """Soft dynamic time warping that shows what it teaches.

    `warplens demo` shows what there is to see; `warplens analyze` looks at your own predictions and targets,
    and `warplens sweep` finds the gamma to train with.
    """
