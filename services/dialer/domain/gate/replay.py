"""Deciding again what was decided before: from the facts and the pack versions stored with the attempt."""

from collections.abc import Iterable, Mapping
from typing import Any

from services.dialer.domain.gate.decision import Decision
from services.dialer.domain.gate.engine import Packs, decide
from services.dialer.domain.gate.packs import Pack
from services.dialer.domain.gate.places import Places
from services.dialer.domain.gate.wire import parse_facts


class MissingVersionError(LookupError):
    """A decision named a pack or a number table in a version that is not at hand, so it cannot be decided again."""

    def __init__(self, name: str, version: str) -> None:
        """Keep what is missing."""
        super().__init__(f"{name} {version} is needed to decide again and is not there; load it from the archive")
        self.name = name
        self.version = version


def replay(
    stored_facts: Mapping[str, Any], versions: Mapping[str, str], library: Iterable[Pack], places: Iterable[Places]
) -> Decision:
    """Return the decision of *stored_facts* under exactly the pack *versions* stored with it.

    *library* and *places* hold the packs and number tables in every version that was ever in force. The answer equals
    the stored one, or the gate itself has changed. Raises `MissingVersionError`.
    """
    table = next((table for table in places if table.version == versions["numbers"]), None)
    if table is None:
        raise MissingVersionError("numbers", versions["numbers"])
    known = {(pack.id, pack.version): pack for pack in library}
    wanted = {(name, version) for name, version in versions.items() if name != "numbers"}
    if missing := sorted(wanted - known.keys()):
        raise MissingVersionError(*missing[0])
    facts, at = parse_facts(dict(stored_facts), table)
    packs = {pack.id: pack for key, pack in known.items() if key in wanted}
    named = {name: packs[name] for name in facts.organisation_packs if name in packs}
    in_force = tuple(pack for pack in packs.values() if pack.id not in named)
    return decide(facts, Packs(table, in_force, named), at)
