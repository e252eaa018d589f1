"""A project that was synced and has its site, and a browser that looks at it."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from filelock import FileLock
from tests.engine.conftest import Desk

from lading.sandbox.anthropic import AnthropicStandIn
from lading.sandbox.organisation import Organisation
from lading.sandbox.port import PortStandIn

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
]
HELD = "held.json"
EXTRACTS = "extracts: [{group_by: [workspace_id, description], start: '2026-01-15'}]"
# A name is no HTML, and a secret that somebody wrote down is none to show.
PERSON = """
identifier: person
title: Person
description: "<img src=x onerror=alert(1)> </script> key {key}"
schema:
  properties:
    email: {{type: string}}
    called: {{type: string}}
"""
PEOPLE = """
resources:
  - kind: users
    selector: {query: 'true'}
    port:
      entity:
        mappings:
          identifier: .user_id
          title: .name + " <" + .email + ">"
          blueprint: '"person"'
          properties: {email: .email, called: .name}
"""
WHO = """
{{ config(severity='warn') }}
select email, 'of ' || name as of from {{ ref('users') }} limit 2
"""


@dataclass(frozen=True)
class Site:
    """A folder with a site, and the project that it is of."""

    desk: Desk
    folder: Path

    def data(self) -> dict[str, Any]:
        """The parts of the site's data."""
        return {path.stem: read_script(path) for path in self.scripts()}

    def held(self, blueprint: str) -> dict[str, dict[str, Any]]:
        """The properties of entities as Port holds them; numbers that are no integers as texts."""
        found: dict[str, dict[str, Any]] = json.loads((self.desk.root / HELD).read_text("utf-8"))
        return {
            name.partition("/")[2]: each
            for name, each in found.items()
            if name.startswith(f"{blueprint}/")
        }

    def scripts(self) -> list[Path]:
        """The files that hold them."""
        return sorted((self.folder / "data").glob("*.js"))


def read_script(path: Path) -> Any:
    """What a script of data leaves in the page."""
    _, _, text = path.read_text("utf-8").partition(" = window.lading || {data: {}}).data.")
    return json.loads(text.partition(" = ")[2].rstrip().removesuffix(";"))


@dataclass
class Look:
    """A page of the site in a browser, with what it complained of and what it asked others for."""

    page: Page
    complaints: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def at(self, route: str) -> Page:
        """The page at a route, drawn."""
        self.page.evaluate("route => { location.hash = '#/' + route }", route)
        self.page.wait_for_function(
            "route => location.hash === '#/' + route && document.querySelector('main h1')",
            arg=route,
        )
        return self.page

    def heading(self) -> str:
        return self.page.locator("main h1").first.inner_text()


def prepare(desk: Desk) -> None:
    """Have a project ask for three weeks, for cost in detail, and for people as entities."""
    desk.edit("mappings/claude.yml", "2026-01-01", "2026-01-15")
    desk.edit(
        "sources/claude.yml",
        "current_period: excluded",
        f"current_period: excluded\n{' ' * 8}{EXTRACTS}",
    )
    desk.write("mappings/people.yml", PEOPLE)
    desk.write("mappings/blueprints/person.yml", PERSON.format(key=desk.anthropic.api_key))
    desk.write("tests/data/who.sql", WHO)


@pytest.fixture(scope="session")
def site(organisation: Organisation, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The site of a project that has three weeks of everything, and tested it; made once for all
    processes that share the tests, which leave it as it is."""
    own = tmp_path_factory.getbasetemp()
    root = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "site" / "project"
    with AnthropicStandIn(organisation) as anthropic, PortStandIn() as port:
        with FileLock(f"{root.parent}.lock"):
            if not (root / HELD).exists():
                make(Desk.laid_out(root, anthropic, port))
        yield Site(Desk(root, anthropic, port), root / "target/docs")


def make(desk: Desk) -> None:
    """Sync and test a project, and write its site; what Port holds is left beside it."""
    prepare(desk)
    for command in ("sync", "test", "compile"):
        done = desk.run(command)
        assert done.code == 0, done.err
    written = desk.run("docs", "generate")
    assert (written.code, written.out) == (0, f"{desk.root / 'target/docs/index.html'}\n")
    held = {"/".join(key): entity.properties for key, entity in desk.port.entities.items()}
    (desk.root / HELD).write_text(json.dumps(held, default=str), "utf-8")


def chromium() -> str:
    """A Chromium of this machine; a test that needs one is skipped without."""
    names = ("chromium", "chromium-browser", "google-chrome")
    found = next(filter(None, map(shutil.which, names)), None)
    if found is None:
        pytest.skip("there is no Chromium: `apt-get install chromium`, or another way to have one")
    return found


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser without a window."""
    path = chromium()
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield made
        made.close()


Visit = Callable[..., Look]


@pytest.fixture
def visit(browser: Browser) -> Iterator[Visit]:
    """Opens a site's folder as a file; whatever it complained of fails the test at its end."""
    with ExitStack() as closing:
        looks: list[Look] = []

        def opened(folder: Path, route: str = "report", **wishes: Any) -> Look:
            context = browser.new_context(viewport={"width": 1440, "height": 900}, **wishes)
            closing.callback(context.close)
            context.set_default_timeout(10_000)
            look = Look(context.new_page())
            look.page.on(
                "console",
                lambda said: look.complaints.append(f"{said.type}: {said.text}"),
            )
            look.page.on("pageerror", lambda error: look.complaints.append(str(error)))
            look.page.on("request", lambda request: look.asked.append(request.url))
            look.page.goto(f"{(folder / 'index.html').as_uri()}#/{route}")
            look.page.wait_for_selector("main h1")
            looks.append(look)
            return look

        yield opened
        for look in looks:
            assert look.complaints == []
            assert [url for url in look.asked if not url.startswith(("file:", "data:"))] == []
