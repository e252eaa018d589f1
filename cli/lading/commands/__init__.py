"""The command line: one thin module per command, loaded when it is asked for."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence

import click

from lading import __version__
from lading.commands.completing import VARIABLE, answer

COMMANDS = (
    "init",
    "sync",
    "extract",
    "build",
    "test",
    "plan",
    "push",
    "map",
    "status",
    "query",
    "show",
    "ls",
    "compile",
    "docs",
    "debug",
    "import",
    "clean",
    "completion",
    "demo",
)

HELP = """What Claude costs and does, in Port.

Extracts the reports of the Anthropic Admin API into DuckDB, builds the models, maps their rows to
entities and pushes to Port what changed. `sync` does all of it; each step runs alone as well.

Exit codes: 0 done; 1 something failed, and the run says what; 2 the command line, the project's
files or the environment are wrong, and nothing was done.
"""


class Commands(click.Group):
    """The commands by name; a command's module is imported when it is needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands in the order of the work."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """The command called `name`, or None."""
        if name not in COMMANDS:
            return None
        module = importlib.import_module(f"lading.commands.{name}")
        command: click.Command = module.command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that the arguments name; an unknown one with the nearest known."""
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            from lading.errors import nearest

            ctx.fail(f"there is no command '{args[0]}'; {nearest(args[0], COMMANDS)}")
        return super().resolve_command(ctx, args)


@click.group(cls=Commands, help=HELP, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "-C", "--project-dir", metavar="DIR", help="The project's folder [default: this one]."
)
@click.version_option(__version__, "-V", "--version", message="lading %(version)s")
def lading(project_dir: str | None) -> None:
    pass


def invoke(arguments: Sequence[str]) -> int:
    """Run one command line; gives the exit code. No traceback gets out of it."""
    if (asked := os.environ.get(VARIABLE, "")).endswith("_complete"):
        click.echo(answer(lading, asked))
        return 0
    try:
        done = lading.main(args=list(arguments), prog_name="lading", standalone_mode=False)
        return done if isinstance(done, int) else 0
    except click.exceptions.Exit as exit_:
        return exit_.exit_code
    except click.ClickException as error:
        _show_usage(error)
        return 2
    except (KeyboardInterrupt, click.Abort) as stop:
        _show_stopped(stop)
        return 130
    except BrokenPipeError:
        sys.stderr.close()
        return 0
    except OSError as error:
        from lading.commands.output import complain

        complain(f"error: {error.filename or 'a file'}: {error.strerror or error}", code="files")
        return 1
    except Exception as error:  # noqa: BLE001 - the last resort: people get a sentence
        return show_failure(error)


def show_failure(error: Exception) -> int:
    """Tell of what ended a command; gives its exit code."""
    # Imported here: help and a command line that is wrong must not pay for it.
    from lading.commands.output import show_bug, show_problems
    from lading.errors import LadingError

    if isinstance(error, LadingError):
        show_problems(error.problems)
        return error.exit_code
    show_bug(error)
    return 1


def _show_stopped(stop: BaseException) -> None:
    from lading.commands.output import remark
    from lading.pipeline.so_far import Stopped

    # click has its own word for it.
    cause = stop.__cause__ if isinstance(stop, click.Abort) else stop
    if not isinstance(cause, Stopped):
        remark("stopped")
        return
    from lading.commands.report import show_stopped

    show_stopped(cause.so_far)
    remark("stopped; what had landed and what Port had taken is on record")


def _show_usage(error: click.ClickException) -> None:
    from lading import log
    from lading.commands.output import complain

    if log.sink.format != "text":
        complain(error.format_message(), code="usage")
    else:
        error.show()


def main() -> None:
    """The console script."""
    sys.exit(invoke(sys.argv[1:]))
