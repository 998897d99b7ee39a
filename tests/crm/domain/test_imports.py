"""What a row says: everything usable is taken, everything else is named with its row, field and reason."""

import pytest

from services.crm.domain.attributes import Attribute, AttributeKind, DateFormat
from services.crm.domain.imports import Layout, Target, plan_layout, read_row
from services.crm.domain.records import MAX_FIELD, FileFormat, Record
from services.runtime.errors import RejectedError

CATALOGUE = {
    "balance": Attribute("balance", AttributeKind.NUMBER),
    "tier": Attribute("tier", AttributeKind.CHOICE, choices=("gold", "tin")),
    "joined": Attribute("joined", AttributeKind.DATE),
    "member": Attribute("member", AttributeKind.BOOL),
    "town": Attribute("town", AttributeKind.TEXT),
}


def layout(*header: str, region: str | None = "GB", dates: DateFormat = DateFormat.ISO, **mapping: str) -> Layout:
    found = FileFormat("utf-8", ",", header)
    return plan_layout(found, mapping, CATALOGUE, default_region=region, date_format=dates)


def row(*fields: str) -> Record:
    return Record(7, 100, fields)


def test_columns_go_by_their_names_and_the_mapping_wins() -> None:
    planned = layout("Customer ID", "First name", "Surname", "Mobile 2", "Tel.", "Postcode", "Balance", "Notes",
                     Notes="attributes.town")  # fmt: skip
    assert [column.target for column in planned.columns][:6] == [
        Target.EXTERNAL_ID, Target.FIRST_NAME, Target.LAST_NAME, Target.MOBILE, Target.PHONE, Target.POSTAL_CODE,
    ]  # fmt: skip
    assert [column.attribute.name for column in planned.columns[6:] if column.attribute] == ["balance", "town"]
    assert planned.ignored == ()


def test_every_wrong_part_of_a_mapping_is_named_at_once() -> None:
    with pytest.raises(RejectedError) as refused:
        layout("name", "x", Tel="phone", x="attributes.nothing", name="nonsense")
    assert [one.field for one in refused.value.fields] == ["mapping.Tel", "mapping.name", "mapping.x", "mapping"]


def test_two_columns_that_say_the_same_are_refused() -> None:
    with pytest.raises(RejectedError) as refused:
        layout("phone", "e-mail", "email")
    assert "more than one column says email" in refused.value.fields[0].problem


def test_a_full_row_is_a_full_draft() -> None:
    planned = layout("id", "first name", "last name", "phone", "mobile", "country", "language", "relationship",
                     "customer since", "balance", "tier", "joined", "member", dates=DateFormat.DAY_FIRST)  # fmt: skip
    reading = read_row(
        planned,
        row(" C1 ", "Siân", "Jones", "01632 960001; +44 1632 960002", "07700900123", "gb", "cy_gb", "Former customer",
            "31/3/2027", "-12.5", "gold", "1/4/2026", "Yes"),
    )  # fmt: skip
    draft = reading.draft
    assert draft is not None
    assert not reading.problems
    assert (draft.external_id, draft.name, draft.country, draft.language) == ("C1", "Siân Jones", "GB", "cy-GB")
    assert [one.e164 for one in draft.numbers] == ["+441632960001", "+441632960002", "+447700900123"]
    assert draft.numbers[2].kind == "mobile"
    assert str(draft.relationship_since) == "2027-03-31"
    assert draft.attributes == {"balance": -12.5, "tier": "gold", "joined": "2026-04-01", "member": True}


def test_an_apostrophe_that_keeps_a_spreadsheet_from_computing_is_no_part_of_the_value() -> None:
    planned = layout("id", "name", "phone", "balance")
    draft = read_row(planned, row("'-7", "'=Siân", "'+441632960001", "'-12.5")).draft
    assert draft is not None
    assert (draft.external_id, draft.name, draft.attributes) == ("-7", "=Siân", {"balance": -12.5})
    kept = read_row(planned, row("7", "'n Huis", "+441632960001", "")).draft
    assert kept is not None
    assert kept.name == "'n Huis"


@pytest.mark.parametrize(
    ("fields", "field", "reason"),
    [
        (("A",), "", "has 1 fields where the header has 4"),
        (("A", "12", "", ""), "phone", "not a usable phone number"),
        (("A", "", "", ""), "phone", "no number"),
        (("A", "01632960001", "31/03/2027", ""), "joined", "not a date; expected YYYY-MM-DD"),
        (("A", "01632960001", "2027-02-30", ""), "joined", "no day of the calendar"),
        (("A", "01632960001", "", "much"), "balance", "expected a number"),
        (("A" * (MAX_FIELD + 1), "01632960001", "", ""), "name", "longer than 64 KB"),
        (("â" * (MAX_FIELD // 2 + 1), "01632960001", "", ""), "name", "longer than 64 KB"),
        (("A" * 501, "01632960001", "", ""), "name", "longer than 500 characters"),
        (("A\x00", "01632960001", "", ""), "name", "character that is none"),
    ],
)
def test_a_bad_row_is_reported_with_row_field_value_and_reason(
    fields: tuple[str, ...], field: str, reason: str
) -> None:
    reading = read_row(layout("name", "phone", "joined", "balance"), row(*fields))
    assert reading.draft is None
    [problem] = reading.problems
    assert (problem.row, problem.field) == (7, field)
    assert reason in problem.reason
    assert len(problem.value) <= 80


def test_a_record_that_could_not_be_cut_is_reported() -> None:
    reading = read_row(layout("phone"), Record(9, 50, (), "is not valid UTF-8"))
    assert [(one.row, one.reason) for one in reading.problems] == [(9, "the row is not valid UTF-8")]


def test_one_usable_number_is_enough_and_the_others_are_reported() -> None:
    reading = read_row(layout("phone", "phone 2"), row("01632960001", "none"))
    assert reading.draft is not None
    assert [one.e164 for one in reading.draft.numbers] == ["+441632960001"]
    assert [one.field for one in reading.problems] == ["phone 2"]


def test_the_country_of_the_row_completes_national_numbers_before_the_default() -> None:
    reading = read_row(layout("phone", "country"), row("(212) 555-0101", "US"))
    assert reading.draft is not None
    assert reading.draft.numbers[0].e164 == "+12125550101"
    without = read_row(layout("phone", region=None), row("01632960001"))
    assert without.draft is None
    assert "with its country code" in without.problems[0].reason
