"""The packs in force: what ships, with the organisation's own beside it or in its place; changed while calls go on."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import structlog

from services.dialer.domain.gate import Pack, Packs, Places
from services.dialer.domain.gate.nodes import PackError
from services.dialer.domain.gate.parse import check_together
from services.dialer.domain.gate.words import differences
from services.dialer.ports import KeptPack, PackStore
from services.events.dialer import PackChanged
from services.runtime.errors import ConflictError, FieldProblem, NotFoundError, RejectedError

log = structlog.get_logger()

Parse = Callable[[str, str], Pack]
"""Returns the pack in a text; the second argument names the text in errors. Raises `PackError`."""


@dataclass(frozen=True, slots=True)
class Shipped:
    """What came with this version of Galw, and from the organisation's folder: packs by id, and the number table."""

    packs: Mapping[str, Pack]
    texts: tuple[KeptPack, ...]
    places: Places
    numbers: bytes


class PackShelf:
    """The packs in force on this instance; `refresh` follows what any instance put in force."""

    def __init__(self, store: PackStore, shipped: Shipped, parse: Parse) -> None:
        """Begin with what is shipped; `start` adds what the organisation has."""
        self._store = store
        self._shipped = shipped
        self._parse = parse
        self._change = -1
        self._packs = Packs(shipped.places, tuple(shipped.packs.values()))

    @property
    def packs(self) -> Packs:
        """The packs in force."""
        return self._packs

    @property
    def shipped(self) -> Shipped:
        """What is in force where the organisation has nothing newer."""
        return self._shipped

    async def start(self, now: datetime) -> None:
        """Keep what ships for later replays and load the organisation's packs; raises `PackError` when they do not fit.

        A dialer that left out a pack it cannot read would call people whom the pack protects; so it does not start.
        """
        shipped = self._shipped
        for name in await self._store.keep_shipped(shipped.texts, (shipped.places.version, shipped.numbers), now):
            log.error("packs.version_used_twice", pack=name, hint="the text changed without a new version")
        await self.refresh()

    async def refresh(self) -> bool:
        """Load the packs anew if anybody changed them; return whether that happened. Raises as `start` does."""
        if await self._store.newest_change() == self._change:
            return False
        change, texts = await self._store.list_in_force()
        self._packs = self.with_texts(texts)
        self._change = change
        log.info("packs.in_force", change=change, own=[f"{text.id} {text.version}" for text in texts])
        return True

    def with_texts(self, texts: Sequence[KeptPack]) -> Packs:
        """Return the packs as they would be with these of the organisation; raises `PackError`."""
        packs, files = dict(self._shipped.packs), dict.fromkeys(self._shipped.packs, "shipped")
        for text in texts:
            pack = self._parse(text.body, f"{text.id} {text.version}")
            shipped = self._shipped.packs.get(pack.id)
            # What ships later in a newer version takes the place of what the organisation needed until then.
            if shipped is None or newness(pack.version) >= newness(shipped.version):
                packs[pack.id], files[pack.id] = pack, f"{text.id} {text.version}"
        check_together(packs, files)
        return Packs(self._shipped.places, tuple(packs.values()))

    async def fitting(self, body: str) -> tuple[Pack, Packs]:
        """Return the pack in *body* and the packs as they would be with it.

        Raises `RejectedError` with every problem and its line.
        """
        try:
            pack = self._parse(body, "the pack")
            _, texts = await self._store.list_in_force()
            others = [text for text in texts if text.id != pack.id]
            return pack, self.with_texts([*others, KeptPack(pack.id, pack.version, body, shipped=False)])
        except PackError as error:
            fields = tuple(FieldProblem(f"text:{p.line}", _problem(p.rule, p.reason)) for p in error.problems)
            raise RejectedError("The pack is refused; what is in force stays in force.", fields=fields) from error

    def find(self, pack_id: str) -> Pack | None:
        """Return the pack of this id that is in force."""
        return next((pack for pack in self._packs.in_force if pack.id == pack_id), None)


def _problem(rule: str | None, reason: str) -> str:
    return f"{rule}: {reason}" if rule else reason


def newness(version: str) -> tuple[int, ...]:
    """Return the numbers in a version, to compare by: 2026.10 is newer than 2026.9."""
    return tuple(int(number) for number in re.findall(r"\d+", version))


async def put_pack(
    shelf: PackShelf, store: PackStore, body: str, now: datetime, by: UUID | None
) -> tuple[Pack, list[str]]:
    """Check a pack, put it in force on every instance and announce it; return it and in words what it changes.

    Raises `RejectedError` when it is wrong, `ConflictError` when its version is older or has decided with another text.
    """
    pack, _ = await shelf.fitting(body)
    shipped = shelf.shipped.packs.get(pack.id)
    if shipped is not None and newness(pack.version) <= newness(shipped.version):
        raise ConflictError(
            f"{pack.id} ships in version {shipped.version}: give yours a newer version, or an id of its own."
        )
    before = shelf.find(pack.id)
    replaces = None if before is None else before.version
    fact = PackChanged(pack_id=pack.id, in_force=pack.version, replaces=replaces, at=now, by=by)
    await store.put(KeptPack(pack.id, pack.version, body, shipped=False), replaces, now, by, fact)
    await shelf.refresh()
    return pack, [f"{pack.id} {pack.version} is new."] if before is None else list(differences(before, pack))


async def retire_pack(shelf: PackShelf, store: PackStore, pack_id: str, now: datetime, by: UUID | None) -> Pack | None:
    """Take the organisation's pack out of force on every instance; return what ships in its place, if anything.

    Raises `ConflictError` while another pack extends it.
    """
    before = shelf.find(pack_id)
    shipped = shelf.shipped.packs.get(pack_id)
    if before is None or before is shipped:
        raise NotFoundError(f"No pack {pack_id!r} of the organisation is in force.")
    if shipped is None and (leaning := [pack.id for pack in shelf.packs.in_force if pack.extends == pack_id]):
        raise ConflictError(f"{', '.join(leaning)} extends {pack_id}; retire that first.")
    after = None if shipped is None else shipped.version
    fact = PackChanged(pack_id=pack_id, in_force=after, replaces=before.version, at=now, by=by)
    await store.retire(pack_id, after, now, by, fact)
    await shelf.refresh()
    return shipped
