"""An integration as Port shows it: its mapping, how its resyncs go, what they said and counted.

Port's reference leaves these routes out: what is sent here is what Port's own integrations send.
All of it is told once and briefly: a run does not wait for somebody who only watches.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self
from urllib.parse import quote, urlsplit

from lading import __version__
from lading.errors import NotFoundError, RefusedError
from lading.http import Reply, RetryPolicy, is_loopback
from lading.port.answers import as_object
from lading.port.client import PortClient
from lading.project.model import TYPE

if TYPE_CHECKING:
    from lading.project.model import Connection

BRIEF = RetryPolicy(tries=1, seconds=5.0)
TIMEOUT_SECONDS = 5.0

Status = Literal["running", "completed", "failed", "aborted"]
Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ResyncRequest:
    """A resync that somebody asked for in Port; `updated_at` is by Port's clock, as it wrote it."""

    id: str
    updated_at: str


class Integration:
    """The calls about one integration, with a pace of its own for each address: a server for log
    lines that wants to be left alone is not the one that hears of the state.

    Any call may raise a `ServerError`; none is tried again here.
    """

    def __init__(self, connection: Connection) -> None:
        self._api = PortClient(connection, retry=BRIEF, timeout=TIMEOUT_SECONDS)
        self._logs, self._metrics = (
            PortClient(connection, retry=BRIEF, timeout=TIMEOUT_SECONDS, tokens=self._api.tokens)
            for _ in range(2)
        )
        self._base_url = connection.value("base_url")
        self._path = f"/v1/integration/{quote(self._api.integration, safe='')}"
        self._log_url: str | None = None
        self._metric_url: str | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for each in (self._api, self._logs, self._metrics):
            each.close()

    @property
    def identifier(self) -> str:
        """Its name in Port."""
        return self._api.integration

    def break_off(self) -> None:
        """End requests under way, and make no more."""
        for each in (self._api, self._logs, self._metrics):
            each.break_off()

    def register(self, config: Json) -> bool:
        """Make the integration, with this mapping, if Port has none of its name; give the mapping
        that Port shows otherwise: whether it is this one."""
        try:
            answer = self._api.call("GET", self._path, parse=as_object)
        except NotFoundError:
            answer = self._create(config)
        integration = answer.get("integration")
        found = integration if isinstance(integration, dict) else {}
        self._log_url = _ingest_url(found.get("logAttributes"))
        self._metric_url = _ingest_url(found.get("metricAttributes"))
        return bool(found.get("config") == config)

    def _create(self, config: Json) -> Json:
        body = {
            "installationId": self.identifier,
            "installationAppType": TYPE,
            "version": __version__,
            "changelogDestination": {},
            "config": config,
            "actionsProcessingEnabled": False,
            "incrementalSyncEnabled": False,
            "createPortResourcesOrigin": "Ocean",
        }
        made = self._api.call("POST", "/v1/integration", body, parse=as_object)
        shown = made.get("integration")
        if isinstance(shown, dict) and "logAttributes" in shown:
            return made
        return self._api.call("GET", self._path, parse=as_object)

    def show_mapping(self, config: Json) -> None:
        """Have Port show this mapping, without asking for a resync because of it."""
        headers = {"x-skip-resync": "true"}
        path = f"{self._path}/config"
        self._api.call("PATCH", path, {"config": config}, parse=_nothing, headers=headers)

    def tell_state(self, status: Status, started_at: str, ended_at: str | None = None) -> None:
        """How the resync goes; times are RFC 3339."""
        state = {
            "status": status,
            "lastResyncStart": started_at,
            "lastResyncEnd": ended_at,
            "nextResync": None,
            "intervalInMinuets": None,  # spelt so by Port
        }
        self._api.call("PATCH", f"{self._path}/resync-state", state, parse=_nothing)

    def resync_request(self) -> ResyncRequest | None:
        """The resync that was asked for last, if any; Port goes on giving it when it is done."""
        answer = self._api.call("GET", f"{self._path}/resync-request", parse=as_object)
        asked = answer.get("request")
        if not isinstance(asked, dict) or not asked.get("updatedAt"):
            return None
        return ResyncRequest(str(asked.get("id") or ""), str(asked["updatedAt"]))

    def show_examples(self, kind: str, examples: Sequence[Any]) -> None:
        """Rows of a kind for Port's test of the mapping."""
        path = f"{self._path}/kinds/{quote(kind, safe='')}/examples"
        self._api.call("POST", path, {"examples": list(examples)}, parse=_nothing)

    def send_logs(self, lines: Sequence[Json]) -> None:
        """Log lines for Port to show."""
        url = self._safe(self._log_url, "log lines")
        self._logs.call("POST", url, {"logs": list(lines)}, parse=_nothing)

    def send_metrics(self, documents: Sequence[Json]) -> None:
        """Documents of metrics, each of a kind that is new in its resync."""
        url = self._safe(self._metric_url, "metrics")
        body = {"syncKindsMetrics": list(documents)}
        self._metrics.call("POST", f"{url}/syncMetrics", body, parse=_nothing)

    def change_metrics(self, document: Json) -> None:
        """A document of metrics instead of the one that Port has of its kind and resync."""
        url = self._safe(self._metric_url, "metrics")
        event, kind = (quote(document[key], safe="") for key in ("eventId", "kindIdentifier"))
        path = f"{url}/syncMetrics/resync/{event}/kind/{kind}"
        self._metrics.call("PUT", path, {"syncKindMetrics": document}, parse=_nothing)

    def beat(self, event_id: str) -> None:
        """Say that the resync is still going on; Port takes it for aborted after ten minutes
        without."""
        url = self._safe(self._metric_url, "metrics")
        self._metrics.call("POST", f"{url}/heartbeat", {"eventId": event_id}, parse=_nothing)

    def _safe(self, url: str | None, what: str) -> str:
        """An address that Port gave out, if the token may go there: Port's own integrations send
        it to any; here it leaves the machine in the clear for none.

        Raises:
            RefusedError: there is none, or the token must not be sent there.
        """
        if url is None:
            raise RefusedError(f"Port gives no address for {what}")
        there = urlsplit(url)
        is_local = is_loopback(url) and is_loopback(self._base_url)
        if there.scheme != "https" and not is_local:
            raise RefusedError(
                f"the address that Port gives for {what} would send the token in "
                f"the clear ({there.scheme}://{there.hostname})"
            )
        return url.rstrip("/")


def _ingest_url(attributes: Any) -> str | None:
    url = attributes.get("ingestUrl") if isinstance(attributes, dict) else None
    return url if isinstance(url, str) and url else None


def _nothing(reply: Reply) -> None:
    """What a success says is of no account."""
