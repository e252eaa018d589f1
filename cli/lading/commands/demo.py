"""`lading demo`: the whole job against stand-ins, with no key and no network."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lading.commands.options import Option, logging_options

if TYPE_CHECKING:
    from lading.pipeline.sync import Synced
    from lading.sandbox.anthropic import AnthropicStandIn
    from lading.sandbox.port import PortStandIn

QUERIES = (
    "FROM marts.cost_by_day ORDER BY day DESC LIMIT 5",
    "SELECT model, sum(output_tokens) FROM marts.usage_by_day_and_model GROUP BY ALL",
    "SELECT payload FROM raw.claude_code ORDER BY starting_at DESC LIMIT 1",
)


@click.command("demo", short_help="Do the whole job against stand-ins.")
@click.option(
    "--dir",
    "folder",
    cls=Option,
    type=click.Path(file_okay=False),
    help="Where to put the project [temporary].",
)
@click.option("--serve", cls=Option, is_flag=True, help="Keep the stand-ins running.")
@click.option("--seed", cls=Option, type=int, default=7, help="Which organisation is invented [7].")
@click.option(
    "--fault",
    "faults",
    cls=Option,
    multiple=True,
    metavar="API:KIND[:OPTION=VALUE,…]",
    help="Have a stand-in fail, e.g. anthropic:429:times=3,retry_after=1 or port:207.",
)
@logging_options
def command(
    folder: str | None, serve: bool, seed: int, faults: tuple[str, ...], **options: Any
) -> int:
    """Do the whole job once against an invented organisation: no key, no network.

    Stand-ins for the Admin API and for Port run on this machine, as strict as the real ones. The
    project is laid out in a folder, synced, and synced again with nothing new. It stays there.
    """
    from lading.commands.output import program, say

    root = _laid_out(folder)
    # The clock stands still, so that the second sync has nothing new to find.
    now = datetime.now(UTC)
    with _stand_ins(seed, now) as (anthropic, port):
        _switch_on(faults, anthropic, port)
        say(
            f"An invented organisation (seed {seed}), stand-ins for Anthropic at "
            f"{anthropic.base_url} and for Port at {port.base_url}, a project in {root}"
        )
        say()
        code = _sync(root, _variables(anthropic, port), port, now)
        say("Look at it:")
        for query in QUERIES:
            say(f'  {program()} query -C {root} "{query}"')
        if serve:
            _serve(root, anthropic, port)
    return code


def _laid_out(folder: str | None) -> Path:
    import tempfile

    from lading.starter import lay_out

    root = Path(folder or tempfile.mkdtemp(prefix="lading-demo-")).resolve()
    if not (root / "project.yml").exists():
        lay_out(root)
    return root


@contextmanager
def _stand_ins(seed: int, now: datetime) -> Iterator[tuple[AnthropicStandIn, PortStandIn]]:
    from lading.sandbox.anthropic import AnthropicStandIn
    from lading.sandbox.organisation import Organisation
    from lading.sandbox.port import PortStandIn

    anthropic = AnthropicStandIn(Organisation(seed), now=lambda: now)
    with anthropic, PortStandIn(now=lambda: now) as port:
        yield anthropic, port


def _switch_on(faults: tuple[str, ...], anthropic: AnthropicStandIn, port: PortStandIn) -> None:
    apis = {"anthropic": anthropic.faults, "port": port.faults}
    for text in faults:
        api, _, fault = text.partition(":")
        if api not in apis:
            message = f"'{text}' begins neither with anthropic: nor with port:"
            raise click.BadParameter(message, param_hint="--fault")
        try:
            apis[api].add(apis[api].parse(fault))
        except ValueError as error:
            raise click.BadParameter(str(error), param_hint="--fault") from error


def _variables(anthropic: AnthropicStandIn, port: PortStandIn) -> Mapping[str, str]:
    return {
        "ANTHROPIC_BASE_URL": anthropic.base_url,
        "ANTHROPIC_ADMIN_API_KEY": anthropic.api_key,
        "PORT_BASE_URL": port.base_url,
        "PORT_CLIENT_ID": port.client_id,
        "PORT_CLIENT_SECRET": port.client_secret,
    }


def _sync(root: Path, variables: Mapping[str, str], port: PortStandIn, now: datetime) -> int:
    from collections import Counter

    from lading.commands.output import count, say, table
    from lading.commands.report import show_sync

    first, code = _once(root, variables, now)
    show_sync(first)
    say()
    again, second_code = _once(root, variables, now)
    sent = sum(each.created + each.changed for each in again.pushed.blueprints)
    say(
        f"Once more, with nothing new: {count(again.extraction.http_requests, 'request')} to "
        f"Anthropic, {count(sent, 'entity', 'entities')} to Port."
    )
    held = Counter(blueprint for blueprint, _ in port.entities)
    say(f"Port holds {count(held.total(), 'entity', 'entities')}:")
    say(table(["blueprint", "entities"], sorted(held.items())))
    say()
    return max(code, second_code)


def _once(root: Path, variables: Mapping[str, str], now: datetime) -> tuple[Synced, int]:
    from lading.commands.progress import bars
    from lading.pipeline.context import open_context, working
    from lading.pipeline.sync import sync
    from lading.project.environment import Environment

    context = open_context(
        root,
        environment=Environment(variables),
        now=now,
        needs=("anthropic", "port"),
    )
    with context.jq, bars() as shown, working(context, "demo") as work:
        synced = sync(work, shown)
    return synced, int(work.incomplete)


def _serve(root: Path, anthropic: AnthropicStandIn, port: PortStandIn) -> None:
    import threading

    from lading.commands.output import program

    anthropic.now = port.now = lambda: datetime.now(UTC)
    click.echo("The stand-ins run until Ctrl-C. To use them by hand, in another shell:")
    for name, value in _variables(anthropic, port).items():
        click.echo(f"  export {name}={value}")
    click.echo(f"  {program()} sync -C {root}")
    threading.Event().wait()
