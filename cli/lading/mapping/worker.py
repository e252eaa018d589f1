"""A process in which JQ runs. Not imported: `workers.py` starts it, with an empty environment.

It can open no file, write no file, and use no more memory than it is given; for each request it
has a bound on processor time, so that an endless loop ends even when nobody is left to end it.

Arguments: the folder of the `jq` package, the descriptor of 8 shared bytes that say which row is
under way, the bound on memory in bytes.

A request is a header (kind, bytes of the program, bytes of the rows, seconds of processor time),
the program, and the rows with a NUL between them. An answer is a header (kind, number of texts,
bytes) and the texts with a NUL between them; for `!`, what JQ said of the row under way.

    request  m  run the program on each row      answer  =  a text for each row
             c  compile each row as a program            =  what is wrong with each, or nothing
                                                         !  JQ gave up on the row under way
                                                         r  ready (once, at the start)
"""

from __future__ import annotations

import mmap
import os
import resource
import struct
import sys

TYPE_CHECKING = False  # typing's own would take longer to load than all the rest
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, BinaryIO

REQUEST = struct.Struct(">cIId")
ANSWER = struct.Struct(">cII")
PROGRESS = struct.Struct("=q")
OUT_OF_MEMORY = 77
PROGRAMS_KEPT = 8

_programs: dict[str, Any] = {}


def main() -> None:
    sys.path.append(sys.argv[1])
    import jq

    progress = mmap.mmap(int(sys.argv[2]), PROGRESS.size)
    _confine(int(sys.argv[3]))
    answers = sys.stdout.buffer
    _answer(answers, b"r", [])
    for kind, program, rows in _requests(sys.stdin.buffer):
        work = _compiled(jq, rows) if kind == b"c" else _mapped(jq, program, rows)
        _serve(answers, progress, work)


def _serve(answers: BinaryIO, progress: mmap.mmap, work: Iterator[str]) -> None:
    texts: list[str] = []
    PROGRESS.pack_into(progress, 0, 0)
    try:
        for text in work:
            texts.append(text)
            PROGRESS.pack_into(progress, 0, len(texts))
    except ValueError as error:
        _answer(answers, b"!", [str(error)])
    else:
        _answer(answers, b"=", texts)


def _mapped(jq: Any, program: str, rows: list[str]) -> Iterator[str]:
    if program not in _programs:
        if len(_programs) >= PROGRAMS_KEPT:
            _programs.clear()
        _programs[program] = jq.compile(program)
    yield from _programs[program].input_text("\n".join(rows))


def _compiled(jq: Any, texts: list[str]) -> Iterator[str]:
    for text in texts:
        try:
            jq.compile(text)
        except ValueError as error:
            yield str(error)
        else:
            yield ""


def _requests(source: BinaryIO) -> Iterator[tuple[bytes, str, list[str]]]:
    while len(header := source.read(REQUEST.size)) == REQUEST.size:
        kind, program_bytes, rows_bytes, seconds = REQUEST.unpack(header)
        program = source.read(program_bytes).decode()
        rows = source.read(rows_bytes).decode()
        _bound_time(seconds)
        yield kind, program, rows.split("\0")


def _answer(answers: BinaryIO, kind: bytes, texts: list[str]) -> None:
    joined = "\0".join(texts).encode()
    answers.write(ANSWER.pack(kind, len(texts), len(joined)) + joined)
    answers.flush()


def _confine(memory: int) -> None:
    _bound(resource.RLIMIT_CORE, 0)
    _bound(resource.RLIMIT_FSIZE, 0)
    _bound(resource.RLIMIT_NOFILE, 0)
    _bound(resource.RLIMIT_AS, memory)


def _bound_time(seconds: float) -> None:
    used = resource.getrusage(resource.RUSAGE_SELF)
    _bound(resource.RLIMIT_CPU, int(used.ru_utime + used.ru_stime + seconds) + 2)


def _bound(what: int, soft: int) -> None:
    try:
        resource.setrlimit(what, (soft, resource.getrlimit(what)[1]))
    except (ValueError, OSError):
        return  # the system knows no such bound, or an administrator has set a lower one


if __name__ == "__main__":
    try:
        main()
    except MemoryError:
        os._exit(OUT_OF_MEMORY)
    except BrokenPipeError:
        os._exit(0)  # nobody is left to hear the answer
