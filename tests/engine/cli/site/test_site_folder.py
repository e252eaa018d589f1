"""The folder of the site: who and what is not named in it, and what it is with half of things."""

from __future__ import annotations

import hashlib
import json
import re
import signal
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
from hypothesis import given
from hypothesis import strategies as st
from tests.engine.cli.site.conftest import Site

import lading.site
from lading import secrets
from lading.secrets import MASK
from lading.site.folder import script
from lading.site.scrub import anonymous, scrubbed

if TYPE_CHECKING:
    from tests.engine.cli.site.conftest import Visit
    from tests.engine.conftest import Desk

VENDOR = Path(lading.site.__file__).parent / "vendor"
# However an @ is written.
ADDRESS = re.compile(r"[\w.+'-]+(?:@|=40|%40)[\w-]+\.\w")
MOST_BYTES = 2_500_000


def test_no_secret_is_in_it(site: Site) -> None:
    everything = b"".join(path.read_bytes() for path in site.folder.rglob("*") if path.is_file())
    environment = site.desk.environment
    for name in ("ANTHROPIC_ADMIN_API_KEY", "PORT_CLIENT_ID", "PORT_CLIENT_SECRET"):
        assert environment[name].encode() not in everything
    # It stood in a blueprint's description, in which it is masked.
    assert f"key {MASK}" in site.data()["project"]["nodes"]["blueprint.person"]["description"]


def test_nobody_is_named_where_that_is_not_wanted(site: Site, tmp_path: Path, visit: Visit) -> None:
    people = site.desk.query("SELECT email, name FROM marts.users")
    named = "".join(path.read_text("utf-8") for path in site.scripts())
    assert ADDRESS.search(named)
    assert any(name in named for _, name in people)

    done = site.desk.run("docs", "generate", "--anonymous", "--out", str(tmp_path / "nameless"))
    assert done.code == 0, done.err
    nameless = Site(site.desk, tmp_path / "nameless")
    for path in nameless.scripts():
        text = path.read_text("utf-8")
        assert ADDRESS.findall(text) == [], path.name
        assert [name for _, name in people if name in text] == [], path.name

    # All else is as it was, and one person has one name, wherever it stands.
    before, after = site.data(), nameless.data()
    assert after["project"]["lineage"] == before["project"]["lineage"]
    assert after["report"]["spend_model"] == before["report"]["spend_model"]
    called = dict(
        zip(
            *(
                [row[0] for row in each["report"]["code_actors"]["rows"]]
                for each in (before, after)
            ),
            strict=True,
        )
    )
    persons = {new for old, new in called.items() if "@" in old}
    assert all(re.fullmatch(r"person-\d+", each) for each in persons)
    assert len(persons) == len([old for old in called if "@" in old]) > 5
    samples = (each["details"]["samples"]["person"]["entity"] for each in (before, after))
    old, new = map(json.loads, samples)
    person = called[old["properties"]["email"]]
    assert new["properties"] == {"email": person, "called": person}
    assert new["title"] == f"{person} <{person}>"
    assert called.get("CI key #1") == "CI key #1"
    look = visit(nameless.folder, "mapping/person")
    assert person in look.page.locator("main").inner_text()


def test_without_a_database_it_is_the_project_and_says_what_to_run(
    desk: Desk, visit: Visit
) -> None:
    done = desk.run("docs", "generate", environment=dict.fromkeys(desk.environment))
    assert done.code == 0, done.err
    assert not desk.database.exists()
    folder = Path(done.out.strip()).parent
    assert not [each for each in folder.rglob("*.js") if str(desk.root) in each.read_text("utf-8")]
    look = visit(folder)
    assert "lading sync" in look.page.locator("main .note").inner_text()
    assert "lading sync" in look.at("runs").locator("main .note").inner_text()
    look.at("lineage")
    assert look.page.evaluate("lading.graph.current().nodes().length") > 40
    page = look.at("mapping/claude_cost_record")
    assert ".results[0].amount_usd" in page.locator("main").inner_text()
    assert "lading plan" in page.locator("main .note").inner_text()


