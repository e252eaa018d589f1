"""Results that are longer or wider than the screen, shown by a pager."""

from __future__ import annotations

import os
import shlex
import signal
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from tempfile import TemporaryFile
from typing import TextIO

# What `less` is told unless its user tells it something: no wrapping, colours, the screen stays.
LESS = "FRSX"


def sheet() -> AbstractContextManager[TextIO]:
    """Something to write a result down on before it is shown."""
    return TemporaryFile("w+", encoding="utf-8", newline="")


def show(written: TextIO, *, paged: bool) -> None:
    """Put a sheet on the screen; if it is larger than that, and `paged`, into a pager."""
    if paged and _is_larger_than_the_screen(written):
        _page(written)
        return
    written.seek(0)
    sys.stdout.writelines(written)
    sys.stdout.flush()


def _is_larger_than_the_screen(written: TextIO) -> bool:
    import shutil

    size = shutil.get_terminal_size()
    written.seek(0)
    for number, line in enumerate(written, start=1):
        # The line that says how long it took, and the next prompt, want their place.
        if number > size.lines - 3 or len(line.rstrip("\n")) > size.columns:
            return True
    return False


def _page(written: TextIO) -> None:
    import subprocess

    command = shlex.split(os.environ.get("PAGER") or "less")
    written.seek(0)
    try:
        with _leaving_ctrl_c_to_it():
            pager = subprocess.Popen(
                command, stdin=subprocess.PIPE, encoding="utf-8", env={"LESS": LESS, **os.environ}
            )
            with pager, suppress(BrokenPipeError):
                assert pager.stdin is not None
                pager.stdin.writelines(written)
    except OSError:
        import pydoc

        pydoc.plainpager(written.read())


@contextmanager
def _leaving_ctrl_c_to_it() -> Iterator[None]:
    """Not by ignoring the signal, which the pager would inherit."""
    before = signal.signal(signal.SIGINT, lambda number, frame: None)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
