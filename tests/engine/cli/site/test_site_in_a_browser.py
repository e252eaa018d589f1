"""The site as somebody sees it: everything draws, every link leads, every figure is right."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Locator
    from tests.engine.cli.conftest import Reckoning
    from tests.engine.cli.site.conftest import Look, Site, Visit

FIRST = datetime.fromisoformat("2026-01-15T00:00:00+00:00")
# The sync is of 5 February, 15:30. Days that were over three days before are final.
LAST, LAST_FINAL = date(2026, 2, 5), date(2026, 2, 1)
PAGES = ("report", "lineage", "catalogue", "runs")
GRAPH = "lading.graph.current()"


def manifest(site: Site) -> dict[str, Any]:
    """The manifest that commands leave beside the site."""
    path = site.folder.parent / "manifest.json"
    found: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return found


def drawn_nodes(manifest: Mapping[str, Any]) -> dict[str, list[str]]:
    """What the graph has to have, with what each of it reads: all but tests, and blueprints."""
    nodes = manifest["nodes"]
    shown = {n for n in nodes if n.split(".")[0] in {"source", "model", "mapping"}}
    drawn = {n: [p for p in nodes[n]["depends_on"] if p in shown] for n in shown}
    for name in sorted(shown):
        if blueprint := nodes[name].get("blueprint"):
            drawn.setdefault(f"blueprint.{blueprint}", []).append(name)
    return drawn


def route_of(node: Mapping[str, Any]) -> str:
    return f"{node['resource_type']}/{quote(node['name'], safe='')}"


def rows_of(table: Locator) -> list[list[str]]:
    """A table's cells as somebody reads them."""
    rows: list[list[str]] = table.locator("tbody tr").evaluate_all(
        "rows => rows.map(row => [...row.cells].map(cell => cell.textContent))"
    )
    return rows


def behind(look: Look, part: str, number: int = 0) -> list[list[str]]:
    """The table behind a chart of the report."""
    more = look.page.locator(f"[data-part={part}] details.more").nth(number)
    more.locator("summary").click()
    more.locator("table").wait_for()
    return rows_of(more)


def press(look: Look, part: str, text: str) -> None:
    look.page.locator(
        f"[data-part={part}] .choice button", has_text=re.compile(f"^{text}$")
    ).click()


def days_back(last: date, first: date) -> Iterable[date]:
    return (last - timedelta(days=n) for n in range((last - first).days + 1))


def dollars(amount: Decimal) -> str:
    """All digits of it, and two at least."""
    whole, _, rest = f"{abs(amount):,f}".partition(".")
    sign = "−" if amount < 0 else ""
    return f"{sign}${whole}.{rest.rstrip('0').ljust(2, '0')}"


# Goes to each route in the page itself, and tells what came of it.
WALK = """
async routes => {
    const seen = {};
    for (const route of routes) {
        const moved = new Promise(done => addEventListener("hashchange", done, { once: true }));
        location.hash = "#/" + route;
        await moved;
        const all = selector => [...document.querySelectorAll("main " + selector)];
        seen[route] = {
            heading: document.querySelector("main h1").textContent,
            title: document.title,
            links: all("a[href]").map(link => link.getAttribute("href")),
            columns: all("[id^=column-]").map(each => each.id.slice("column-".length)),
        };
    }
    return seen;
}
"""


def test_each_page_is_there_and_each_link_leads_where_it_says(site: Site, visit: Visit) -> None:
    look = visit(site.folder, "nowhere")
    assert look.heading() == "There is no such page"
    nodes = site.data()["project"]["nodes"]
    graph = {name for name, node in nodes.items() if "test" not in node["resource_type"]}
    routes = {name: route_of(node) for name, node in nodes.items()}
    # Pages of tests are all alike, and there are hundreds.
    walked = [routes[name] for name in [*graph, *sorted(nodes.keys() - graph)[::20]]]
    seen = look.page.evaluate(WALK, [*PAGES, *walked])
    assert "There is no such page" not in {each["heading"] for each in seen.values()}
    assert {look.page.title()} < {each["title"] for each in seen.values()}
    for name in graph:
        assert seen[routes[name]]["title"].startswith(f"{nodes[name]['name']} ")
    focused = set()
    for link in {link for each in seen.values() for link in each["links"]}:
        route, _, query = link.removeprefix("#/").partition("?")
        assert route in {*PAGES, *routes.values()}, link
        wishes = dict(parse_qsl(query))
        if route == "lineage" and query:
            focused.add(wishes["focus"])
        if "column" in wishes:
            page = routes[wishes["focus"]] if route == "lineage" else route
            assert wishes["column"] in seen[page]["columns"], link
    assert focused == graph


