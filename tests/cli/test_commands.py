"""The command line against a running standalone mode: what it says, what it answers in JSON, and how it ends."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest
from aiokafka import AIOKafkaProducer
from click.testing import CliRunner, Result

from services.cli.__main__ import main
from services.cli.client import Exit
from services.standalone.children import free_port, wait_until

pytestmark = [pytest.mark.system, pytest.mark.timeout(240)]

PASSWORD = "a long enough passphrase"
TOPIC = "crm.enrolments.v1"


class Shell:
    """A person at a terminal, beside a Galw without demo."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data = folder / "data"
        port = free_port()
        self.env: dict[str, str | None] = {
            "GALW_URL": f"http://127.0.0.1:{port}",
            "GALW_DATA_DIR": str(self.data),
            "XDG_CONFIG_HOME": str(folder / "config"),
            "COLUMNS": "200",
        }
        settings = {"GALW_DATA_DIR": str(self.data), "GALW_PORT": str(port), "GALW_DEMO": "false"}
        self.said = folder / "said"
        with self.said.open("wb") as said:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "services.standalone"], env={**os.environ, **settings}, stdout=said, stderr=said
            )
        wait_until(lambda: self.process.poll() is not None or "Galw runs" in self.said.read_text(), 90, "Galw")
        assert self.process.poll() is None, self.said.read_text()

    def type(self, *words: object, feed: str = "", code: int | None = 0) -> Result:
        done = CliRunner(env=self.env).invoke(main, [str(word) for word in words], input=feed)
        assert code is None or done.exit_code == code, done.output
        return done

    def json(self, *words: object, feed: str = "", code: int = 0) -> Any:
        """Return the last line of the answer."""
        lines = self.type(*words, "--json", feed=feed, code=code).stdout.splitlines()
        return json.loads(lines[-1]) if lines else None

    def sign_in(self, email: str) -> None:
        self.type("sign-in", "--email", email, "--password-stdin", feed=PASSWORD)


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Generator[Shell]:
    made = Shell(tmp_path_factory.mktemp("shell"))
    yield made
    made.process.send_signal(signal.SIGINT)
    assert made.process.wait(20) == 0


@pytest.fixture(autouse=True)
def admin(shell: Shell) -> None:
    """Everybody begins signed in as the first administrator, made as the runbook says."""
    words = ("admin", "create", "--email", "root@example.org", "--name", "Root", "--password-stdin")
    CliRunner(env=shell.env).invoke(main, list(words), input=PASSWORD)  # there already, from the second test on
    shell.sign_in("root@example.org")


def test_whoever_is_not_signed_in_or_not_allowed_or_asks_for_nothing_is_told(shell: Shell, tmp_path: Path) -> None:
    shell.type("accounts", "create", "--email", "aud@example.org", "--name", "Aud", "--role", "auditor",
               "--password-stdin", feed=PASSWORD)  # fmt: skip
    missing = shell.type("contacts", "show", "0198a000-0000-7000-8000-000000000000", code=Exit.NOT_FOUND)
    assert missing.stderr.startswith("Error: ")
    in_json = shell.type("contacts", "show", "0198a000-0000-7000-8000-000000000000", "--json", code=Exit.NOT_FOUND)
    assert json.loads(in_json.stderr)["status"] == 404
    assert in_json.stdout == ""
    shell.sign_in("aud@example.org")
    told = shell.type("partners", "create", "Nobody", code=Exit.FORBIDDEN).stderr
    assert "sign in as somebody who may: galw sign-in" in told
    shell.type("sign-out")
    told = shell.type("campaigns", "list", code=Exit.NOT_SIGNED_IN).stderr
    assert "Run: galw sign-in" in told
    wrong = shell.type(
        "sign-in", "--email", "aud@example.org", "--password-stdin", feed="wrong words", code=Exit.NOT_SIGNED_IN
    )
    assert "wrong words" not in wrong.output
    nobody = {**shell.env, "GALW_URL": f"http://127.0.0.1:{free_port()}", "XDG_CONFIG_HOME": str(tmp_path)}
    away = CliRunner(env=nobody).invoke(
        main, ["sign-in", "--email", "a@example.org", "--password-stdin"], input="some words"
    )
    assert away.exit_code == Exit.UNAVAILABLE
    assert "make run" in away.stderr


