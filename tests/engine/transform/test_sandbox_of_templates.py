from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from lading import secrets

if TYPE_CHECKING:
    from tests.engine.transform.conftest import LoadGraph

MACROS = {"macros/m.sql": "{% macro cents(x) %}{{ x }}{% endmacro %}"}

ESCAPES = [
    "{{ ''.__class__.__mro__ }}",
    "{{ ref.__globals__ }}",
    "{{ ref.__closure__[0].cell_contents }}",
    "{{ cents.__globals__ }}",
    "{{ cents | attr('__globals__') }}",
    "{{ [cents] | map(attribute='__globals__') | first }}",
    "{{ lipsum.__globals__['os'] }}",
    "{{ cycler.__init__.__globals__ }}",
    "{{ self.__init__.__globals__ }}",
    "{{ self._TemplateReference__context }}",
    "{{ loop.__class__ }}",
    "{{ '{0.__class__}'.format(1) }}",
    "{{ '{a.__class__}'.format_map({'a': 1}) }}",
    "{{ ('%s' | literal).__class__ }}",
    "{{ range(1000000000) | length }}",
    "{{ environment }}",
    "{{ __import__('os') }}",
    "{% include '/etc/passwd' %}",
    "{% import 'os' as os %}",
    "{% set x = namespace() %}{{ x.__class__ }}",
]


@pytest.mark.parametrize("escape", ESCAPES)
def test_no_way_out_of_the_sandbox(escape: str, load: LoadGraph) -> None:
    graph, problems = load({**MACROS, "models/marts/a.sql": f"select 1 as x\n-- {escape}"})
    assert graph.models == {}
    assert [problem.split(": ")[0][:20] for problem in problems] == ["models/marts/a.sql:2"]


def test_the_environment_is_the_projects_alone(
    load: LoadGraph, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(os.environ, "REGION", "from outside")
    graph, _ = load({"models/marts/a.sql": "select '{{ env_var('REGION', 'given') }}' as x"})
    assert graph.models["a"].sql == "select 'given' as x"


@pytest.mark.parametrize(
    "name", ["ANTHROPIC_ADMIN_API_KEY", "port_client_secret", "GITHUB_TOKEN", "PASSWORD_2"]
)
def test_no_secret_comes_in_by_its_variable(name: str, load: LoadGraph) -> None:
    sql = f"select '{{{{ env_var('{name}', 'none') }}}}' as x"
    graph, (problem,) = load({"models/marts/a.sql": sql}, None, {name: "the-value-of-it"})
    assert graph.models == {}
    assert f"{name} is a secret by its name" in problem
    assert "the-value-of-it" not in problem


def test_no_secret_comes_in_by_another_name(
    load: LoadGraph, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(secrets, "_forms", set())
    secrets.register("the-value-of-it")
    sql = "select '{{ env_var('REGION', 'none') }}' as x"
    graph, (problem,) = load({"models/marts/a.sql": sql}, None, {"REGION": "the-value-of-it"})
    assert graph.models == {}
    assert problem.startswith("models/marts/a.sql:1:21: REGION holds a secret")


def test_names_that_only_resemble_a_secrets_are_read(load: LoadGraph) -> None:
    sql = "select '{{ env_var('MONKEY', '') }}{{ env_var('KEYBOARD', '') }}' as x"
    graph, problems = load({"models/marts/a.sql": sql}, None, {"MONKEY": "a", "KEYBOARD": "b"})
    assert problems == []
    assert graph.models["a"].sql == "select 'ab' as x"
