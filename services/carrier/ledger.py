"""The carrier's own ledger of rings: an append-only file of JSON lines that judges what was really dialed.

A line is handed to the kernel before its effect is visible to anybody, so a killed carrier loses none; only a crash of
the whole machine can, unless *fsync* is asked for. What the lines say stands in `switch.py`.
"""

import fcntl
import os
import stat
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, cast

import orjson

from services.runtime.errors import GalwError

_CHUNK = 1 << 16
_BEGINNING = b'{"at":'


class LedgerError(GalwError):
    """The ledger cannot be opened or written; the message names the file and what to do."""

    code = "ledger"


class Ledger:
    """One open ledger; a lock on the file keeps a second writer out."""

    def __init__(self, path: Path, *, fsync: bool = False) -> None:
        """Open *path*, making it when there is none; half a line from a crash of the machine is cut off."""
        self.path = path
        self._fsync = fsync
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise LedgerError(f"The ledger {path} cannot be opened: {error.strerror}; name another file.") from error
        try:
            self.size = self._claim()
        except BaseException:
            os.close(self._file)
            raise

    def _claim(self) -> int:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise LedgerError(f"Another carrier writes {self.path}; stop it or name another file.") from error
        regular = stat.S_ISREG(os.fstat(self._file).st_mode)
        if not regular or os.pread(self._file, len(_BEGINNING), 0) not in (b"", _BEGINNING):
            raise LedgerError(f"The file {self.path} is not a ledger; name another, or one that does not exist.")
        size = _whole_lines(self._file)
        os.ftruncate(self._file, size)
        return size

    def resume(self, now: datetime) -> Iterator[str]:
        """Yield the number of every ring of earlier lives, then write an end for those that a killed carrier left."""
        rings: dict[str, dict[str, Any]] = {}
        for line in self.lines():
            if line["event"] == "ring":
                rings[line["channel_id"]] = line
                yield line["number"]
            elif line["event"] == "end":
                rings.pop(line["channel_id"], None)
        lost = {"event": "end", "outcome": "lost", "cause": None, "tech_cause": None, "met": False, "by": "restart"}
        for ring in rings.values():
            same = {key: ring[key] for key in ("channel_id", "number", "trunk")}
            self.append({"at": now.isoformat(), **same, **lost})

    def append(self, line: dict[str, Any]) -> None:
        """Write one line; raises `LedgerError`, after which nothing may be rung any more."""
        written = orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)
        try:
            if os.write(self._file, written) != len(written):
                raise LedgerError(f"The ledger {self.path} took half a line: is the disk full?")
            if self._fsync:
                os.fdatasync(self._file)
        except OSError as error:
            raise LedgerError(f"The ledger {self.path} cannot be written: {error.strerror}.") from error
        self.size += len(written)

    def lines(self) -> Iterator[dict[str, Any]]:
        """Yield what was written so far, earlier lives included."""
        with self.path.open("rb") as file:
            yield from parse_lines(file, str(self.path))

    def read(self, start: int, length: int) -> bytes:
        """Return *length* bytes from *start*, both within `size`."""
        return os.pread(self._file, length, start)

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)


def parse_lines(lines: Iterable[bytes], source: str) -> Iterator[dict[str, Any]]:
    """Yield the lines of a ledger, from its file or from GET /ledger; raises `LedgerError` that names the bad one."""
    for number, line in enumerate(lines, 1):
        try:
            parsed = orjson.loads(line)
        except orjson.JSONDecodeError:
            parsed = None
        if (
            not isinstance(parsed, dict)
            or not {"event", "channel_id", "number", "trunk"} <= cast("dict[str, Any]", parsed).keys()
        ):
            raise LedgerError(f"Line {number} of {source} is not a line of a ledger; name another file.")
        yield cast("dict[str, Any]", parsed)


def _whole_lines(file: int) -> int:
    """Return the length of *file* up to its last line break."""
    end = os.fstat(file).st_size
    while end > 0:
        start = max(0, end - _CHUNK)
        found = os.pread(file, end - start, start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        end = start
    return 0
