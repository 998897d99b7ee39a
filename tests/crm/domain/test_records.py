"""Reading contact files: whatever arrives in whatever pieces, each record is read once or reported once."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.crm.domain.records import MAX_RECORD, Record, RecordReader, detect
from services.runtime.errors import RejectedError

# csv.writer quotes what needs it; a lone carriage return inside a field is the one thing it and RFC 4180 leave open.
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\x00"), max_size=8)
signs = st.text(st.sampled_from('a,;"\n |\t'), max_size=6)
tables = st.lists(st.lists(texts | signs, min_size=2, max_size=4), min_size=1, max_size=8)


def read_in(reader: RecordReader, raw: bytes, size: int) -> list[Record]:
    found: list[Record] = []
    for begin in range(0, len(raw), size):
        found += reader.read(raw[begin : begin + size])
    return [*found, *reader.finish()]


def written(table: list[list[str]], delimiter: str, ends: str) -> bytes:
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter, lineterminator=ends).writerows(table)
    return out.getvalue().encode()


@given(tables, st.sampled_from(",;\t|"), st.sampled_from(["\n", "\r\n"]), st.integers(1, 40), st.booleans())
def test_what_a_spreadsheet_writes_is_read_back_in_any_pieces(
    table: list[list[str]], delimiter: str, ends: str, size: int, ended: bool
) -> None:
    raw = written(table, delimiter, ends)
    raw = raw if ended else raw.removesuffix(ends.encode())
    found = read_in(RecordReader(delimiter), raw, size)
    kept = [(row, tuple(fields)) for row, fields in enumerate(table, 1) if any(field.strip() for field in fields)]
    # Without its line's end, a last record of blanks is not even a line, so only records that say something compare.
    assert [(one.row, one.fields) for one in found] == kept
    assert all(one.problem is None for one in found)


@given(tables, st.integers(1, 40), st.data())
def test_reading_resumes_after_any_record(table: list[list[str]], size: int, data: st.DataObject) -> None:
    raw = written(table, ",", "\n")
    whole = read_in(RecordReader(","), raw, size)
    if not whole:
        return
    last = data.draw(st.sampled_from(whole))
    rest = read_in(RecordReader(",", row=last.row, offset=last.end), raw[last.end :], size)
    assert rest == [one for one in whole if one.row > last.row]


@given(st.binary(max_size=300) | st.text(st.sampled_from('a,"\n\r'), max_size=60).map(str.encode), st.integers(1, 50))
def test_any_bytes_are_read_to_their_end_alike_in_any_pieces(raw: bytes, size: int) -> None:
    found = read_in(RecordReader(","), raw, size)
    assert found == read_in(RecordReader(","), raw, len(raw) or 1)
    assert all(one.end <= len(raw) for one in found)
    assert [one.row for one in found] == sorted({one.row for one in found})
    assert all(one.fields or one.problem for one in found)


def test_a_quote_that_never_closes_costs_its_own_line_only() -> None:
    found = read_in(RecordReader(","), b'a,b\n"oops,1\nc,d\n', 5)
    assert [one.fields for one in found] == [("a", "b"), (), ("c", "d")]
    assert "does not close" in (found[1].problem or "")


def test_a_quote_that_another_field_closes_costs_its_own_line_only() -> None:
    raw = b'805,"Open,en\n806,Lost,en\n807,"Quoted, two",en\n808,"over\ntwo lines",en\n'
    found = read_in(RecordReader(","), raw, 7)
    assert [one.fields for one in found] == [
        (), ("806", "Lost", "en"), ("807", "Quoted, two", "en"), ("808", "over\ntwo lines", "en")
    ]  # fmt: skip
    assert "closed by a quote of a later line" in (found[0].problem or "")


def test_a_quote_that_stays_open_beyond_the_bound_is_given_up_before_the_end_of_the_file() -> None:
    word = "x" * 996
    reader, filler = RecordReader(","), f"{word},y\n".encode() * 64
    found = list(reader.read(b'"oops,1\n'))
    fed = 0
    while not found:
        found += reader.read(filler)
        fed += len(filler)
    assert fed <= MAX_RECORD + len(filler)
    assert "does not close" in (found[0].problem or "")
    assert found[1].fields == (word, "y")


def test_a_line_without_an_end_is_reported_once_and_not_kept_in_memory() -> None:
    reader = RecordReader(",")
    found: list[Record] = []
    for _ in range(40):
        found += reader.read(b"x" * 100_000)
    found += reader.read(b"\na,b\n")
    assert [(one.row, bool(one.problem)) for one in found] == [(1, True), (2, False)]
    assert found[1].end == 4_000_005


def test_a_quote_inside_a_field_is_a_letter() -> None:
    assert [one.fields for one in read_in(RecordReader(","), b'5" pipe,x\n"a"b,"c""d"\n', 3)] == [
        ('5" pipe', "x"),
        ("ab", 'c"d'),
    ]


def test_blank_lines_are_counted_but_are_no_records() -> None:
    assert [one.row for one in read_in(RecordReader(","), b"a,b\n\n,\nc,d\n", 99)] == [1, 4]


@pytest.mark.parametrize(
    ("raw", "encoding", "delimiter", "header"),
    [
        (b"name,phone\nA,1\n", "utf-8", ",", ("name", "phone")),
        ("\ufeffname;phone\nA;1\n".encode(), "utf-8", ";", ("name", "phone")),
        (b'\n"last, first"\tphone\n', "utf-8", "\t", ("last, first", "phone")),
        ("name|phone\nSiân|1\n".encode("utf-16"), "utf-16", "|", ("name", "phone")),
        ("name,phone\nSiân,1\n".encode("windows-1252"), "windows-1252", ",", ("name", "phone")),
        (b"phone\n1\n", "utf-8", ",", ("phone",)),
    ],
)
def test_encoding_delimiter_and_header_are_detected(
    raw: bytes, encoding: str, delimiter: str, header: tuple[str, ...]
) -> None:
    found = detect(raw, complete=True)
    assert (found.encoding, found.delimiter, found.header) == (encoding, delimiter, header)


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"", "is empty"),
        (b"\n \n", "blank lines"),
        (b"PK\x03\x04rest", "Excel (.xlsx)"),
        (b"%PDF-1.7", "a PDF"),
        (b"name,phone\n\x00\x01", "byte 0x00 at offset 11"),
        (b"name,phone\n\x81\x8d", "neither UTF-8 nor Windows-1252"),
        (b"Sian,+441632960001\n", "a phone number"),
        (b"sian@example.org,x\n", "an e-mail address"),
        (b"name,phone,Name\n", "a column twice: name"),
        (b'"name,phone\n', "it does not end"),
        (b"sep=;\r\nname;phone\r\n", "a note of Excel"),
        (b"name,phone\rA,1\r", "a lone carriage return"),
    ],
)
def test_what_is_no_contact_file_is_refused_saying_what_was_found(raw: bytes, said: str) -> None:
    with pytest.raises(RejectedError) as refused:
        detect(raw, complete=True)
    assert said in refused.value.message
    assert "960001" not in refused.value.message


@given(st.binary(max_size=200))
def test_detecting_takes_or_refuses_any_bytes(raw: bytes) -> None:
    try:
        found = detect(raw, complete=True)
    except RejectedError:
        return
    assert any(found.header)


def test_a_sample_that_ends_inside_a_character_is_still_utf8() -> None:
    sample = "name,phone\nSiâ".encode()[:-1]
    assert detect(sample, complete=False).encoding == "utf-8"
