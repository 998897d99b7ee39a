"""From what many drafts say to what changes: which contact each means, and whether it adds anything."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from services.crm.domain.contacts import Contact, ContactDraft, ContactId, fingerprint, merge, new_contact
from services.runtime.ids import NewId


@dataclass(frozen=True, slots=True)
class Upserts:
    """What a batch of drafts changes: new contacts, changed ones as they are now, and how many drafts added nothing."""

    created: tuple[Contact, ...]
    updated: tuple[Contact, ...]
    created_rows: int
    updated_rows: int
    unchanged_rows: int


def plan_upserts(drafts: Sequence[ContactDraft], known: Iterable[Contact], now: datetime, new_id: NewId) -> Upserts:
    """Return what *drafts*, in their order, change among the *known* contacts, which hold every possible match.

    A draft means the contact with its external id; without one, the contact with the same name and numbers. A contact
    known by name and numbers only takes the external id that a draft brings. So a batch applied twice changes nothing
    the second time.
    """
    people = _People(known)
    before = set(people.by_id)
    changed: dict[ContactId, Contact] = {}
    created_rows = updated_rows = 0
    for draft in drafts:
        found = people.find(draft)
        contact = merge(found, draft, now) if found else new_contact(ContactId(new_id()), draft, now)
        if contact is found:
            continue
        created_rows += found is None
        updated_rows += found is not None
        people.put(contact)
        changed[contact.id] = contact
    return Upserts(
        created=tuple(contact for contact in changed.values() if contact.id not in before),
        updated=tuple(contact for contact in changed.values() if contact.id in before),
        created_rows=created_rows,
        updated_rows=updated_rows,
        unchanged_rows=len(drafts) - created_rows - updated_rows,
    )


class _People:
    """Contacts by what identifies them; several may share name and numbers when their external ids differ."""

    def __init__(self, known: Iterable[Contact]) -> None:
        self.by_id: dict[ContactId, Contact] = {}
        self._by_external_id: dict[str, ContactId] = {}
        self._by_fingerprint: dict[bytes, set[ContactId]] = defaultdict(set)
        for contact in known:
            self.put(contact)

    def put(self, contact: Contact) -> None:
        if (before := self.by_id.get(contact.id)) is not None:
            self._by_fingerprint[fingerprint(before.name, before.numbers)].discard(contact.id)
        self.by_id[contact.id] = contact
        if contact.external_id is not None:
            self._by_external_id[contact.external_id] = contact.id
        self._by_fingerprint[fingerprint(contact.name, contact.numbers)].add(contact.id)

    def find(self, draft: ContactDraft) -> Contact | None:
        if draft.external_id is not None and (found := self._by_external_id.get(draft.external_id)) is not None:
            return self.by_id[found]
        ids = self._by_fingerprint[fingerprint(draft.name or "", draft.numbers)]
        alike = [self.by_id[one] for one in ids if draft.external_id is None or self.by_id[one].external_id is None]
        # The one without an external id is meant first, then the oldest: the choice must not depend on the batch.
        return min(alike, key=lambda one: (one.external_id is not None, one.id), default=None)
