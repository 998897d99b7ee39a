"""Back up, call, restore: nobody is called again who was called since, before a person has decided."""

from datetime import timedelta
from pathlib import Path

import asyncpg
import orjson
import pytest

from services.dialer.domain.leads import Stream
from tests.dialer.stages import NOW, PgStage, set_scene
from tools.restored import Held, hold_back, main, release


def _ring(channel_id: object, number: str) -> bytes:
    line = {"at": NOW.isoformat(), "channel_id": str(channel_id), "number": number, "trunk": "main", "event": "ring"}
    return orjson.dumps(line) + b"\n"


@pytest.mark.pg
async def test_nobody_is_called_again_who_was_called_since_the_backup(
    pg_stage: PgStage, dialer_url: str, tmp_path: Path
) -> None:
    scene = await set_scene(pg_stage)
    called, fresh, known = await scene.lead(), await scene.lead(), await scene.reserved()
    ledger = tmp_path / "ledger.jsonl"
    since = "01a21043-2387-7621-82c8-7dab859e8696"
    legs = _ring("leg-1", "operator")
    ledger.write_bytes(_ring(since, called.phone.e164) + _ring(known.id, known.phone) + legs)
    connection = await asyncpg.connect(dialer_url)

    async def due() -> set[object]:
        later = NOW + timedelta(days=400)
        return {lead.id for lead in await scene.store.list_due_leads(scene.campaign.id, Stream.FRESH, later, 10)}

    assert {called.id, fresh.id} <= await due()
    assert await hold_back(connection, ledger) == Held(calls=1, numbers=1, leads=1)
    assert await hold_back(connection, ledger) == Held(calls=1, numbers=1, leads=1)
    assert called.id not in await due()
    assert fresh.id in await due()
    held = await scene.store.load_lead(called.id)
    assert (held.held_by, held.version) == ("restored", called.version + 1)
    assert await release(connection, None) == 1
    assert called.id in await due()
    await connection.close()


def test_a_ledger_that_is_none_changes_nothing_and_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    missing = tmp_path / "nowhere.jsonl"
    assert main(["--database", "postgresql://127.0.0.1:1/galw", "--ledger", str(missing)]) == 1
    assert capsys.readouterr().err.startswith("Nothing was changed: ")