def test_a_page_tells_what_its_node_is(site: Site, visit: Visit) -> None:
    look = visit(site.folder, "model/cost_by_day")
    said = look.page.locator("main").inner_text()
    written = manifest(site)["nodes"]["model.cost_by_day"]
    assert written["description"][:60] in " ".join(said.split())
    for column in written["columns"]:
        assert column["name"] in said
        assert column["description"] in " ".join(said.split())
    compiled = site.folder.parent / "compiled/models/marts/cost_by_day.sql"
    assert (
        look.page.locator(".code pre").first.inner_text().strip()
        == compiled.read_text("utf-8").strip()
    )
    unit = look.page.locator("tr", has_text="cents_become_dollars_to_the_last_decimal")
    assert "pass" in unit.inner_text()
    # The test that warns has what it found on its page.
    look.at("test/who")
    assert "warn" in look.page.locator("main .heading").inner_text()
    assert "example.com" in look.page.locator("pre.said").inner_text()


@pytest.mark.parametrize("blueprint", ["claude_cost_record", "claude_code_analytics"])
def test_an_entity_is_shown_as_port_has_it(site: Site, visit: Visit, blueprint: str) -> None:
    look = visit(site.folder, f"blueprint/{blueprint}")
    sample = look.page.locator("section", has_text="Sample entity").locator("pre").inner_text()
    shown = json.loads(sample, parse_float=str)  # every digit
    assert shown["properties"] == site.held(blueprint)[shown["identifier"]]
    row = look.page.locator("tr", has=look.page.locator("[id='column-record_date']"))
    assert f"{blueprint} properties.record_date" in row.inner_text()


def test_what_data_says_is_never_read_as_html(site: Site, visit: Visit) -> None:
    look = visit(site.folder, "blueprint/person")
    assert "<img src=x onerror=alert(1)> </script>" in look.page.locator("main .prose").inner_text()
    assert look.page.locator("main img").count() == 0
    assert "dev.12@example.com" in look.page.locator("main").inner_text()


def test_the_graph_has_every_node_and_a_click_shows_kin(site: Site, visit: Visit) -> None:
    drawn = drawn_nodes(manifest(site))
    look = visit(site.folder, "lineage")
    ids = look.page.evaluate(f"{GRAPH}.nodes().map(node => node.id())")
    assert sorted(ids) == sorted(drawn)
    edges = look.page.evaluate(f"{GRAPH}.edges().map(e => [e.source().id(), e.target().id()])")
    assert sorted(map(tuple, edges)) == sorted((p, n) for n in drawn for p in drawn[n])
    places = look.page.evaluate(
        f"{GRAPH}.nodes().map(n => [n.position('x'), n.position('y')].join())"
    )
    assert len(set(places)) == len(drawn)

    chosen = "model.usage_by_day_and_model"
    box = look.page.locator(".drawing").bounding_box()
    at = look.page.evaluate(f"{GRAPH}.getElementById('{chosen}').renderedPosition()")
    assert box is not None
    look.page.mouse.click(box["x"] + at["x"], box["y"] + at["y"])
    panel = look.page.locator("aside.panel")
    panel.get_by_text("Open page").wait_for()
    assert panel.locator("h2").inner_text() == "usage_by_day_and_model"
    kin = look.page.evaluate(f"{GRAPH}.nodes().not('.away').map(node => node.id())")
    assert set(kin) == {
        *("model.cache_efficiency", chosen, "model.usage_buckets", "model.usage_results"),
        "source.claude_platform.usage_messages",
    }
    panel.get_by_text("Open page").click()
    look.page.locator("main h1", has_text=re.compile("^usage_by_day_and_model$")).wait_for()
    assert look.page.url.endswith("#/model/usage_by_day_and_model")


def test_a_property_has_its_way_from_the_report(site: Site, visit: Visit) -> None:
    look = visit(site.folder, "lineage?focus=blueprint.claude_model_usage")
    panel = look.page.locator("aside.panel")
    panel.locator(".columns button", has_text=re.compile("^output_tokens")).click()
    panel.locator(".way").wait_for()
    assert rows_text(panel.locator(".way li")) == [
        ("claude_platform.usage_messages", "payload.results[].output_tokens"),
        ("usage_results", "output_tokens"),
        ("claude_model_usage", "properties.output_tokens"),
        ("claude_model_usage", "output_tokens"),
    ]
    lit = look.page.evaluate(f"{GRAPH}.nodes().not('.gone').map(node => node.id())")
    assert set(lit) == {
        "source.claude_platform.usage_messages",
        "model.usage_results",
        "model.claude-usage-record",
        "mapping.claude_model_usage",
        "blueprint.claude_model_usage",
    }
    assert look.page.url.endswith(
        "#/lineage?focus=blueprint.claude_model_usage&column=output_tokens"
    )


