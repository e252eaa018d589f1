"""The figures in words, each part printed as soon as it has been measured."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tests.bench import backfill, building, landing, mapping, pushing, startup, whole_sync
from tests.bench.machine import describe
from tests.bench.tables import Row
from tests.bench.tables import megabytes as _megabytes
from tests.bench.tables import table as _table

if TYPE_CHECKING:
    from tests.bench.backfill import Backfill
    from tests.bench.building import Building
    from tests.bench.landing import Landing
    from tests.bench.mapping import Mapping
    from tests.bench.startup import Startup
    from tests.bench.whole_sync import Sync, WholeSync

SYNC = (
    "",
    "s",
    "CPU s",
    "to Anthropic",
    "to Port",
    "peak MB",
    "with workers",
    "entities sent",
)
# Port's own integration on an organisation of the same size, in columns of the same meaning.
OCEAN = ("248", "-", "2,907 in all", "-", "406", "-", "9,101")
OCEAN_DUE = "41,035"


def print_report() -> None:
    """Measure everything; seven to thirteen minutes on two idle cores."""
    began = time.perf_counter()
    _say(f"machine: {describe()}")
    _say("Ratios within this report count; seconds are this machine's at this hour.", "")
    _say(*startup_lines(startup.measure()), "")
    _say(*landing_lines(landing.measure()), "")
    _say(*sync_lines(whole_sync.measure()), "")
    _say(*backfill_lines(backfill.measure()), "")
    _say(*building_lines(building.measure()), "")
    _say(*mapping_lines(mapping.measure()), "")
    _say(*pushing.pushing_lines(pushing.measure()), "")
    _say(f"All of it took {time.perf_counter() - began:.0f} s.")


def startup_lines(found: Startup) -> list[str]:
    empty, empty_cpu = found.seconds["python -c pass"], found.cpu["python -c pass"]
    rows = [
        (
            name,
            f"{1000 * seconds:.0f}",
            f"{seconds / empty:.1f}",
            f"{1000 * found.cpu[name]:.0f}",
            f"{found.cpu[name] / empty_cpu:.1f}",
        )
        for name, seconds in found.seconds.items()
    ]
    imported = f"imports {_names(found.imported)}; of the heavy packages, {_names(found.heavy)}"
    return [
        f"1. Start-up: whole processes, medians of {startup.ROUNDS} interleaved rounds",
        *_table(("", "ms", "ratio", "CPU ms", "ratio"), rows),
        "   Aim: `lading --help` takes at most 6 times as long as an empty interpreter.",
        f"   It {imported}.",
    ]


def landing_lines(found: Landing) -> list[str]:
    ours, theirs = (found.median(way) for way in ("lading", "duckdb"))
    rows = [
        (
            name,
            f"{each.seconds:.2f}",
            f"{each.cpu:.2f}",
            _megabytes(each.peak),
            _megabytes(each.size),
        )
        for name, each in (("DuckDB, one file, one statement", theirs), ("lading", ours))
    ]
    what = f"{found.records:,} Claude Code records of {found.size / found.records:.0f} bytes"
    least, *_, most = found.ratios
    wall = f"{ours.seconds / theirs.seconds:.2f} (rounds {least:.2f} to {most:.2f})"
    cpu = f"{ours.cpu / theirs.cpu:.2f}"
    return [
        f"2. Landing {what} in {found.pages} pages: medians of {landing.ROUNDS} interleaved rounds",
        *_table(("", "s", "CPU s", "peak MB", "database MB"), rows),
        f"   Ratio of seconds {wall}, of CPU seconds {cpu}. Aim: at most 2.",
    ]


def sync_lines(found: WholeSync) -> list[str]:
    size = (
        f"{whole_sync.DAYS} days, {whole_sync.WORKSPACES} workspaces, {whole_sync.MODELS} models, "
        f"{whole_sync.DEVELOPERS} Claude Code users"
    )
    rows = [
        ("first, empty database", *_sync(found.first)),
        ("second, nothing new", *_sync(found.second)),
        ("Port's own, NOT of this run", *OCEAN),
    ]
    beside = f"{found.first.beside:.1f} and {found.second.beside:.1f} CPU seconds"
    return [
        f"3. A whole sync: {size}; one round",
        *_table(SYNC, rows),
        f"   Port holds {found.held:,} entities; the database has {_megabytes(found.database)} MB.",
        f"   The stand-ins took {beside} meanwhile, on the same cores.",
        f"   Port's own integration was measured elsewhere; it keeps {OCEAN[-1]} of {OCEAN_DUE}",
        "   entities. What can be compared, and what can't: tests/bench/README.md.",
    ]


def backfill_lines(found: Backfill) -> list[str]:
    parts, child = found.parts, found.child
    first, last = sum(parts[: len(parts) // 2]), sum(parts[len(parts) // 2 :])
    what = f"{found.records:,} Claude Code records, {backfill.DAYS:,} days; one round"
    took = f"{child.wall:.1f} s, {child.cpu:.1f} CPU s"
    return [
        f"4. A backfill of {what}",
        f"   {took}, peak {_megabytes(child.peaks.alone)} MB. Aim: less than 600 MB.",
        f"   Seconds of each tenth: {' '.join(f'{each:.1f}' for each in parts)}.",
        f"   The second half took {last / first:.2f} times the first's. Aim: about 1.",
    ]


def building_lines(found: Building) -> list[str]:
    few, many = (f"{each.models} models and {each.tests} tests" for each in (found.few, found.many))
    builds = (
        ("script", f"plain script, {few}", ""),
        ("few, all", f"lading build -B, {few}", "2"),
        ("few, cold", "  nothing kept of its files", ""),
        ("few, nothing", "  without -B, nothing to do", "1"),
        ("many, all", f"lading build -B, {many}", "8"),
        ("many, one", "  without -B, one model changed", ""),
        ("many, nothing", "  without -B, nothing to do", ""),
    )
    lists = (("python -c pass", "python -c pass", ""), ("ls", f"lading ls, {many}", "15"))
    head = ("", "ms", "ratio", "aim", "CPU ms", "ratio")
    rows = [
        (
            said,
            f"{1000 * found.seconds(way):.0f}",
            f"{found.seconds(way) / found.seconds(ways[0][0]):.2f}",
            aim,
            f"{1000 * found.cpu(way):.0f}",
            f"{found.cpu(way) / found.cpu(ways[0][0]):.2f}",
        )
        for ways in (builds, lists)
        for way, said, aim in ways
    ]
    return [
        f"5. Builds: whole processes, medians of {building.ROUNDS} interleaved rounds",
        *_table(head, rows[: len(builds)]),
        "",
        *_table(head, rows[len(builds) :]),
        f"   Of the heavy packages, `lading ls` imports {_names(found.heavy_of_ls)}.",
    ]


def mapping_lines(found: Mapping) -> list[str]:
    hand = f"{found.jq}, a program by hand" if found.jq else ""
    ways = (
        ("call", "one call per expression, reckoned up", ""),
        ("jq", hand, ""),
        ("core", "lading, 1 worker, on one core", "1"),
        ("fused-1", "lading, 1 worker", ""),
        ("fused-2", "lading, 2 workers", "below 1"),
    )
    rows = [
        (
            said,
            f"{found.seconds[way]:.1f}",
            f"{found.seconds[way] / found.seconds['jq']:.2f}" if found.jq else "-",
            aim,
            f"{found.cpu[way]:.1f}",
            f"{found.cpu['call'] / found.cpu[way]:.1f}",
            *(_megabytes(each[way].alone) if way in each else "" for each in peaks),
            *(_megabytes(each[way].with_children) if way in each else "" for each in peaks),
        )
        for peaks in ((found.few, found.many),)
        for way, said, aim in ways
        if way in found.seconds
    ]
    head = ("", "s", "to jq's", "aim", "CPU s", "faster", "peak MB", "of 10 x", "all MB", "of 10 x")
    call, fused = found.seconds["call"], found.seconds["fused-2"]
    what = f"{mapping.ROWS:,} Claude Code rows through the default mapping"
    note = () if found.jq else ("   There is no command jq here to compare with.",)
    return [
        f"6. Mappings: {what}; medians of {mapping.ROUNDS} interleaved rounds",
        *_table(head, rows),
        f"   One call per expression takes {call / fused:.1f} times as long as 2 workers. Aim: 15.",
        *note,
    ]


def _sync(sync: Sync) -> Row:
    child = sync.child
    return (
        f"{child.wall:.1f}",
        f"{child.cpu:.1f}",
        f"{sync.pages:,}",
        f"{sync.posts:,}",
        _megabytes(child.peaks.alone),
        _megabytes(child.peaks.with_children),
        f"{sync.sent:,}",
    )


def _names(names: Sequence[str]) -> str:
    return ", ".join(names) or "none"


def _say(*lines: str) -> None:
    for line in lines:
        print(line.rstrip(), flush=True)
