"""The HTTP side of a stand-in: a threaded server on 127.0.0.1 that calls one handler function."""

from __future__ import annotations

import json
import os
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from email.utils import formatdate
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl

from lading.sandbox.faults import Fault, Faults

_REASONS = {status.value: status.phrase for status in HTTPStatus}
_SHUTDOWN_POLL_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it came.

    path     still percent-encoded, without the query
    query    decoded pairs in order, those with empty values included
    headers  by lower-case name
    fault    a fault that the handler has to carry out itself (one of its own kinds), if any
    """

    method: str
    path: str
    query: tuple[tuple[str, str], ...]
    headers: Mapping[str, str]
    body: bytes
    fault: Fault | None = None


@dataclass(frozen=True, slots=True)
class Response:
    status: int
    body: bytes
    headers: Mapping[str, str]


def json_response(status: int, data: Any, headers: Mapping[str, str] | None = None) -> Response:
    """A response with `data` as JSON; bytes are taken for JSON that is encoded already."""
    body = data if isinstance(data, bytes) else json.dumps(data, separators=(",", ":")).encode()
    return Response(status, body, {"content-type": "application/json", **(headers or {})})


ErrorResponse = Callable[[int, "float | None"], Response]


def plain_error(status: int, reset: float | None = None) -> Response:
    """The error of a stand-in that has no envelope of its own."""
    return json_response(status, {"error": _REASONS.get(status, "error")})


class StandIn:
    """A server on a free port of 127.0.0.1 that answers by `handle`, or by a fault.

    handle          called in many threads at once; an exception in it is answered with a 500 that
                    names it, and kept in `failures`
    faults          asked before each request is handled
    error_response  the API's own error for (status, seconds until the rate limit resets or None);
                    used for the status faults
    requests        every request received, in order of arrival
    """

    def __init__(
        self,
        name: str,
        handle: Callable[[Request], Response],
        faults: Faults,
        port: int = 0,
        error_response: ErrorResponse = plain_error,
    ) -> None:
        self.name = name
        self.handle = handle
        self.faults = faults
        self.error_response = error_response
        self.requests: list[Request] = []
        self.failures: list[BaseException] = []
        self._server = _Server(("127.0.0.1", port), self)
        self.base_url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._serve, name=f"{name} stand-in", daemon=True)

    def start(self) -> Self:
        self._thread.start()
        return self

    def stop(self) -> None:
        """Refuse new connections and break the open ones. A second call does nothing."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()
        self._server.break_connections()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def answer(self, request: Request) -> Response:
        """What `handle` says, or a 500 that tells of the bug in it."""
        try:
            return self.handle(request)
        except Exception as bug:  # noqa: BLE001 (kept and shown to whoever asked)
            self.failures.append(bug)
            return json_response(500, {"stand_in_bug": repr(bug), "path": request.path})

    def _serve(self) -> None:
        self._server.serve_forever(_SHUTDOWN_POLL_SECONDS)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], stand_in: StandIn) -> None:
        self.stand_in = stand_in
        self._open: set[socket.socket] = set()
        self._open_lock = threading.Lock()
        super().__init__(address, _Connection)

    def server_bind(self) -> None:
        # HTTPServer's own looks the host's name up, which can take seconds without a network.
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = "127.0.0.1", self.server_address[1]

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._open_lock:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._open_lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def break_connections(self) -> None:
        with self._open_lock:
            connections = list(self._open)
        for connection in connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue  # the client was faster

    def handle_error(self, request: Any, client_address: Any) -> None:
        error = sys.exc_info()[1]
        if error is not None and not isinstance(error, (ConnectionError, TimeoutError)):
            self.stand_in.failures.append(error)


class _Connection(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def do_GET(self) -> None:
        stand_in = self.server.stand_in
        request = self._request()
        fault = stand_in.faults.take(request)
        stand_in.requests.append(request)
        if fault is None:
            self._send(stand_in.answer(request))
        else:
            self._meet(fault, replace(request, fault=fault))

    do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = do_GET

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: the requests are kept, and stderr belongs to the command."""

    def _request(self) -> Request:
        length = int(self.headers.get("content-length") or 0)
        path, _, query = self.path.partition("?")
        return Request(
            method=self.command,
            path=path,
            query=tuple(parse_qsl(query, keep_blank_values=True)),
            headers={name.lower(): value for name, value in self.headers.items()},
            body=self.rfile.read(length) if length else b"",
        )

    def _meet(self, fault: Fault, request: Request) -> None:
        stand_in = self.server.stand_in
        if fault.status is not None:
            self._send(_with_retry_after(stand_in.error_response(fault.status, fault.reset), fault))
        elif fault.kind == "reset":
            self._reset_connection()
        elif fault.kind == "redirect":
            self._send(Response(307, b"", {"location": fault.to}))
        elif fault.kind == "garbled":
            self._send(Response(200, _HTML, {"content-type": "text/html"}))
        elif fault.kind == "truncated":
            self._send(stand_in.answer(request), half=True)
        else:
            if fault.kind == "slow":
                time.sleep(fault.seconds)
            self._send(stand_in.answer(request))

    def _send(self, response: Response, half: bool = False) -> None:
        """Head and body in one write: two would wait for the client's delayed ACK."""
        head = [f"HTTP/1.1 {response.status} {_REASONS.get(response.status, 'Error')}"]
        headers = {"date": formatdate(usegmt=True), **response.headers}
        head += [f"{name}: {value}" for name, value in headers.items()]
        head += [f"content-length: {len(response.body)}", "", ""]
        body = b"" if self.command == "HEAD" else response.body
        if half:
            body, self.close_connection = body[: len(body) // 2], True
        self.wfile.write("\r\n".join(head).encode("latin-1") + body)

    def _reset_connection(self) -> None:
        """Close with RST, not FIN: no lingering, and past the server's own orderly shutdown."""
        linger_for_no_time = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger_for_no_time)
        self.close_connection = True
        os.close(self.connection.detach())


_HTML = b"<!doctype html><title>Service</title><p>Something is being worked on.</p>\n"


def _with_retry_after(response: Response, fault: Fault) -> Response:
    if fault.retry_after is None:
        return response
    return replace(response, headers={**response.headers, "retry-after": f"{fault.retry_after:g}"})
