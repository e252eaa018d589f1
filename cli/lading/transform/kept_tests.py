"""Data tests that were compiled in an earlier run, of files that are as they were."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from lading.project.cache import entry_key
from lading.transform.data_test import DataTest
from lading.transform.kept import environment_in, time_in

if TYPE_CHECKING:
    from lading.project.cache import Cache
    from lading.project.model import Project

Tests = tuple[DataTest, ...]


def kept_tests(
    cache: Cache, project: Project, everything: str, run_started_at: str
) -> tuple[DataTest, ...] | None:
    """The data tests as they were compiled of the same files, if they were."""
    return cache.get("tests", _tests_key(project, everything, run_started_at), Tests)


def keep_tests(
    cache: Cache,
    project: Project,
    everything: str,
    run_started_at: str,
    tests: tuple[DataTest, ...],
) -> None:
    """Keep data tests that nothing is wrong with; they are compiled late, so this writes them."""
    bare = tuple(replace(test, wish=None, fragments=()) for test in tests)
    cache.put("tests", _tests_key(project, everything, run_started_at), bare)
    cache.save()


def _tests_key(project: Project, everything: str, run_started_at: str) -> str:
    """Beside what the tests are made of, where they stand: their places are kept with them."""
    documents = (*project.sources, *project.properties)
    written = [repr(document.data) for document in documents]
    texts = "".join([*written, *(file.text for file in (*project.data_tests, *project.macros))])
    return entry_key(
        everything,
        [document.digest for document in documents],
        time_in(texts, run_started_at),
        environment_in(texts, project.environment),
    )
