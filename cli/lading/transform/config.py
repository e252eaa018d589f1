"""How a model is made, as its file and its properties say it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import timedelta
from typing import Any, Literal, cast

from lading.errors import UserError, nearest
from lading.project.spans import read_span

Materialization = Literal["view", "table", "incremental", "resource"]
MATERIALIZATIONS = ("view", "table", "incremental")
KEYS = ("materialized", "tags", "unique_key", "time_column", "lookback", "contract", "meta")


@dataclass(frozen=True, slots=True)
class Config:
    """Settings of one model; what is not said is None or empty.

    An incremental model is made again from `lookback` before its last row by `time_column`, or
    has its rows replaced by `unique_key`. A contract holds it to the columns that are declared.
    `meta` is whatever a person wants to find in the manifest, as JSON.
    """

    materialized: Materialization | None = None
    tags: tuple[str, ...] = ()
    unique_key: tuple[str, ...] = ()
    time_column: str | None = None
    lookback: timedelta | None = None
    contract: bool | None = None
    meta: dict[str, Any] = field(default_factory=dict)

    def over(self, other: Config) -> Config:
        """These settings where they say something, else the other's; the tags and the meta of
        both."""
        said = {
            each.name: value
            for each in fields(self)
            if (value := getattr(self, each.name)) not in (None, ())
        }
        tags = tuple(dict.fromkeys((*other.tags, *self.tags)))
        meta = {**other.meta, **self.meta}
        return replace(other, **{**said, "tags": tags, "meta": meta})

    @property
    def is_incremental(self) -> bool:
        """Whether rows that are there may stay when it is made again."""
        return self.materialized == "incremental"


def read_config(settings: Mapping[str, Any]) -> Config:
    """The settings of a `config(…)` or of a `config:`.

    Raises:
        UserError: a key or a value that means nothing.
    """
    for key in settings:
        if key not in KEYS:
            raise UserError(f"config has no key '{key}'", hint=nearest(key, KEYS))
    materialized = settings.get("materialized")
    if materialized is not None and materialized not in MATERIALIZATIONS:
        message = f"a model can't be materialized as '{materialized}'"
        raise UserError(message, hint=nearest(str(materialized), MATERIALIZATIONS))
    time_column = settings.get("time_column")
    if time_column is not None and (not isinstance(time_column, str) or not time_column):
        raise UserError("time_column is the name of a column")
    return Config(
        materialized=cast("Materialization | None", materialized),
        tags=_names("tags", settings.get("tags")),
        unique_key=_names("unique_key", settings.get("unique_key")),
        time_column=time_column,
        lookback=_span(settings.get("lookback")),
        contract=_contract(settings.get("contract")),
        meta=_meta(settings.get("meta")),
    )


def incomplete(config: Config) -> UserError | None:
    """What is missing or too much in settings that are otherwise right."""
    if not config.is_incremental:
        for name in ("unique_key", "time_column", "lookback"):
            if getattr(config, name):
                message = f"{name} is for incremental models, and this is none"
                return UserError(message, hint="say materialized: incremental, or leave it out")
        return None
    if bool(config.unique_key) == bool(config.time_column):
        hint = (
            "time_column: the column that says when; unique_key: the columns that tell rows apart"
        )
        return UserError("an incremental model has either a time_column or a unique_key", hint=hint)
    if config.lookback is not None and config.time_column is None:
        return UserError("a lookback needs a time_column", hint="leave it out with a unique_key")
    return None


def _names(key: str, given: Any) -> tuple[str, ...]:
    names = (given,) if isinstance(given, str) else tuple(given or ())
    if not isinstance(given, str | list | tuple | None) or not all(
        isinstance(name, str) and name for name in names
    ):
        raise UserError(f"{key} are a list of names", hint=f"write config({key}=['…'])")
    return names


def _span(given: Any) -> timedelta | None:
    if given is None:
        return None
    try:
        return read_span(str(given))
    except ValueError as error:
        raise UserError(str(error), hint="write it like 3d or 12h") from error


def _contract(given: Any) -> bool | None:
    if given is None:
        return None
    if given == "enforced":
        return True
    if isinstance(given, Mapping) and isinstance(given.get("enforced"), bool):
        return bool(given["enforced"])
    raise UserError("a contract is enforced, or not there", hint="write contract='enforced'")


def _meta(given: Any) -> dict[str, Any]:
    if not isinstance(given, Mapping | None):
        raise UserError("meta is a mapping", hint="write config(meta={'owner': '…'})")
    try:
        written: dict[str, Any] = json.loads(json.dumps(dict(given or {}), allow_nan=False))
    except (TypeError, ValueError) as error:
        raise UserError(f"meta is not JSON: {error}") from error
    return written
