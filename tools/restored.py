"""After a backup was restored, before Galw starts: hold back whoever was called since the backup was made.

    python -m tools.restored --ledger .data/carrier/ledger.jsonl --database postgresql://…

The restored database knows nothing of calls made after it was saved, so it would make them again. The carrier's
own ledger knows them: every number that rang under an attempt which the database does not have is held back in all its
campaigns, with the reason `restored`, until a person has decided. `--release` lets those who are held back go on, all
or those of one campaign. Repeating either changes nothing more.
"""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import asyncpg

from services.carrier.ledger import LedgerError, parse_lines

_HOLD = """
    UPDATE dialer.leads
    SET state = 'waiting', next_at = now() + interval '100 years', held_by = 'restored', version = version + 1
    WHERE state <> 'finished' AND held_by IS DISTINCT FROM 'restored'
        AND EXISTS (SELECT FROM jsonb_array_elements(phones) AS phone WHERE phone ->> 'e164' = ANY ($1))
"""
_RELEASE = """
    UPDATE dialer.leads SET next_at = now(), held_by = NULL, version = version + 1
    WHERE held_by = 'restored' AND ($1::uuid IS NULL OR campaign_id = $1)
"""
_KNOWN = "SELECT id FROM dialer.attempts WHERE id = ANY ($1)"
_HELD = "SELECT count(*) FROM dialer.leads WHERE held_by = 'restored'"


@dataclass(frozen=True, slots=True)
class Held:
    """What was found: calls that the database does not know, the numbers they rang, the leads held back by now."""

    calls: int
    numbers: int
    leads: int


async def hold_back(connection: asyncpg.Connection, ledger: Path) -> Held:
    """Hold back everybody whom the ledger saw ringing under an attempt that the database does not have."""
    rung: dict[UUID, str] = {}
    with ledger.open("rb") as lines:
        for line in parse_lines(lines, str(ledger)):
            if line["event"] == "ring" and not line["channel_id"].startswith("leg-"):  # a leg is an operator's own
                rung[UUID(line["channel_id"])] = line["number"]
    async with connection.transaction():
        for row in await connection.fetch(_KNOWN, list(rung)):
            del rung[row["id"]]
        numbers = sorted(set(rung.values()))
        await connection.execute(_HOLD, numbers)
        return Held(len(rung), len(numbers), await connection.fetchval(_HELD))


async def release(connection: asyncpg.Connection, campaign_id: UUID | None) -> int:
    """Let the leads that are held back go on; return how many there were."""
    done = await connection.execute(_RELEASE, campaign_id)
    return int(done.rpartition(" ")[2])


async def _run(asked: argparse.Namespace) -> str:
    connection = await asyncpg.connect(asked.database)
    try:
        if asked.release:
            return f"{await release(connection, asked.campaign)} leads go on."
        held = await hold_back(connection, asked.ledger)
    finally:
        await connection.close()
    if not held.calls:
        return f"The database knows every call of the ledger; {held.leads} leads are held back from earlier."
    return (
        f"{held.calls} calls to {held.numbers} numbers were made after this database was saved. "
        f"{held.leads} leads are held back with the reason 'restored' and are not called before somebody decides: "
        "look at them, then run this again with --release."
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser("python -m tools.restored", description=__doc__)
    parser.add_argument("--database", required=True, help="address of the restored PostgreSQL database")
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--ledger", type=Path, help="the carrier's ledger")
    which.add_argument("--release", action="store_true", help="let those who are held back go on")
    parser.add_argument("--campaign", type=UUID, help="with --release: only the leads of this campaign")
    try:
        print(asyncio.run(_run(parser.parse_args(argv))))
    except (OSError, LedgerError, asyncpg.PostgresError) as error:
        print(f"Nothing was changed: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
