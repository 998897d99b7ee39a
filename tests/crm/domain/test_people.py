"""Who a draft means: applying drafts again changes nothing, and nobody is created twice."""

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import count
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from services.crm.domain.contacts import Contact, ContactDraft, ContactId, Number, erase, merge, new_contact
from services.crm.domain.people import plan_upserts
from services.runtime.phone import E164

NOW = datetime(2026, 11, 23, tzinfo=UTC)

numbers = st.lists(
    st.sampled_from([Number(E164(f"+44163296000{n}")) for n in range(4)]), min_size=1, max_size=3, unique=True
).map(tuple[Number, ...])
drafts = st.lists(
    st.builds(
        ContactDraft,
        numbers=numbers,
        external_id=st.sampled_from([None, "A", "B"]),
        name=st.sampled_from([None, "Siân", "SIÂN ", "Tom"]),
        email=st.sampled_from([None, "a@example.org"]),
        attributes=st.sampled_from([{}, {"town": "Bala"}]),
    ),
    max_size=8,
)


def ids() -> Iterator[UUID]:
    return (UUID(int=number) for number in count(1))


def apply(known: list[Contact], said: list[ContactDraft], fresh: Iterator[UUID]) -> list[Contact]:
    plan = plan_upserts(said, known, NOW, lambda: next(fresh))
    assert plan.created_rows + plan.updated_rows + plan.unchanged_rows == len(said)
    changed = {one.id: one for one in (*plan.created, *plan.updated)}
    kept = [changed.pop(one.id, one) for one in known]
    return [*kept, *changed.values()]


@given(drafts)
def test_external_ids_and_fingerprints_stay_unique(said: list[ContactDraft]) -> None:
    known = apply([], said, ids())
    external = [one.external_id for one in known if one.external_id]
    assert len(set(external)) == len(external)
    alone = [(one.name.casefold().strip(), frozenset(one.numbers)) for one in known if not one.external_id]
    assert len(set(alone)) == len(alone)


@given(drafts, drafts)
def test_cutting_a_file_into_batches_changes_nothing(first: list[ContactDraft], second: list[ContactDraft]) -> None:
    at_once = apply([], first + second, ids())
    fresh = ids()
    in_two = apply(apply([], first, fresh), second, fresh)
    assert sorted(map(said_of, at_once)) == sorted(map(said_of, in_two))


@given(drafts)
def test_a_file_whose_rows_agree_changes_nothing_the_second_time(said: list[ContactDraft]) -> None:
    agreeing = list({one.external_id or (one.name or "").casefold().strip(): one for one in said}.values())
    known = apply([], agreeing, ids())
    plan = plan_upserts(agreeing, known, NOW, lambda: UUID(int=0))
    assert (plan.created_rows, len(plan.created)) == (0, 0)


@given(drafts)
def test_sequences_only_grow_and_the_same_again_is_the_same_object(said: list[ContactDraft]) -> None:
    contact = new_contact(ContactId(UUID(int=1)), ContactDraft(numbers=()), NOW)
    for draft in said:
        merged = merge(contact, draft, NOW)
        assert merged is contact or merged.sequence == contact.sequence + 1
        assert merge(merged, draft, NOW) is merged
        contact = merged


@given(drafts)
def test_an_erased_contact_says_nothing(said: list[ContactDraft]) -> None:
    for contact in apply([], said, ids()):
        erased = erase(contact, NOW)
        assert (erased.name, erased.numbers, erased.external_id, dict(erased.attributes)) == ("", (), None, {})
        assert erase(erased, NOW) is erased


def said_of(one: Contact) -> str:
    return repr((one.external_id or "", one.name, one.numbers, one.email or "", one.attributes, one.sequence))