def test_without_some_marts_the_others_are_shown(desk: Desk, visit: Visit) -> None:
    desk.edit("mappings/claude.yml", "2026-01-01", "2026-02-01")
    for name in ("cache_efficiency", "cost_by_workspace_model_token_type"):
        (desk.root / f"models/marts/{name}.sql").unlink()
        _without_properties(desk, name)
    assert desk.run("extract").code == 0
    assert desk.run("build", "usage_by_day", "cost_by_day", "usage_by_day_and_model").code == 0
    done = desk.run("docs", "generate")
    assert done.code == 0, done.err
    look = visit(Path(done.out.strip()).parent)
    said = look.page.locator("main").inner_text()
    assert "the project has no model cache_efficiency" in said
    assert "marts.claude_code_daily has not been made yet – `lading build" not in said
    assert "lading build claude_code_daily" in said
    tokens = look.page.locator("[data-part=tokens]")
    tokens.locator("canvas").first.wait_for()
    tokens.locator("button", has_text="Workspace").click()
    assert "lading build usage_by_day_and_workspace" in tokens.inner_text()


def test_what_was_restated_is_shown_with_both_figures(desk: Desk, visit: Visit) -> None:
    desk.edit("mappings/claude.yml", "2026-01-01", "2026-01-31")
    day = date(2026, 2, 1)
    used = sum(each.output_tokens for each in desk.anthropic.organisation.usage_events(day))
    fetch = ("extract", "--no-control-totals", "--select", "usage_messages")
    assert desk.run(*fetch).code == 0
    desk.anthropic.restate(day, more=1204)
    assert desk.run(*fetch, "--recheck", "6d").code == 0
    assert desk.run("build", "restatements", "usage_by_day").code == 0
    done = desk.run("docs", "generate")
    assert done.code == 0, done.err
    look = visit(Path(done.out.strip()).parent)
    card = look.page.locator("section", has=look.page.locator("h2", has_text="Restatements"))
    row = [cell.inner_text() for cell in card.locator("tbody tr").first.locator("td").all()]
    assert row[1:] == [
        *("usage_messages", "2026-02-01", "model, workspace_id", "output_tokens"),
        *(f"{used:,}", f"{used + 1204:,}", "+1,204"),
    ]


def _without_properties(desk: Desk, name: str) -> None:
    """Take what is written on a model out of the files of properties."""
    for path in (desk.root / "models/marts").glob("*.yml"):
        head, *models = re.split(r"(?m)^(?=  - name: )", path.read_text("utf-8"))
        kept = [each for each in models if not each.startswith(f"  - name: {name}\n")]
        path.write_text(head + "".join(kept), "utf-8")


def test_it_is_served_to_this_machine_until_ctrl_c(site: Site, tmp_path: Path) -> None:
    running = site.desk.start("docs", "serve")
    try:
        assert running.stdout is not None
        address = running.stdout.readline().strip()
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/", address)
        with httpx.Client(trust_env=False) as client:
            assert "<title>lading</title>" in client.get(address).text
            assert client.get(f"{address}data/report.js").status_code == 200
            assert client.get(f"{address}../manifest.json").status_code == 404
            elsewhere = client.get(address, headers={"Host": "rebound.example.com"})
            assert elsewhere.status_code == 421
        taken = str(httpx.URL(address).port)
        done = site.desk.run("docs", "serve", "--port", taken, "--out", str(tmp_path / "site"))
        assert (done.code, done.out) == (2, "")
        assert f"port {taken} of 127.0.0.1 can't be served at: Address already in use" in done.err
        running.send_signal(signal.SIGINT)
        _, said = running.communicate(timeout=20)
    finally:
        running.kill()
    assert running.returncode == 130
    assert "Traceback" not in said


