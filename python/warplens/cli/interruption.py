"""What Ctrl-C does to a command."""

from typing import Any

import click

STATUS = 130
"""As shells have it."""


class InterruptibleGroup(click.Group):
    """A command of commands that Ctrl-C ends with a sentence and status 130."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            click.echo("\nInterrupted; the same command goes on from here.", err=True)
            ctx.exit(STATUS)
