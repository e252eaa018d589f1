"""Whole processes, measured from outside."""

from __future__ import annotations

import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

REPOSITORY = Path(__file__).resolve().parents[2]
PROC = Path("/proc")
SECONDS_BETWEEN_LOOKS = 0.1


@dataclass(frozen=True, slots=True)
class Peaks:
    """The most memory that was seen, in bytes of RSS: of the process itself, and of it with all
    its descendants at one moment. None where the system has no /proc."""

    alone: int | None
    with_children: int | None


@dataclass(frozen=True, slots=True)
class Finished:
    """A process that went well. `wall` and `cpu` are seconds; `cpu` holds its children's too."""

    wall: float
    cpu: float
    peaks: Peaks
    out: str
    err: str


def run(
    command: Sequence[str],
    *,
    environment: Mapping[str, str] | None = None,
    watched: bool = False,
) -> Finished:
    """Run a command in the repository's folder; its memory is looked at only if `watched`.

    Raises:
        RuntimeError: it did not end with 0; what it said is in the message.
    """
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        began = time.perf_counter()
        process = subprocess.Popen(command, cwd=REPOSITORY, env=environment, stdout=out, stderr=err)
        watch = _Watch(process.pid) if watched else None
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        peaks = watch.end() if watch else Peaks(None, None)
        said, complained = _text(out), _text(err)
    if process.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}:\n{complained}")
    return Finished(wall, usage.ru_utime + usage.ru_stime, peaks, said, complained)


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode("utf-8", "replace")


class _Watch:
    """Looks at a process and its descendants until told that it is over.

    What wait4 says of memory is no use here: it counts what the parent had before exec.
    """

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._over = threading.Event()
        self._alone: int | None = None
        self._together: int | None = None
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def end(self) -> Peaks:
        self._over.set()
        self._thread.join()
        return Peaks(self._alone, self._together)

    def _watch(self) -> None:
        while PROC.exists() and not self._over.wait(SECONDS_BETWEEN_LOOKS):
            alone = memory(self._pid, "VmHWM")
            if not alone:
                continue
            together = memory(self._pid, "VmRSS") + sum(
                memory(pid, "VmRSS") for pid in _descendants(self._pid)
            )
            self._alone = max(alone, self._alone or 0)
            self._together = max(together, self._together or 0)


def memory(pid: int | str, field: str) -> int:
    """A field of /proc/<pid>/status in bytes; 0 when there is no such process or field."""
    try:
        status = (PROC / str(pid) / "status").read_text()
    except OSError:
        return 0
    for line in status.splitlines():
        name, _, value = line.partition(":")
        if name == field:
            return int(value.split()[0]) * 1024
    return 0


def _descendants(pid: int) -> set[int]:
    """The processes below a process, but for those that are about to be started: until it runs a
    program of its own, such a one has its parent's memory, which would count twice."""
    parents = dict(_parents())
    family = {pid}
    while more := {child for child, parent in parents.items() if parent in family} - family:
        family |= more
    own = _command(pid)
    return {each for each in family if each != pid and _command(each) != own}


def _command(pid: int) -> bytes:
    try:
        return (PROC / str(pid) / "cmdline").read_bytes()
    except OSError:
        return b""


def _parents() -> list[tuple[int, int]]:
    found = []
    for folder in PROC.iterdir():
        if folder.name.isdecimal():
            try:
                stat = (folder / "stat").read_text()
            except OSError:
                continue  # it has ended meanwhile
            # The program's name is in parentheses and may hold anything; state and parent follow.
            found.append((int(folder.name), int(stat.rpartition(")")[2].split()[1])))
    return found
