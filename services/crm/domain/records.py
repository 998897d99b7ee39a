"""Contact files as they are: which encoding and delimiter, where each record begins, and what its fields say.

The reader takes bytes as they arrive and keeps at most one record of them, so a file may be of any size. Every record
knows the byte after it, which is where reading resumes after a crash. A broken record costs itself, never the file.
"""

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass

from services.runtime.errors import RejectedError

MAX_FIELD = 64 * 1024
"""Bytes of one field; what is longer is a slip of a quote or not a contact file."""

MAX_RECORD = 1024 * 1024
"""Bytes of one record: the bound of the reader's memory, and of how far it looks for a closing quote."""

SAMPLE = 256 * 1024
"""Bytes that are looked at before a file is taken."""

DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}

_BINARY = {
    b"PK\x03\x04": "a ZIP or Excel (.xlsx) file",
    b"\xd0\xcf\x11\xe0": "an old Excel (.xls) file",
    b"%PDF": "a PDF document",
    b"\x1f\x8b": "a gzip file",
    b"\x89PNG": "a PNG picture",
    b"\xff\xd8\xff": "a JPEG picture",
    b"SQLite format 3": "an SQLite database",
}
_CONTROLS = re.compile(rb"[\x00-\x08\x0e-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class FileFormat:
    """What was found at the beginning of a file."""

    encoding: str
    delimiter: str
    header: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Record:
    """One record: *row* counts from 1, the header, as a spreadsheet does; *end* is the offset of the byte after it."""

    row: int
    end: int
    fields: tuple[str, ...]
    problem: str | None = None


def detect(sample: bytes, *, complete: bool) -> FileFormat:
    """Return the format of the file that begins with *sample*. Raises `RejectedError` saying what was found instead.

    *complete* says that the sample is the whole file.
    """
    if not sample:
        raise _refused("The file is empty")
    for magic, what in _BINARY.items():
        if sample.startswith(magic):
            raise _refused(f"This is {what}, not text")
    encoding = _encoding(sample, complete=complete)
    text = codecs.getincrementaldecoder(encoding)().decode(sample, final=False).removeprefix("\ufeff")
    if "\r" in text and "\n" not in text:
        raise _refused("Its lines end in a lone carriage return, as on very old machines; save it with usual line ends")
    line = next((line for line in text.split("\n") if line.strip()), None)
    if line is None:
        raise _refused("The file begins with nothing but blank lines")
    if re.fullmatch(r"sep=.?", line.strip(), re.IGNORECASE):
        raise _refused(f"The first line is {line.strip()!r}, a note of Excel to itself; delete that line")
    delimiter = max(DELIMITERS, key=re.sub(r'"[^"]*"', "", line).count)
    header = next(RecordReader(delimiter).read(text.encode() + b"\n"), None)
    if header is None or header.problem:
        raise _refused("The first line is no header: it " + (header.problem or "" if header else "does not end"))
    names = tuple(" ".join(name.split()) for name in header.fields)
    _check_header(names)
    return FileFormat(encoding, delimiter, names)


def text_decoder(encoding: str) -> codecs.IncrementalDecoder:
    """Return what turns the bytes of a file in *encoding* into text; bytes that are none become U+FFFD."""
    return codecs.getincrementaldecoder("utf-8-sig" if encoding == "utf-8" else encoding)(errors="replace")


_Cut = tuple[tuple[str, ...] | None, int, str | None]
"""Fields (None for a line that is no record), where the next line begins, and what is wrong."""


class RecordReader:
    """Cuts the bytes of a UTF-8 file into records; feed it in order, from the beginning or from a record's end."""

    def __init__(self, delimiter: str, *, row: int = 0, offset: int = 0) -> None:
        """Begin after the record *row*, whose end is *offset*."""
        self._delimiter = delimiter
        self._split = delimiter.encode()
        sign = re.escape(delimiter).encode()
        self._quote = re.compile(rb'"([^"]*+(?:""[^"]*+)*+)"([^' + sign + rb"\n]*)")
        self._plain = re.compile(rb"()([^" + sign + rb"\n]*)")
        self._buffer = b""
        self._row = row
        self._offset = offset
        self._skipping = False

    def read(self, block: bytes) -> Iterator[Record]:
        """Yield the records that *block* completes."""
        self._buffer = self._buffer + block if self._buffer else block
        yield from self._records(final=False)

    def finish(self) -> Iterator[Record]:
        """Yield what is left when the file has ended."""
        yield from self._records(final=True)

    def _records(self, *, final: bool) -> Iterator[Record]:
        at = 0
        while at < len(self._buffer):
            found = self._next(at, final=final)
            if found is None:
                break
            fields, at, problem = found
            if fields is not None:
                self._row += 1
                yield Record(self._row, self._offset + at, fields, problem)
        # Blank lines and skipped bytes at the end move the offset too; they hold nothing to lose.
        self._offset += at
        self._buffer = self._buffer[at:]

    def _next(self, at: int, *, final: bool) -> _Cut | None:
        newline = self._buffer.find(b"\n", at)
        if self._skipping:
            self._skipping = newline < 0
            return None, (len(self._buffer) if newline < 0 else newline + 1), None
        if newline < 0 and not final and len(self._buffer) - at < MAX_RECORD:
            return None
        if newline < 0 and len(self._buffer) - at >= MAX_RECORD:
            self._skipping = not final
            return (), len(self._buffer), f"is longer than {MAX_RECORD // 1024} KB without a line's end"
        end = len(self._buffer) if newline < 0 else newline
        after = min(end + 1, len(self._buffer))
        if b'"' in self._buffer[at:end]:
            return self._quoted(at, after, final=final)
        return self._decoded(self._buffer[at:end].removesuffix(b"\r").split(self._split), after)

    def _quoted(self, at: int, after: int, *, final: bool) -> _Cut | None:
        fields: list[bytes] = []
        place, limit = at, min(len(self._buffer), at + MAX_RECORD)
        while True:
            opened = self._buffer[place : place + 1] == b'"'
            found = (self._quote if opened else self._plain).match(self._buffer, place, limit)
            sign = self._buffer[found.end() : found.end() + 1] if found else b""
            if found is None or (sign == b"" and not final):
                if limit - at < MAX_RECORD and not final:
                    return None
                # The quote never closes: its line is reported and reading goes on at the next one.
                return (), after, f"opens a quote that does not close within {MAX_RECORD // 1024} KB"
            if opened and b"\n" in found[1] and found[2].strip():
                # It closes where another field's quote opens: the lines between are records of their own.
                return (), after, "opens a quote that is closed by a quote of a later line"
            rest = found[2] if sign == self._split else found[2].removesuffix(b"\r")
            fields.append(found[1].replace(b'""', b'"') + rest)
            place = found.end() + 1
            if sign != self._split:
                return self._decoded(fields, min(place, len(self._buffer)))

    def _decoded(self, fields: list[bytes], after: int) -> _Cut:
        try:
            texts = tuple(field.decode() for field in fields)
        except UnicodeDecodeError:
            return (), after, "is not valid UTF-8"
        if not any(text.strip() for text in texts):
            # A blank line is no contact; it is counted, so that row numbers stay those of a spreadsheet.
            self._row += 1
            return None, after, None
        return texts, after, None


def _encoding(sample: bytes, *, complete: bool) -> str:
    if sample.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if (control := _CONTROLS.search(sample)) is not None:
        raise _refused(f"There is a byte 0x{control[0].hex()} at offset {control.start()}, which no text has")
    for encoding in ("utf-8", "windows-1252"):
        try:
            codecs.getincrementaldecoder(encoding)().decode(sample, final=complete)
        except UnicodeDecodeError:
            continue
        return encoding
    raise _refused("The bytes are neither UTF-8 nor Windows-1252 text")


def _check_header(names: tuple[str, ...]) -> None:
    spoken = [name.casefold() for name in names if name]
    if len(set(spoken)) != len(spoken):
        twice = sorted({name for name in spoken if spoken.count(name) > 1})
        raise _refused("The header names a column twice: " + ", ".join(twice))
    if not spoken or any(len(name) > 200 for name in names):
        raise _refused("The first line is no header: a column name has 1 to 200 characters")
    if any(re.search(r"@|\d{5}", name) for name in spoken):
        # The cell itself stays out of the message: it is somebody's number or address.
        raise _refused("The first line is no header: it holds a phone number or an e-mail address")


def _refused(found: str) -> RejectedError:
    return RejectedError(
        f"{found}; expected a CSV text file in UTF-8 whose first line names its columns. Nothing was imported."
    )
