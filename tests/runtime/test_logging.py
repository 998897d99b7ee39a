import io
import json
import logging
from collections.abc import Generator
from uuid import UUID

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from services.runtime.logging import REDACTED, configure_logging, redact


@pytest.fixture
def lines() -> Generator[io.StringIO]:
    stream = io.StringIO()
    handlers, level = logging.getLogger().handlers, logging.getLogger().level
    configure_logging("crm", stream=stream)
    yield stream
    logging.getLogger().handlers = handlers
    logging.getLogger().setLevel(level)
    structlog.reset_defaults()


SECRETS = [
    "+441632960000",
    "+44 1632 960 000",
    "+1 (202) 555-0143",
    "01632 960000",
    "(01632) 960-000",
    "447700900123",
    "someone.else@example.org",
    "Bearer abcdef0123456789",
    "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiIxIn0.c2ln",
    "whsec_c2VjcmV0c2VjcmV0",
]


@pytest.mark.parametrize("secret", SECRETS)
def test_no_secret_reaches_a_line_by_any_way(lines: io.StringIO, secret: str) -> None:
    log = structlog.get_logger("test")
    event = f"call.refused {secret}"
    log.info(event, note=f"heard {secret}, twice", nested={"a": [secret]}, pair=(1, secret))
    logging.getLogger("library").warning("talking to %s", secret)
    try:
        int(f"not a number: {secret}")
    except ValueError:
        log.exception("call.failed")
    text = lines.getvalue()
    assert secret not in text
    assert text.count(REDACTED) >= 6
    assert [json.loads(line)["service"] for line in text.splitlines()] == ["crm"] * 3


def test_fields_that_name_a_secret_are_never_shown(lines: io.StringIO) -> None:
    structlog.get_logger("test").info(
        "x", phone="short", password="hunter2", to="Ann", name="Ann", email="odd", Token="t"
    )
    line = json.loads(lines.getvalue())
    assert {line[k] for k in ("phone", "password", "to", "name", "email", "Token")} == {REDACTED}


def test_what_helps_to_find_a_fault_stays(lines: io.StringIO) -> None:
    event_id = UUID("01936a2b-0000-7000-8000-000000000001")
    structlog.get_logger("test").info(
        "outbox.sent",
        event_id=event_id,
        seq=123456789012,
        at="2026-11-23T12:00:00.123456Z",
        url="http://127.0.0.1:8080/",
    )
    line = json.loads(lines.getvalue())
    assert line["event_id"] == str(event_id)
    assert line["seq"] == 123456789012
    assert line["at"] == "2026-11-23T12:00:00.123456Z"
    assert line["url"] == "http://127.0.0.1:8080/"
    assert line["event"] == "outbox.sent"
    assert line["level"] == "info"


@given(st.uuids(), st.text(max_size=20))
def test_ids_survive_and_numbers_never_do(some_id: UUID, text: str) -> None:
    cleaned = redact(None, "info", {"event": f"{some_id} +441632960{some_id.int % 1000:03} {text}"})["event"]
    assert "+441632960" not in cleaned


@given(st.uuids())
def test_an_id_is_not_taken_for_a_number(some_id: UUID) -> None:
    assert redact(None, "info", {"event": f"key {some_id} parked"})["event"] == f"key {some_id} parked"
