"""Who and what a synthetic organisation is made of: workspaces, keys, people, models."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Model:
    """A model and its prices, in US dollars per million tokens (invented, of usual size)."""

    name: str
    title: str
    input_price: Decimal
    output_price: Decimal
    knows_inference_geo: bool


@dataclass(frozen=True, slots=True)
class ApiKey:
    id: str
    name: str
    workspace_id: str | None


@dataclass(frozen=True, slots=True)
class Developer:
    """A person who signs in. `subscription_type` is None for one whose work is billed by API."""

    account_id: str
    email: str
    subscription_type: str | None


@dataclass(frozen=True, slots=True)
class Members:
    """`workspace_ids` has None in first place: the default workspace has no id in any report."""

    workspace_ids: tuple[str | None, ...]
    api_keys: tuple[ApiKey, ...]
    service_account_ids: tuple[str, ...]
    models: tuple[Model, ...]
    developers: tuple[Developer, ...]
    code_key_names: tuple[str, ...]

    def keys_of(self, workspace_id: str | None) -> tuple[ApiKey, ...]:
        return tuple(key for key in self.api_keys if key.workspace_id == workspace_id)


def make_members(workspaces: int, models: int, developers: int) -> Members:
    """`workspaces` counts the default one. All three are at least 1 (ValueError)."""
    if min(workspaces, models, developers) < 1:
        raise ValueError("an organisation has at least 1 workspace, 1 model and 1 developer")
    workspace_ids = (None, *(f"wrkspc_sandbox{n:02d}" for n in range(1, workspaces)))
    return Members(
        workspace_ids=workspace_ids,
        api_keys=tuple(_key(n, workspace_ids[n // 2]) for n in range(2 * workspaces)),
        service_account_ids=("svac_sandbox01", "svac_sandbox02"),
        models=tuple(_model(n) for n in range(models)),
        developers=tuple(_developer(n) for n in range(1, developers + 1)),
        code_key_names=tuple(_code_key_name(n) for n in range(2 + developers // 20)),
    )


def _key(n: int, workspace_id: str | None) -> ApiKey:
    return ApiKey(f"apikey_sandbox{n + 1:02d}", f"service key #{n + 1}", workspace_id)


_MODELS = (
    Model("claude-opus-5", "Claude Opus 5", Decimal(5), Decimal(25), True),
    Model("claude-sonnet-5", "Claude Sonnet 5", Decimal(3), Decimal(15), True),
    Model("claude-haiku-4-5-20251001", "Claude Haiku 4.5", Decimal("0.85"), Decimal(5), False),
    Model("claude-sonnet-4-5-20250929", "Claude Sonnet 4.5", Decimal(3), Decimal(15), False),
    Model("claude-opus-4-6", "Claude Opus 4.6", Decimal(5), Decimal(25), True),
    Model("claude-sonnet-4-6", "Claude Sonnet 4.6", Decimal(3), Decimal(15), True),
)


def _model(n: int) -> Model:
    if n < len(_MODELS):
        return _MODELS[n]
    return Model(f"claude-sandbox-{n}", f"Claude Sandbox {n}", Decimal(2), Decimal(10), True)


def _developer(n: int) -> Developer:
    """Some addresses hold what careless SQL, URLs and identifiers stumble over."""
    name = {3: "o'neil.03", 4: "dev+04"}.get(n, f"dev.{n:02d}")
    subscription = (None, "team", "enterprise")[n % 3]
    return Developer(f"user_sandbox{n:02d}", f"{name}@example.com", subscription)


def _code_key_name(n: int) -> str:
    return {2: "release (nightly)", 3: "docs & samples"}.get(n, f"CI key #{n + 1}")