def test_accounts_are_made_disabled_and_listed(shell: Shell) -> None:
    shell.json("accounts", "create", "--email", "gwen@example.org", "--name", "Gwen", "--role", "operator",
               "--password-stdin", feed=PASSWORD)  # fmt: skip
    assert shell.json("accounts", "disable", "gwen@example.org")["disabled"] is True
    assert "disabled" in shell.type("accounts", "list").stdout
    assert "can sign in again" in shell.type("accounts", "enable", "gwen@example.org").stdout
    shell.type("accounts", "disable", "nobody@example.org", code=Exit.NOT_FOUND)


def test_a_contact_file_goes_in_and_what_is_wrong_comes_back(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    file.write_text("customer_id,name,phone,country\nA1,Nest Pugh,+441632960801,GB\nA2,Dai Rees,no number,GB\n")
    done = shell.json("contacts", "import", file, code=Exit.REFUSED)
    assert (done["created"], done["rejected"]) == (1, 1)
    assert "no number" in (tmp_path / "people-errors.csv").read_text()
    found = shell.json("contacts", "list", "--name", "Nest")
    assert "+441632960801" in shell.type("contacts", "show", found["id"]).stdout
    shell.type("contacts", "forbid", "01632 960801", "--source", "letter", code=Exit.REFUSED)
    told = shell.type("contacts", "forbid", "01632 960801", "--region", "GB", "--source", "letter").stdout
    assert told.startswith("01632 960801 said no to calls and messages for every purpose, since ")
    shell.type("contacts", "forbid", found["id"], "--source", "on the line", "--channel", "sms", "--purpose", "survey")
    shown = shell.type("contacts", "show", found["id"]).stdout
    assert "said no              to sms for survey, since " in shown
    assert "forbidden            +441632960801, whoever holds it: to calls and messages for every purpose" in shown
    assert shell.type("responses", "export").stdout.lstrip("\ufeff").startswith("at,attempt_id")
    answers = tmp_path / "answers.csv"
    # No bar, and no empty line in its place, where nobody watches.
    assert shell.type("responses", "export", "-o", answers).stderr == f"Wrote {answers}.\n"
    assert answers.read_text("utf-8-sig").startswith("at,attempt_id")


def test_a_stop_and_its_end_stay_on_record_and_nobody_is_held_back_without_a_restore(shell: Shell) -> None:
    shell.type("operators", "stop-dialing", "--reason", "fire")
    shell.type("operators", "stop-dialing", "--lift", "--reason", "out")
    lines = shell.type("operators", "stops", "--json").stdout.splitlines()
    told = [one for one in map(json.loads, lines) if one["scope"] == "all"]  # other tests stop a campaign
    assert [(one["change"], one["reason"]) for one in told] == [("lifted", "out"), ("stopped", "fire")]
    assert "fire" in shell.type("operators", "stops").stdout
    assert "Nobody is held back" in shell.type("restored", "show").stdout
    assert shell.json("restored", "release") == {"leads": 0}


def test_a_campaign_that_lacks_something_is_not_launched_and_everything_is_named(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "campaign.yaml"
    file.write_text("name: Half a campaign\n")
    shell.type("pools", "create", "main", code=None)  # there already, unless this test is the first
    assert "main" in shell.type("pools", "list").stdout
    shell.type("pools", "decisions", "main")
    shell.type("trunks", "set", "main", "--calls-per-second", 2, "--channels", 9, "--country", "GB", "--spend-cap", 50)
    assert shell.json("trunks", "list")["spend_cap_micros"] == 50_000_000
    drafted = shell.json("campaigns", "create", file)
    told = shell.type("campaigns", "launch", "Half a campaign", code=Exit.REFUSED).stderr
    for missing in ("script", "audience", "caller"):
        assert missing in told.lower(), told
    assert shell.json("campaigns", "watch", drafted["id"], "--once")["enrolled"] == 0
    told = shell.type("campaigns", "check", "Half a campaign").stdout
    assert "Missing: audience_id" in told
    assert "No forecast: The pool has no operators yet" in told
    checked = shell.json("campaigns", "check", "Half a campaign", "--operators", 3, "--leads", 40)
    assert not checked["ready"]
    assert (checked["forecast"]["operators"], checked["forecast"]["lines"] >= 40) == (3, True)
    shell.type("campaigns", "stop", "No such campaign", code=Exit.NOT_FOUND)
    file.write_text("name: [")
    assert "neither YAML nor JSON" in shell.type("campaigns", "create", file, code=Exit.USAGE).stderr


OWN_PACK = """\
schema: rulepack/1
id: acme
version: "1"
title: Acme's own hours
jurisdictions: [GB]
status: approved
rules:
  - id: quiet-mornings
    text: Nobody is called before noon.
    cite: Board decision 2026-11-30
    verified_on: 2026-11-30
    confidence: policy
    hours: {mon-fri: [["12:00", "20:00"]], sat-sun: closed}
"""


def test_a_pack_of_ones_own_comes_into_force_is_seen_there_and_retired(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "acme.yaml"
    file.write_text(OWN_PACK.replace("noon.", "noon.\n    confidense: policy"))
    refused = shell.type("packs", "put", file, code=Exit.REFUSED)
    assert f"{file}:10: quiet-mornings: unknown field 'confidense'" in refused.output
    file.write_text(OWN_PACK)
    assert "acme 1 is in force." in shell.type("packs", "put", file).output
    assert "own hours  (your own)" in shell.type("packs", "list", "--running").output
    assert "acme" not in shell.type("packs", "list").output
    assert "Nobody is called before noon." in shell.type("packs", "show", "acme", "--running").output
    shell.type("packs", "show", "acme", "--running", "--packs", tmp_path, code=Exit.USAGE)
    shell.type("packs", "retire", "acme")
    shell.type("packs", "show", "acme", "--running", code=Exit.NOT_FOUND)
    assert "Root" in shell.type("packs", "history").stdout
    history = [json.loads(line) for line in shell.type("packs", "history", "--json").stdout.splitlines()]
    assert [(one["id"], one["before"], one["after"]) for one in history] == [("acme", "1", None), ("acme", None, "1")]


def test_a_campaign_is_shown_with_its_plan_and_who_changed_what(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "campaign.yaml"
    file.write_text("name: Shown\nplan: {hours: [{start: '10:00', end: '12:00', days: [mon]}]}\n")
    shell.type("pools", "create", "main", code=None)  # there already, unless this test is the first
    drafted = shell.json("campaigns", "create", file)
    shell.type("campaigns", "stop", "Shown")
    shell.type("operators", "stop-dialing", "--campaign", "Shown", "--reason", "wrong script")
    shown = shell.type("campaigns", "show", "Shown").stdout
    for words in (drafted["id"], "10:00–12:00 mon", "at most 5 attempts", "after 15 min", "stopped", "created", "Root"):
        assert words in shown, shown
    told = shell.json("campaigns", "show", drafted["id"])
    assert [(one["change"], one["by_name"]) for one in told["changes"]] == [("stopped", "Root"), ("created", "Root")]
    assert "Root" in shell.type("operators", "stops").stdout
    shell.type("operators", "stop-dialing", "--lift", "--campaign", "Shown")
    shell.type("operators", "stop-dialing", "--campaign", "Shown", "--trunk", "main", code=Exit.USAGE)


def test_what_is_no_id_is_wrong_usage_and_an_unknown_one_is_not_found(shell: Shell) -> None:
    unknown = "0198a000-0000-7000-8000-000000000000"
    for words in (("endpoints", "test"), ("endpoints", "secrets"), ("deliveries", "list"), ("deliveries", "replay")):
        rest = ("--since", "1h") if words[1] == "replay" else ()
        told = shell.type("partners", *words, "no-id", *rest, code=Exit.USAGE).stderr
        assert "galw partners endpoints list PARTNER lists them" in told
        told = shell.type("partners", *words, unknown, *rest, code=Exit.NOT_FOUND).stderr
        assert "See: galw partners" in told
    shell.type("partners", "deliveries", "show", unknown, "no-id", code=Exit.USAGE)
    shell.type("partners", "endpoints", "list", "nobody", code=Exit.NOT_FOUND)
    assert "galw campaigns list" in shell.type("campaigns", "show", unknown, code=Exit.NOT_FOUND).stderr
    shell.type("campaigns", "forecast", "nothing of that name", "--operators", 2, code=Exit.NOT_FOUND)
    shell.type("packs", "relied-on", "nothing of that name", code=Exit.NOT_FOUND)
    shell.type("operators", "assign", "nobody", "--pool", "nowhere", code=Exit.NOT_FOUND)


def test_a_partner_is_made_told_and_told_again(shell: Shell) -> None:
    shell.type("partners", "create", "Watchers")
    url = f"https://watchers.example:{free_port()}/hook"
    made = shell.json("partners", "endpoints", "add", "Watchers", url, "--event", "dialer.*")
    [first] = made["secrets"]
    assert first["value"].startswith("whsec_")
    endpoint = made["id"]
    second = shell.json("partners", "endpoints", "rotate", endpoint, "--grace-hours", 0)
    assert second["value"] not in ("", first["value"])
    assert shell.type("partners", "endpoints", "secrets", endpoint).stdout.startswith(second["value"])
    edited = shell.json("partners", "endpoints", "edit", endpoint, "--event", "dialer.call.ended", "--disable")
    assert (edited["subscriptions"], edited["enabled"]) == (["dialer.call.ended"], False)
    shell.type("partners", "endpoints", "edit", endpoint, "--enable")
    event = shell.json("partners", "endpoints", "test", endpoint)["event_id"]
    assert shell.json("partners", "deliveries", "list", endpoint)["event_id"] == event
    assert "galw.test" in shell.type("partners", "deliveries", "show", endpoint, event).stdout
    assert "due again" in shell.type("partners", "deliveries", "replay", endpoint, "--since", "1h").stdout
    shell.type("partners", "deliveries", "replay", endpoint, code=Exit.USAGE)
    assert "dialer.response.recorded" in shell.type("partners", "event-types").stdout
    assert shell.json("partners", "endpoints", "remove", endpoint) == {"removed": endpoint}
    assert shell.type("partners", "endpoints", "list", "Watchers", "--json").stdout == ""
    shell.type("partners", "endpoints", "list", "Nobody", code=Exit.NOT_FOUND)


def test_a_stop_is_understood_and_templates_have_versions(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "template.yaml"
    file.write_text("channel: sms\ndefault_language: en\ntexts:\n  en: {body: 'Hello {{ name }}'}\n")
    assert shell.json("messages", "templates", "publish", "hello", file)["version"] == 1
    assert "name" in shell.type("messages", "templates", "list").stdout
    assert "opt-out" in shell.type("messages", "receive", "--from", "+447700900555", "STOP").stdout
    assert shell.json("messages", "inbound")["meaning"] == "opt_out"
    shell.type("messages", "outbox")


def test_a_no_is_shown_with_the_person_who_said_it(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    file.write_text("customer_id,name,phone,country\nN1,Non Rees,+447700900556,GB\n")
    shell.type("contacts", "import", file)
    person = shell.json("contacts", "list", "--external-id", "N1")["id"]
    no = {"change": "withdrawn", "channel": "all", "source": "a letter"}
    kept = json.loads((shell.folder / "config" / "galw" / "sign-in.json").read_text())
    [signed_in] = kept.values()
    headers = {"Authorization": f"Bearer {signed_in['access_token']}", "Content-Type": "application/json"}
    url = f"{shell.env['GALW_URL']}/api/crm/contacts/{person}/consents"
    urlopen(Request(url, json.dumps(no).encode(), headers), timeout=20).close()
    shown = shell.type("contacts", "show", person).stdout
    assert "to calls and messages for every purpose" in shown
    assert "consent.withdrawn a letter" in shown


def test_a_bad_record_is_found_replayed_and_discarded_and_news_is_told_again(shell: Shell) -> None:
    broker = (shell.data / "broker" / "address").read_text().strip()

    async def send() -> None:
        async with AIOKafkaProducer(bootstrap_servers=broker, acks="all") as producer:
            headers = [("ce_type", b"crm.lead.enrolled.v1"), ("ce_id", b"1"), ("ce_source", b"a shop")]
            await producer.send_and_wait(TOPIC, b'{"campaign_id": 7}', key=b"1", headers=headers)

    asyncio.run(send())
    wait_until(lambda: bool(shell.type("dead-letters", "list", "--topic", TOPIC, "--json").stdout), 20, "the letter")
    letter = shell.json("dead-letters", "list", "--service", "dialer")
    assert "campaign_id" in letter["reason"]
    assert '{"campaign_id": 7}' in shell.type("dead-letters", "show", letter["id"]).stdout
    shell.type("dead-letters", "replay", letter["id"])
    wait_until(lambda: shell.json("dead-letters", "list")["state"] == "dead", 20, "the letter, refused again")
    assert "1 are tried again" in shell.type("dead-letters", "replay", "--all", "--topic", TOPIC).stdout
    wait_until(lambda: shell.json("dead-letters", "list")["state"] == "dead", 20, "the letter, refused again")
    assert "Discarded" in shell.type("dead-letters", "discard", letter["id"], "--yes").stdout
    shell.type("dead-letters", "show", letter["id"], code=Exit.NOT_FOUND)
    shell.type("dead-letters", "replay", code=Exit.USAGE)
    assert TOPIC in shell.type("events", "topics").stdout
    assert "Told again" in shell.type("events", "republish", "--since", "2h").stdout
    shell.type("events", "republish", "--since", "yesterday", code=Exit.USAGE)
    shell.type("events", "republish", "--since", "2h", "--topic", "no.such.topic", code=Exit.USAGE)
