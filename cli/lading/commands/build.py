"""`lading build`: make what is stale of the models, and test it."""

from __future__ import annotations

from typing import Any

import click

from lading.commands import completing
from lading.commands.choice import choice_options, read_choice
from lading.commands.options import Option, project_options


@click.command("build", short_help="Make what is stale of the models, and test it.")
@click.argument("targets", metavar="[TARGET]...", nargs=-1, shell_complete=completing.nodes)
@click.option("-n", "--dry-run", cls=Option, is_flag=True, help="Print what would be made and why.")
@click.option("--question", cls=Option, is_flag=True, help="Only ask: 0 up to date, 1 stale.")
@click.option("-B", "--always-make", cls=Option, is_flag=True, help="Make what is up to date, too.")
@click.option(
    "-f",
    "--full-refresh",
    cls=Option,
    is_flag=True,
    help="Make incremental models anew, with all of their rows.",
)
@click.option(
    "-k/-x",
    "--keep-going/--fail-fast",
    "keep_going",
    cls=Option,
    default=True,
    help="After a failure go on with what does not depend on it, or stop [go on].",
)
@click.option(
    "-j",
    "--threads",
    "jobs",
    cls=Option,
    type=click.IntRange(1, 64),
    metavar="N",
    help="How many models at once [the target's threads].",
)
@click.option("--junit", cls=Option, metavar="FILE", help="Write the tests' results as JUnit XML.")
@choice_options
@project_options
def command(
    targets: tuple[str, ...],
    dry_run: bool,
    question: bool,
    junit: str | None,
    **options: Any,
) -> int:
    """Make what is stale of the models, each after what it reads, and run their tests.

    A TARGET (a model, a mapping's resource, anything that --select takes) brings all that it
    needs; without one, all models are meant. --select means only what it names. What is up to
    date is not made again: a model is stale when its SQL, its settings, or what it reads changed.

    A model is tested before it takes the place of the last good one. One that fails leaves that
    in place, and what depends on it is left out. The SQL as DuckDB gets it is left in
    target/compiled/. No key is needed.
    """
    from contextlib import nullcontext

    from lading.commands.built import show_build, show_build_plan, show_done
    from lading.commands.progress import bars
    from lading.commands.project import open_project
    from lading.pipeline.artifacts import reporting, write_results
    from lading.pipeline.building import build, is_due, plan_build, up_to_date
    from lading.pipeline.context import working

    choice = read_choice(options)
    force, full_refresh = options.pop("always_make"), options.pop("full_refresh")
    ways = {"keep_going": options.pop("keep_going"), "jobs": options.pop("jobs")}
    context = open_project(options)
    wish = choice.wish(context, targets, force=force, full_refresh=full_refresh, **ways)
    # What is made in any case needs no look at the database beforehand.
    certain = force and not (dry_run or question)
    with nullcontext() if dry_run or question else reporting(context, "build"):
        planned = () if certain else plan_build(context, wish)
    due = certain or any(is_due(each.step) for each in planned)
    if dry_run or question:
        if dry_run:
            show_build_plan(planned)
        return int(question and due)
    if not due:
        nodes = up_to_date([each.step for each in planned])
    else:
        run = working(context, "build", held=True)
        with reporting(context, "build"), bars() as shown, run as work:
            nodes = build(work, shown, wish)
    write_results(context, "build", nodes, junit)
    show_build(nodes)
    show_done(nodes)
    return int(any(not each.is_good for each in nodes))
