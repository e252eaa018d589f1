"""A web server for the site, for people on this machine alone."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from lading.errors import UserError

HOST = "127.0.0.1"
# A page elsewhere can have its own name lead to this machine; it can't say that it asked for ours.
OURS = {HOST, "localhost"}


def serve(folder: Path, port: int, ready: Callable[[str], None]) -> None:
    """Serve the folder until a Ctrl-C; `ready` is told the address. Port 0 is any that is free.

    Raises:
        UserError: the port is taken, or not for this user.
    """
    handler = partial(_Handler, directory=str(folder))
    with _listening(port, handler) as server:
        server.daemon_threads = True
        ready(f"http://{HOST}:{server.server_port}/")
        server.serve_forever()


def _listening(port: int, handler: Callable[..., SimpleHTTPRequestHandler]) -> ThreadingHTTPServer:
    try:
        return ThreadingHTTPServer((HOST, port), handler)
    except OSError as error:
        message = f"port {port} of {HOST} can't be served at: {error.strerror}"
        raise UserError(message, hint="name another --port, or none to get a free one") from error


class _Handler(SimpleHTTPRequestHandler):
    """Files of the folder, asked for anew each time."""

    def send_head(self) -> Any:
        if (self.headers.get("Host") or "").rpartition(":")[0] not in OURS:
            self.send_error(421)
            return None
        return super().send_head()

    def end_headers(self) -> None:
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        super().end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: a line for each file would hide what counts."""
