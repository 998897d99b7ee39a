"""What must be true after a run, asked of the carrier's ledger, the CRM's export, the partner and the database."""

import csv
import io
from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg

from services.carrier.judge import judge
from services.carrier.ledger import parse_lines
from tests.chaos.people import CAP, Company, Promised

REFUSAL_BOUND = timedelta(seconds=7)
"""A view of consents may be five seconds old, and the dial follows its last check within one; the rest is slack."""


def read_ledger(path: Path) -> list[dict[str, Any]]:
    """Return the carrier's lines."""
    with path.open("rb") as file:
        return list(parse_lines(file, str(path)))


def broken_by_rings(ledger: list[dict[str, Any]], promised: Promised) -> list[str]:
    """Return what the carrier saw that must never be: a second ring, a ring beyond the cap or after a no."""
    broken = judge(ledger)
    rings = [line for line in ledger if line["event"] == "ring"]
    per_number = Counter(line["number"] for line in rings)
    broken += [f"one number rang {n} times, the cap is {CAP}" for n in per_number.values() if n > CAP]
    for line in rings:
        refused_at = promised.refusals.get(line["number"])
        if refused_at is not None and datetime.fromisoformat(line["at"]) > refused_at + REFUSAL_BOUND:
            broken.append(f"{line['channel_id']} rang at {line['at']}, the no was acknowledged at {refused_at}")
    return broken


def lost_responses(export: bytes, promised: Promised) -> list[str]:
    """Return what was acknowledged to an operator and is not in the export, exactly once and as it was said."""
    rows = list(csv.DictReader(io.StringIO(export.decode("utf-8-sig"))))
    times = Counter(row["attempt_id"] for row in rows)
    found = {row["attempt_id"]: row for row in rows}
    lost = [f"the response of {call} stands {n} times in the export" for call, n in times.items() if n > 1]
    for call in promised.dispositions:
        if call not in found:
            lost.append(f"the disposition of {call} was acknowledged and is not in the export")
        elif found[call]["disposition"] not in promised.possible[call, ""]:
            lost.append(f"the disposition of {call} is {found[call]['disposition']}, which nobody said last")
    for call, question in promised.answers:
        said = {str(value) for value in promised.possible[call, question]}
        if call in found and found[call].get(f"answer {question}") not in said:
            lost.append(f"the answer to {question} of {call} was acknowledged and is not in the export")
    return lost


def missing_webhooks(ledger: Iterable[dict[str, Any]], company: Company) -> list[str]:
    """Return the calls that rang or were closed and of which the partner never heard."""
    heard = company.partner.heard
    rang = {line["channel_id"] for line in ledger if line["event"] == "ring" and not _is_leg(line)}
    missing = [
        f"the partner never heard that {call} ended" for call in rang if ("dialer.call.ended", call) not in heard
    ]
    missing += [
        f"the partner never heard the response of {call}"
        for call in company.promised.dispositions
        if ("dialer.response.recorded", call) not in heard
    ]
    if company.partner.bad:
        missing.append(f"{company.partner.bad} webhooks had a bad signature")
    return missing


async def stuck(connection: asyncpg.Connection, campaign_id: str) -> list[str]:
    """Return what has not come to rest, or is without the one ending that it must have."""
    questions = {
        "calls have not ended": "SELECT count(*) FROM attempts WHERE state <> 'ended'",
        "leads are busy": f"SELECT count(*) FROM leads WHERE state = 'busy' AND campaign_id = '{campaign_id}'",
        "facts of the dialer are not sent": "SELECT count(*) FROM outbox WHERE epoch IS NULL",
        "deliveries are under way": "SELECT count(*) FROM notifier.deliveries WHERE state = 'pending'",
        "records are dead in the CRM": "SELECT count(*) FROM crm.dead_letters",
        "records are parked in the CRM": "SELECT count(*) FROM crm.parked",
    }
    await connection.execute("SET search_path TO dialer")
    counts = {what: await connection.fetchval(query) for what, query in questions.items()}
    away = await connection.fetch("SELECT name, state, reason FROM operators WHERE state <> 'offline'")
    return [
        *(f"{count} {what}" for what, count in counts.items() if count),
        *(f"{row['name']} is {row['state']} ({row['reason']})" for row in away),
    ]


def _is_leg(line: dict[str, Any]) -> bool:
    return str(line["channel_id"]).startswith("leg-")
