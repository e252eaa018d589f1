"""`lading completion`: commands, options and names of the project at the press of a key."""

from __future__ import annotations

import click

from lading.commands.completing import SHELLS, script

HELP = """Print the script by which a shell completes commands, options, and the names of models,
resources, streams and targets of the project that the command line names.

To switch it on for good:

\b
  bash   echo 'eval "$(lading completion bash)"' >> ~/.bashrc
  zsh    echo 'eval "$(lading completion zsh)"' >> ~/.zshrc
  fish   lading completion fish > ~/.config/fish/completions/lading.fish
"""


@click.command("completion", help=HELP, short_help="Print what a shell needs to complete names.")
@click.argument("shell", type=click.Choice(SHELLS))
def command(shell: str) -> None:
    program = click.get_current_context().find_root().command
    click.echo(script(program, shell), nl=False)