def rows_text(items: Locator) -> list[tuple[str, ...]]:
    return [tuple(each.split("\n")) for each in items.all_inner_texts()]


def test_search_finds_by_key_and_by_click(site: Site, visit: Visit) -> None:
    look = visit(site.folder)
    look.page.keyboard.press("/")
    look.page.keyboard.type("cache effic")
    look.page.locator(".hits li").first.wait_for()
    look.page.keyboard.press("Enter")
    look.page.locator("main h1", has_text=re.compile("^cache_efficiency$")).wait_for()
    assert look.page.url.endswith("#/model/cache_efficiency")
    look.page.locator(".side .ask").click()
    look.page.keyboard.type("amount_usd")
    hit = look.page.locator(".hits a", has_text="cost_by_day.amount_usd").first
    hit.click()
    assert "amount_usd" in look.page.locator("tr.meant").inner_text()
    assert look.page.url.endswith("#/model/cost_by_day?column=amount_usd")
    look.page.keyboard.press("/")
    look.page.keyboard.type("who")
    look.page.locator(".hits a", has_text="who").first.wait_for()
    look.page.keyboard.press("Escape")
    assert look.page.locator(".search").count() == 0


def test_spend_is_what_was_billed(site: Site, visit: Visit, reckoning: Reckoning) -> None:
    lines = {
        day: reckoning.organisation.cost_lines(day)
        for day in days_back(LAST - timedelta(days=1), FIRST.date())
    }
    by_day = {
        day: sum((each.amount for each in bill), Decimal()) / 100 for day, bill in lines.items()
    }
    look = visit(site.folder)
    press(look, "spend", "In all")
    assert behind(look, "spend") == [
        [
            f"{day}",
            dollars(by_day[day]) if day in by_day else "not landed",
            "final" if day <= LAST_FINAL else "not yet",
        ]
        for day in days_back(LAST, FIRST.date())
    ]
    tile = look.page.locator(".tile", has_text="Spend").locator(".exact")
    assert tile.inner_text() == dollars(sum(by_day.values(), Decimal()))

    models: dict[str, Decimal] = defaultdict(Decimal)
    for bill in lines.values():
        for each in bill:
            models[each.model or each.cost_type] += each.amount / 100
    press(look, "spend", "Model")
    shown = look.page.locator("[data-part=spend] .keyed li").all_inner_texts()
    names = {
        "web_search": "web search",
        "code_execution": "code execution",
        "session_usage": "sessions",
    }
    assert {
        tuple(each.rsplit("\n", 1)) if "\n" in each else tuple(each.rsplit(" ", 1))
        for each in map(str.strip, shown)
    } == {(names.get(name, name), dollars(amount)) for name, amount in models.items()}


def test_movers_compare_two_weeks_of_final_days(
    site: Site, visit: Visit, reckoning: Reckoning
) -> None:
    def spent(last: date) -> dict[str, Decimal]:
        sums: dict[str, Decimal] = defaultdict(Decimal)
        for day in days_back(last, last - timedelta(days=6)):
            for line in reckoning.organisation.cost_lines(day):
                sums[line.workspace_id or "default"] += line.amount / 100
        return sums

    now, before = spent(LAST_FINAL), spent(LAST_FINAL - timedelta(days=7))
    names = dict(site.desk.query("SELECT workspace_id, name FROM marts.workspaces"))
    expected = sorted(now.keys() | before.keys(), key=lambda each: -abs(now[each] - before[each]))
    look = visit(site.folder)
    rows = rows_of(look.page.locator("[data-part=movers] table"))
    assert [row[0] for row in rows] == [names[each] for each in expected]
    for row, each in zip(rows, expected, strict=True):
        moved = now[each] - before[each]
        assert row[1:3] == [dollars(now[each]), dollars(before[each])]
        assert row[3].removeprefix("+") == dollars(moved)
        if before[each]:
            assert row[4].lstrip("+").replace("−", "-") == f"{moved / before[each] * 100:.1f}%"


