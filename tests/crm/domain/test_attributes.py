"""Attributes hold what their kind says, and tables hold no formulas."""

import csv
import io
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.crm.domain.attributes import (
    Attribute,
    AttributeKind,
    DateFormat,
    check_attribute,
    check_values,
    parse_date,
    parse_value,
)
from services.crm.domain.contacts import parse_country, parse_email, parse_language, parse_time_zone
from services.crm.domain.tables import cell_meaning, cell_text, csv_line
from services.runtime.errors import RejectedError

KINDS = [Attribute("a", kind, choices=("x", "y") if kind == "choice" else ()) for kind in AttributeKind]


@given(st.sampled_from(KINDS), st.text(max_size=12) | st.sampled_from(["1", "-2.50", "yes", "x", "2027-03-31"]))
def test_what_a_file_may_say_is_what_the_interface_takes(attribute: Attribute, raw: str) -> None:
    try:
        value = parse_value(attribute, raw, DateFormat.ISO)
    except ValueError:
        return
    assert check_values({"a": attribute}, {"a": value}) == {"a": value}


@given(st.dates(min_value=date(1000, 1, 1)), st.sampled_from(DateFormat))
def test_a_date_written_in_a_format_is_read_back(day: date, date_format: DateFormat) -> None:
    pattern = {
        DateFormat.ISO: "{0:%Y}-{0:%m}-{0:%d}",
        DateFormat.DAY_FIRST: "{0:%d}/{0:%m}/{0:%Y}",
        DateFormat.MONTH_FIRST: "{0:%m}/{0:%d}/{0:%Y}",
        DateFormat.DAY_FIRST_DOTS: "{0:%d}.{0:%m}.{0:%Y}",
    }[date_format]
    assert parse_date(pattern.format(day), date_format) == day


def test_every_wrong_value_is_named() -> None:
    catalogue = {one.kind.value: Attribute(one.kind.value, one.kind, choices=one.choices) for one in KINDS}
    wrong = {"text": 1, "number": True, "date": "2027-02-30", "bool": "yes", "choice": ["x"], "none": 1}
    with pytest.raises(RejectedError) as refused:
        check_values(catalogue, wrong)
    assert [one.field for one in refused.value.fields] == [f"attributes.{name}" for name in wrong]


@pytest.mark.parametrize(
    "attribute",
    [
        Attribute("Bad name", AttributeKind.TEXT),
        Attribute("a", AttributeKind.CHOICE),
        Attribute("a", AttributeKind.TEXT, choices=("x",)),
        Attribute("a", AttributeKind.CHOICE, choices=("x", "x")),
    ],
)
def test_a_catalogue_entry_that_nothing_could_satisfy_is_refused(attribute: Attribute) -> None:
    with pytest.raises(RejectedError):
        check_attribute(attribute)


@pytest.mark.parametrize(
    ("parse", "raw", "value"),
    [(parse_country, "gb", "GB"), (parse_language, "EN_gb", "en-GB"), (parse_language, "zh-hans", "zh-Hans"),
     (parse_time_zone, "Europe/London", "Europe/London"), (parse_email, " a@b.example ", "a@b.example")],
)  # fmt: skip
def test_codes_are_brought_into_their_one_form(parse: object, raw: str, value: str) -> None:
    assert callable(parse)
    assert parse(raw) == value


@pytest.mark.parametrize(
    ("parse", "raw"),
    [(parse_country, "XX"), (parse_language, "english"), (parse_language, "en-"), (parse_time_zone, "../etc/passwd"),
     (parse_time_zone, "GMT+1"), (parse_email, "a@b"), (parse_email, "a b@c.example")],
)  # fmt: skip
def test_what_is_no_code_is_refused_with_its_field(parse: object, raw: str) -> None:
    assert callable(parse)
    if raw == "en-":
        assert parse(raw) == "en"
        return
    with pytest.raises(RejectedError) as refused:
        parse(raw)
    assert refused.value.fields[0].field in ("country", "language", "time_zone", "email")


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=6) | st.integers(), min_size=1, max_size=4))
def test_a_table_is_read_back_and_computes_nothing(cells: list[object]) -> None:
    line = csv_line(cells)
    [found] = list(csv.reader(io.StringIO(line, newline=""))) or [[""]]
    for cell, text in zip(cells, found or [""], strict=True):
        if isinstance(cell, int):
            assert text == str(cell)
        else:
            assert not text.lstrip(" ").startswith(("=", "+", "-", "@", "\t", "\r"))
            assert cell_meaning(text) == cell


@pytest.mark.parametrize("sign", list("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20\ufe66\ufe62\ufe63\ufe6b\u2212"))
@pytest.mark.parametrize(
    "before",
    ["", " ", "\u00a0", "\u3000", "\u200b", "\ufeff", "\u2060", "\u00ad", "\u202e", "\x0b", "\u3164\u200d \ufe0f"],
)
def test_no_width_and_nothing_invisible_before_it_hides_a_formula(sign: str, before: str) -> None:
    text = f"{before}{sign}1+1"
    assert cell_text(text) == f"'{text}"
    # Somebody's own apostrophe is not taken for ours when the table is read back.
    assert cell_meaning(cell_text(text)) == text
    assert cell_meaning(cell_text(f"'{text}")) == f"'{text}"


@pytest.mark.parametrize("text", ["", "'", "a=1", "\u00a0a", "'n Huis", "O'Neill", "\u200b", "1-2"])
def test_a_plain_text_is_left_as_it_is(text: str) -> None:
    assert cell_text(text) == cell_meaning(text) == text