def test_a_folder_with_other_things_is_left_alone(site: Site, tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("mine")
    done = site.desk.run("docs", "generate", "--out", str(tmp_path))
    assert done.code == 2
    assert "has files in it that are no site" in done.err
    assert [path.name for path in tmp_path.iterdir()] == ["index.html"]
    assert (tmp_path / "index.html").read_text() == "mine"


def test_the_same_project_gives_the_same_site(site: Site, tmp_path: Path) -> None:
    for _ in range(2):  # a site may take the place of one
        assert site.desk.run("docs", "generate", "--out", str(tmp_path / "again")).code == 0
    again = Site(site.desk, tmp_path / "again")
    assert [path.read_bytes() for path in again.scripts()] == [
        path.read_bytes() for path in site.scripts()
    ]


def test_libraries_are_those_that_are_pinned_each_with_its_licence() -> None:
    libraries = json.loads((VENDOR / "vendor.json").read_text("utf-8"))["libraries"]
    pinned = {file["file"]: file["sha256"] for each in libraries for file in each["files"]}
    found = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in VENDOR.iterdir()
        if path.name != "vendor.json"
    }
    assert found == pinned
    for each in libraries:
        assert any("LICENSE" in file["file"] for file in each["files"]), each["name"]
    page = VENDOR.parent / "page"
    whole = sum(path.stat().st_size for path in [*VENDOR.rglob("*"), *page.rglob("*")])
    assert whole < MOST_BYTES
    used = re.findall(r'src="vendor/([^"]+)"', (page / "index.html").read_text("utf-8"))
    assert set(used) == {name for name in pinned if name.endswith(".js")}


def test_scripts_of_the_page_are_small_and_make_no_html_of_data() -> None:
    for path in (VENDOR.parent / "page/js").glob("*.js"):
        text = path.read_text("utf-8")
        assert len(text.splitlines()) <= 400, path.name
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write", text)
        assert not re.search(r"\b(eval|fetch|XMLHttpRequest|import)\b *\(", text), path.name


TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


@given(VALUES)
def test_a_script_says_the_data_and_nothing_that_html_reads(value: Any) -> None:
    text = script("part", value)
    assert not re.search("[<>\u2028\u2029]", text)
    assert json.loads(text.partition(".data.part = ")[2].rstrip().removesuffix(";")) == value


@given(st.text("abc\"\\/<&'é\n", min_size=8), TEXTS)
def test_a_secret_is_masked_however_it_is_written(secret: str, around: str) -> None:
    secrets.register(secret)
    text = script("part", {around: [f"{around}{secret}{around}"]})
    assert secret not in str(json.loads(text.partition(".data.part = ")[2].rstrip().rstrip(";")))


ADDRESSES = st.from_regex(r"[a-z][a-z0-9.+']{0,8}@[a-z]{1,6}\.(com|org|co\.uk)", fullmatch=True)


@given(
    st.lists(ADDRESSES, min_size=1, max_size=5, unique_by=str.casefold),
    st.sampled_from(["{}", "org-{}-2026-01-31", "<{}>", "{}, {}", "{}.", '"{}":1', "key of {}"]),
    st.booleans(),
)
def test_no_address_is_left_whether_it_is_known_or_not(
    addresses: list[str], form: str, known: bool
) -> None:
    written = [form.format(*([each] * 2)) for each in addresses]
    escaped = [each.replace("@", "=40") for each in written]
    value = {each: [each.upper()] for each in (*written, *escaped)}
    clean = anonymous(value, [(each, "") for each in addresses] if known else [])
    text = json.dumps(scrubbed(value, clean))
    assert not ADDRESS.search(text)
    if known:
        said = {each: clean(f"ask {each} now") for each in addresses}
        assert len(set(said.values())) == len(addresses)
        assert all(re.fullmatch(r"ask person-\d+ now", each) for each in said.values())