def test_tokens_and_the_cache_are_what_was_used(
    site: Site, visit: Visit, reckoning: Reckoning
) -> None:
    used = reckoning.usage(site.desk.now, ["model"], first=FIRST)
    look = visit(site.folder)
    press(look, "tokens", "In all")
    by_day: dict[date, int] = defaultdict(int)
    for (day, _), counts in used.items():
        by_day[day.date()] += sum(n for name, n in counts.items() if name.endswith("tokens"))
    assert [row[:2] for row in behind(look, "tokens")] == [
        [f"{day}", f"{by_day[day]:,}"] for day in days_back(LAST, FIRST.date())
    ]
    rows = {(row[0], row[1]): row[2:] for row in behind(look, "cache")}
    assert rows.keys() == {(f"{day:%Y-%m-%d}", model or "unknown") for day, model in used}
    for (day, model), counts in used.items():
        read = counts["cache_read_input_tokens"]
        written = counts["cache_creation_5m_tokens"] + counts["cache_creation_1h_tokens"]
        whole = read + written + counts["uncached_input_tokens"]
        share = f"{read / whole * 100:.1f}%" if whole else "–"
        assert rows[f"{day:%Y-%m-%d}", model or "unknown"] == [
            *map("{:,}".format, (read, written, whole)),
            share,
        ]


def test_claude_code_did_what_its_actors_did(
    site: Site, visit: Visit, reckoning: Reckoning
) -> None:
    names = ("num_sessions", "lines_added", "lines_removed", "commits", "pull_requests")
    sums: dict[date, list[int]] = defaultdict(lambda: [0] * (len(names) + 1))
    for (day, _), did in reckoning.code(site.desk.now, first=FIRST).items():
        for n, count in enumerate((1, *(did[name] for name in names))):
            sums[day][n] += count
    look = visit(site.folder)
    rows = {row[0]: row[1 : len(names) + 2] for row in behind(look, "code")}
    assert rows == {f"{day}": [f"{n:,}" for n in counts] for day, counts in sums.items()}


def test_ranges_are_links_and_charts_tell_the_exact_figure(
    site: Site, visit: Visit, reckoning: Reckoning
) -> None:
    look = visit(site.folder, "report?range=90", color_scheme="dark")
    assert look.page.evaluate("document.documentElement.dataset.theme") == "dark"
    pressed = look.page.locator(".heading .choice button[aria-pressed=true]")
    assert pressed.inner_text() == "90 days"
    look.page.locator(".heading .choice button", has_text="All").click()
    assert look.page.url.endswith("#/report?range=all")
    press(look, "spend", "In all")
    chart = look.page.locator("[data-part=spend] .chart")
    chart.locator("canvas").first.wait_for()
    look.page.wait_for_timeout(500)
    box = chart.bounding_box()
    assert box is not None
    look.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    tip = look.page.locator(".tip")
    tip.wait_for()
    day = (
        datetime.strptime(tip.locator("b").inner_text(), "%d %b %Y")
        .replace(tzinfo=FIRST.tzinfo)
        .date()
    )
    billed = sum((line.amount for line in reckoning.organisation.cost_lines(day)), Decimal()) / 100
    assert dollars(billed) in tip.inner_text()
    look.page.locator("[aria-label='Light or dark']").click()
    assert look.page.evaluate("document.documentElement.dataset.theme") == "light"


@pytest.mark.parametrize("width", [390, 1440])
def test_no_page_is_wider_than_the_window(site: Site, visit: Visit, width: int) -> None:
    look = visit(site.folder)
    look.page.set_viewport_size({"width": width, "height": 844})
    for route in (*PAGES, "model/usage", "mapping/claude_code_analytics", "test/who"):
        look.at(route)
        assert look.page.evaluate("document.documentElement.scrollWidth") <= width, route


def test_figures_are_added_up_exactly(site: Site, visit: Visit) -> None:
    look = visit(site.folder)
    figures = [
        "0.1",
        "0.2",
        "-0.00000000000000000003",
        "98765432109876543210.123456789012345678",
        "7",
    ]
    total = look.page.evaluate(
        "texts => lading.exact.text(lading.exact.sum(texts.map(lading.exact.exact)))", figures
    )
    assert total == "98765432109876543217.42345678901234567797"
    # What a day's parts leave of its total is a part of its own, and a day that is not there none.
    rest = look.page.evaluate(
        """() => {
            const total = {rows: [["2026-01-01", "total", "1.1"], ["2026-01-03", "total", "2"]]};
            const parts = {rows: [["2026-01-01", "a", "0.4"], ["2026-01-03", "b", "2"]]};
            const made = lading.series.seriesOf(total, parts);
            const text = value => value === null ? null : lading.exact.text(value);
            return made.days.map(day => made.keys.map(key => text(made.at(day, key))));
        }"""
    )
    assert rest == [["0", "0.4", "0.7"], [None] * 3, ["2", "0", "0"]]
    assert look.at("report?range=never").locator("main .tile").count() == 4
