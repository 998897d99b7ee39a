"""Cases worked out by hand from the page of rules, before anyone looked at the packs: a second reading of the law.

Each is a call of the base case, in preview, by somebody who compared every list two days ago, with what is different.
"""

from datetime import datetime, timedelta
from typing import Any, get_args

import pytest

from services.dialer import packloader
from services.dialer.domain.gate import decide, parse_facts
from services.dialer.domain.gate.facts import DoNotCallList

PACKS = packloader.load_packs()
LISTS: tuple[str, ...] = get_args(DoNotCallList)
CASES: dict[str, tuple[dict[str, Any], str, str | None]] = {}


def case(
    name: str,
    number: str,
    at: str,
    expect: str,
    until: str | None = None,
    line: str = "landline",
    scrub: dict[str, int | str | None] | None = None,
    **facts: Any,
) -> None:
    """Add a case; *scrub* changes a list: its age in days, "listed", or None for never compared."""
    made: dict[str, Any] = {
        "number": number,
        "at": at,
        "line_type": line,
        "purpose": "marketing",
        "mode": "preview",
        "suppressed": False,
        "subject": "boilers",
        "scrubs": {name: {"version_on": days_before(at, 2), "listed": False} for name in LISTS},
        "campaign": {"answered": 100, "abandoned": 0},
    }
    for listed, change in (scrub or {}).items():
        if change is None:
            del made["scrubs"][listed]
        elif isinstance(change, int):
            made["scrubs"][listed]["version_on"] = days_before(at, change)
        else:
            made["scrubs"][listed]["listed"] = True
    assert name not in CASES, name
    CASES[name] = {key: value for key, value in {**made, **facts}.items() if value != "-"}, expect, until


def days_before(at: str, days: int) -> str:
    """Return the local date so many days before *at*."""
    return (datetime.fromisoformat(at) - timedelta(days=days)).date().isoformat()


def consent(kind: str = "written", given: str = "2026-01-05T10:00:00Z", **more: Any) -> list[dict[str, Any]]:
    """Return a consent to marketing calls."""
    return [{"kind": kind, "purpose": "marketing", "channel": "voice", "given_at": given, **more}]


def tries(*ats: str, **more: Any) -> list[dict[str, Any]]:
    """Return earlier attempts that rang in vain."""
    usual = {"subject": "boilers", "channel": "voice", "mode": "preview", "outcome": "no_answer"}
    return [{"at": at, **usual, **more} for at in ats]


def us(region: str) -> dict[str, str]:
    """Return an address in a state."""
    return {"country": "US", "region": region}


NY = "+12125550123"

# US federal
case("ny 8:00:00", NY, "2026-11-24T08:00:00-05:00", "allow")
case("ny 7:59:59", NY, "2026-11-24T07:59:59-05:00", "defer", "2026-11-24T13:00:00Z")
case("ny 20:58:59", NY, "2026-11-24T20:58:59-05:00", "allow")
case("ny 20:59:00", NY, "2026-11-24T20:59:00-05:00", "defer", "2026-11-25T13:00:00Z")
case("ny 21:00", NY, "2026-11-24T21:00:00-05:00", "defer", "2026-11-25T13:00:00Z")
case(
    "ny 21:30 with consent",
    NY,
    "2026-11-24T21:30:00-05:00",
    "defer",
    "2026-11-25T13:00:00Z",
    consents=consent(outside_hours=True),
)
case("ny sunday", NY, "2026-11-22T12:00:00-05:00", "allow")
case("ny predictive landline", NY, "2026-11-24T12:00:00-05:00", "allow", mode="predictive")
case("ny prerecorded none", NY, "2026-11-24T12:00:00-05:00", "deny", mode="prerecorded")
case("ny prerecorded express", NY, "2026-11-24T12:00:00-05:00", "deny", mode="prerecorded", consents=consent("express"))
case("ny prerecorded written", NY, "2026-11-24T12:00:00-05:00", "allow", mode="prerecorded", consents=consent())
case(
    "ny prerecorded written for survey only",
    NY,
    "2026-11-24T12:00:00-05:00",
    "deny",
    mode="prerecorded",
    consents=consent(purpose="survey"),
)
case(
    "ny prerecorded written for sms only",
    NY,
    "2026-11-24T12:00:00-05:00",
    "deny",
    mode="prerecorded",
    consents=consent(channel="sms"),
)
case(
    "ny prerecorded withdrawn",
    NY,
    "2026-11-24T12:00:00-05:00",
    "deny",
    mode="prerecorded",
    consents=consent(withdrawn_at="2026-11-01T00:00:00Z"),
)
case(
    "ny prerecorded withdrawn, regranted",
    NY,
    "2026-11-24T12:00:00-05:00",
    "allow",
    mode="prerecorded",
    consents=consent(withdrawn_at="2026-11-01T00:00:00Z") + consent(given="2026-11-02T00:00:00Z"),
)
case(
    "ny prerecorded consent of tomorrow noon",
    NY,
    "2026-11-24T12:00:00-05:00",
    "defer",
    "2026-11-25T17:00:00Z",
    mode="prerecorded",
    consents=consent(given="2026-11-25T17:00:00Z"),
)
case(
    "ny informational prerecorded mobile",
    NY,
    "2026-11-24T12:00:00-05:00",
    "deny",
    line="mobile",
    mode="prerecorded",
    purpose="informational",
)
case(
    "ny informational prerecorded mobile express",
    NY,
    "2026-11-24T12:00:00-05:00",
    "allow",
    line="mobile",
    mode="prerecorded",
    purpose="informational",
    consents=consent("express", purpose="informational"),
)
case(
    "ny informational prerecorded landline, 3 in 30d",
    NY,
    "2026-11-24T12:00:00-05:00",
    "defer",
    "2026-12-01T17:00:00Z",
    mode="prerecorded",
    purpose="informational",
    attempts=tries(
        "2026-11-01T12:00:00-05:00",
        "2026-11-10T12:00:00-05:00",
        "2026-11-20T12:00:00-05:00",
        number=NY,
        mode="prerecorded",
    ),
)
case(
    "ny emergency mobile prerecorded",
    NY,
    "2026-11-24T03:00:00-05:00",
    "allow",
    line="mobile",
    mode="prerecorded",
    purpose="emergency",
)
case("dnc 31 days", NY, "2026-11-24T12:00:00-05:00", "allow", scrub={"us_national_dnc": 31})
case("dnc 32 days", NY, "2026-11-24T12:00:00-05:00", "deny", scrub={"us_national_dnc": 32})
case("dnc never compared", NY, "2026-11-24T12:00:00-05:00", "deny", scrub={"us_national_dnc": None})
case("dnc listed", NY, "2026-11-24T12:00:00-05:00", "deny", scrub={"us_national_dnc": "listed"})
case(
    "dnc listed, written",
    NY,
    "2026-11-24T12:00:00-05:00",
    "allow",
    scrub={"us_national_dnc": "listed"},
    consents=consent(),
)
case(
    "dnc listed, customer 17 months",
    NY,
    "2026-11-24T12:00:00-05:00",
    "allow",
    scrub={"us_national_dnc": "listed"},
    relationship={"kind": "customer", "since": "2025-06-24"},
)
case(
    "dnc listed, customer 18 months",
    NY,
    "2026-11-24T12:00:00-05:00",
    "deny",
    scrub={"us_national_dnc": "listed"},
    relationship={"kind": "customer", "since": "2025-05-24"},
)
case(
    "dnc listed, customer a day under 18 months",
    NY,
    "2026-11-24T12:00:00-05:00",
    "allow",
    scrub={"us_national_dnc": "listed"},
    relationship={"kind": "customer", "since": "2025-05-25"},
)
case(
    "dnc listed, enquiry 3 months",
    NY,
    "2026-11-24T12:00:00-05:00",
    "deny",
    scrub={"us_national_dnc": "listed"},
    relationship={"kind": "enquiry", "since": "2026-08-24"},
)
case(
    "dnc listed, enquiry a day under",
    NY,
    "2026-11-24T12:00:00-05:00",
    "allow",
    scrub={"us_national_dnc": "listed"},
    relationship={"kind": "enquiry", "since": "2026-08-25"},
)
case(
    "dnc listed, customer but refused",
    NY,
    "2026-11-24T12:00:00-05:00",
    "deny",
    scrub={"us_national_dnc": "listed"},
    relationship={"kind": "customer", "since": "2026-10-24"},
    refused_at="2026-11-20T00:00:00Z",
)
case(
    "internal listed, written",
    NY,
    "2026-11-24T12:00:00-05:00",
    "deny",
    scrub={"internal": "listed"},
    consents=consent(),
)
case("suppressed", NY, "2026-11-24T12:00:00-05:00", "deny", suppressed=True, consents=consent())
case("suppressed missing", NY, "2026-11-24T12:00:00-05:00", "deny", suppressed="-")
case("mode missing", NY, "2026-11-24T12:00:00-05:00", "deny", mode="-")
case("predictive, campaign missing", NY, "2026-11-24T12:00:00-05:00", "deny", mode="predictive", campaign="-")
case(
    "predictive 3.0 %",
    NY,
    "2026-11-24T12:00:00-05:00",
    "allow",
    mode="predictive",
    campaign={"answered": 100, "abandoned": 3},
)
case(
    "predictive 3.1 %",
    NY,
    "2026-11-24T12:00:00-05:00",
    "deny",
    mode="predictive",
    campaign={"answered": 1000, "abandoned": 31},
)
case(
    "predictive 49 answered",
    NY,
    "2026-11-24T12:00:00-05:00",
    "deny",
    mode="predictive",
    campaign={"answered": 49, "abandoned": 0},
)
case(
    "predictive, block over, total under",
    NY,
    "2026-11-24T12:00:00-05:00",
    "deny",
    mode="predictive",
    campaign={"answered": 1000, "abandoned": 3, "windows": {"block": {"answered": 100, "abandoned": 4}}},
)
case("toll-free without address", "+18005550123", "2026-11-24T12:00:00-05:00", "deny")
case("toll-free at NY", "+18005550123", "2026-11-24T12:00:00-05:00", "allow", address=us("NY"))
case(
    "revoke-all before",
    "+12125550123",
    "2027-01-30T12:00:00-05:00",
    "allow",
    mode="prerecorded",
    consents=consent()
    + consent("express", purpose="informational", given="2026-01-01T00:00:00Z", withdrawn_at="2026-06-01T00:00:00Z"),
)
case(
    "revoke-all after",
    "+12125550123",
    "2027-02-01T12:00:00-05:00",
    "deny",
    mode="prerecorded",
    consents=consent()
    + consent("express", purpose="informational", given="2026-01-01T00:00:00Z", withdrawn_at="2026-06-01T00:00:00Z"),
)
# zones
case("906 at 8:15 ET", "+19065550123", "2026-11-24T08:15:00-05:00", "defer", "2026-11-24T14:00:00Z")
case("219 is Chicago", "+12195550123", "2026-11-24T08:15:00-05:00", "defer", "2026-11-24T14:00:00Z")
case("phoenix july 8:00", "+16025550123", "2026-07-15T15:00:00Z", "allow")
case("phoenix july 7:59", "+16025550123", "2026-07-15T14:59:00Z", "defer", "2026-07-15T15:00:00Z")
case("928 july 20:30 MST is 21:30 Navajo", "+19285550123", "2026-07-16T03:30:00Z", "defer", "2026-07-16T15:00:00Z")
case("DST spring morning", NY, "2026-03-08T11:59:59Z", "defer", "2026-03-08T12:00:00Z")
case("DST spring 8:00", NY, "2026-03-08T12:00:00Z", "allow")
case("DST autumn 8:30 EDT wall 7:30", NY, "2026-11-01T12:30:00Z", "defer", "2026-11-01T13:00:00Z")
case(
    "NY number, LA address at 8:00 ET",
    NY,
    "2026-11-24T08:00:00-05:00",
    "defer",
    "2026-11-24T16:00:00Z",
    address={"country": "US", "region": "CA", "postal_code": "90001"},
)
# debt
T7 = [
    "2026-11-18T12:00:00-05:00",
    "2026-11-19T12:00:00-05:00",
    "2026-11-20T12:00:00-05:00",
    "2026-11-21T12:00:00-05:00",
    "2026-11-22T12:00:00-05:00",
    "2026-11-23T12:00:00-05:00",
    "2026-11-24T09:00:00-05:00",
]
case(
    "regf 8th",
    NY,
    "2026-11-24T12:00:00-05:00",
    "defer",
    "2026-11-25T17:00:00Z",
    purpose="debt_collection",
    attempts=tries(*T7, number=NY),
)
case(
    "regf 8th after a busy",
    NY,
    "2026-11-24T12:00:00-05:00",
    "allow",
    purpose="debt_collection",
    attempts=tries(*T7[:6], number=NY) + tries(T7[6], outcome="busy"),
)
case(
    "regf across numbers",
    NY,
    "2026-11-24T12:00:00-05:00",
    "defer",
    "2026-11-25T17:00:00Z",
    purpose="debt_collection",
    attempts=tries(*T7[:3], number="+12125550199") + tries(*T7[3:], number=NY),
)
case(
    "regf other debt",
    NY,
    "2026-11-24T12:00:00-05:00",
    "allow",
    purpose="debt_collection",
    attempts=tries(*T7, number=NY, subject="car"),
)
case(
    "regf conversation 6 d",
    NY,
    "2026-11-24T12:00:00-05:00",
    "defer",
    "2026-11-25T17:00:00Z",
    purpose="debt_collection",
    attempts=tries("2026-11-18T12:00:00-05:00", outcome="conversation"),
)
case(
    "regf conversation 7 d exactly",
    NY,
    "2026-11-24T12:00:00-05:00",
    "allow",
    purpose="debt_collection",
    attempts=tries("2026-11-17T12:00:00-05:00", outcome="conversation"),
)
case("debt 21:00", NY, "2026-11-24T21:00:00-05:00", "defer", "2026-11-25T13:00:00Z", purpose="debt_collection")
case(
    "debt email at 23",
    NY,
    "2026-11-24T23:00:00-05:00",
    "defer",
    "2026-11-25T13:00:00Z",
    purpose="debt_collection",
    channel="email",
)
# FL
FL = "+13055550123"
case("fl 20:30", FL, "2026-11-24T20:30:00-05:00", "defer", "2026-11-25T13:00:00Z")
case("fl 19:58:59", FL, "2026-11-24T19:58:59-05:00", "allow")
case("fl 19:59", FL, "2026-11-24T19:59:00-05:00", "defer", "2026-11-25T13:00:00Z")
case("fl number, NY address 20:30", FL, "2026-11-24T20:30:00-05:00", "defer", "2026-11-25T13:00:00Z", address=us("NY"))
case("ny number, FL address 20:30", NY, "2026-11-24T20:30:00-05:00", "defer", "2026-11-25T14:00:00Z", address=us("FL"))
case("850 8:15 ET", "+18505550123", "2026-11-24T08:15:00-05:00", "defer", "2026-11-24T14:00:00Z")
case("448 8:15 ET", "+14485550123", "2026-11-24T08:15:00-05:00", "defer", "2026-11-24T14:00:00Z")
case("850 19:30 ET", "+18505550123", "2026-11-24T19:30:00-05:00", "allow")
case("850 20:00 ET", "+18505550123", "2026-11-24T20:00:00-05:00", "defer", "2026-11-25T14:00:00Z")
F3 = ("2026-11-24T09:00:00-05:00", "2026-11-24T10:00:00-05:00", "2026-11-24T11:00:00-05:00")
case("fl 4th", FL, "2026-11-24T12:00:00-05:00", "defer", "2026-11-25T14:00:00Z", attempts=tries(*F3, number=FL))
case(
    "fl 4th other number",
    FL,
    "2026-11-24T12:00:00-05:00",
    "defer",
    "2026-11-25T14:00:00Z",
    attempts=tries(*F3, number="+13055550199"),
)
case(
    "fl 4th other subject", FL, "2026-11-24T12:00:00-05:00", "allow", attempts=tries(*F3, number=FL, subject="windows")
)
case(
    "fl 4th unknown subject",
    FL,
    "2026-11-24T12:00:00-05:00",
    "defer",
    "2026-11-25T14:00:00Z",
    attempts=[{k: v for k, v in a.items() if k != "subject"} for a in tries(*F3, number=FL)],
)
case("fl 4th at 24h exactly", FL, "2026-11-25T09:00:00-05:00", "allow", attempts=tries(*F3, number=FL))
case(
    "fl 4th at 23:59:59",
    FL,
    "2026-11-25T08:59:59-05:00",
    "defer",
    "2026-11-25T14:00:00Z",
    attempts=tries(*F3, number=FL),
)
case("fl predictive no consent", FL, "2026-11-24T12:00:00-05:00", "deny", mode="predictive")
case("fl predictive written", FL, "2026-11-24T12:00:00-05:00", "allow", mode="predictive", consents=consent())
case("fl informational at 20:30", FL, "2026-11-24T20:30:00-05:00", "allow", purpose="informational")
# states
case("ok 20:30", "+14055550123", "2026-11-24T20:30:00-06:00", "defer", "2026-11-25T14:00:00Z")
case(
    "ok 4th",
    "+14055550123",
    "2026-11-24T12:00:00-06:00",
    "defer",
    "2026-11-25T15:00:00Z",
    attempts=tries("2026-11-24T09:00:00-06:00", "2026-11-24T10:00:00-06:00", "2026-11-24T11:00:00-06:00"),
)
case("wa 20:30", "+12065550123", "2026-11-24T20:30:00-08:00", "defer", "2026-11-25T16:00:00Z")
case(
    "wa refused 300 d, until when the lists are stale",
    "+12065550123",
    "2026-11-24T12:00:00-08:00",
    "deny",
    None,
    refused_at="2026-01-28T20:00:00Z",
    scrub=dict.fromkeys(LISTS, 1),
)
case("md 20:30", "+14105550123", "2026-11-24T20:30:00-05:00", "defer", "2026-11-25T13:00:00Z")
case("md 4th", "+14105550123", "2026-11-24T12:00:00-05:00", "defer", "2026-11-25T14:00:00Z", attempts=tries(*F3))
case("md before 2024", "+14105550123", "2023-12-29T20:30:00-05:00", "allow")
case("tx sunday 11:00", "+12145550123", "2026-11-22T11:00:00-06:00", "defer", "2026-11-22T18:00:00Z")
case("tx monday 8:30", "+12145550123", "2026-11-23T08:30:00-06:00", "defer", "2026-11-23T15:00:00Z")
case("tx 20:30", "+12145550123", "2026-11-24T20:30:00-06:00", "allow")
case("tx 8:30 on 2025-08-29", "+12145550123", "2025-08-29T08:30:00-05:00", "allow")
case("tx mobile", "+12145550123", "2026-11-24T12:00:00-06:00", "deny", line="mobile")
case("tx mobile, written", "+12145550123", "2026-11-24T12:00:00-06:00", "allow", line="mobile", consents=consent())
case(
    "va sms refused 5 years ago",
    "+17035550123",
    "2026-11-24T12:00:00-05:00",
    "deny",
    channel="sms",
    refused_at="2026-01-02T00:00:00Z",
    consents=consent(channel="sms", given="2025-01-01T00:00:00Z"),
)
case("me without rnd", "+12075550123", "2026-11-24T12:00:00-05:00", "deny", scrub={"rnd": None})
case("me with rnd", "+12075550123", "2026-11-24T12:00:00-05:00", "allow")
case("al sunday", "+12055550123", "2026-11-22T12:00:00-06:00", "defer", "2026-11-23T14:00:00Z")
case("al thanksgiving", "+12055550123", "2026-11-26T12:00:00-06:00", "defer", "2026-11-27T14:00:00Z")
case("al july 3 observed", "+12055550123", "2026-07-03T12:00:00-05:00", "defer", "2026-07-06T13:00:00Z")
case("ms july 5 2027 observed", "+16015550123", "2027-07-05T12:00:00-05:00", "defer", "2027-07-06T13:00:00Z")
case("ms sunday", "+16015550123", "2026-11-22T12:00:00-06:00", "defer", "2026-11-23T14:00:00Z")
case("la sunday", "+15045550123", "2026-11-22T12:00:00-06:00", "defer", "2026-11-23T14:00:00Z")
case("la 20:30", "+15045550123", "2026-11-24T20:30:00-06:00", "defer", "2026-11-25T14:00:00Z")
case(
    "la proclaimed today",
    "+15045550123",
    "2026-12-02T12:00:00-06:00",
    "defer",
    "2026-12-03T14:00:00Z",
    holidays_proclaimed=[{"jurisdiction": "US-LA", "on": "2026-12-02"}],
)
case("la mobile", "+15045550123", "2026-11-24T12:00:00-06:00", "deny", line="mobile")
case("ut sunday", "+18015550123", "2026-11-22T12:00:00-07:00", "defer", "2026-11-23T15:00:00Z")
case("ut pioneer day", "+18015550123", "2026-07-24T12:00:00-06:00", "defer", "2026-07-25T14:00:00Z")
case("ri 18:00", "+14015550123", "2026-11-24T18:00:00-05:00", "defer", "2026-11-25T14:00:00Z")
case("ri 9:00", "+14015550123", "2026-11-24T09:00:00-05:00", "allow")
case("ri saturday evening", "+14015550123", "2026-11-21T19:00:00-05:00", "defer", "2026-11-23T14:00:00Z")
case("ct 20:00", "+12035550123", "2026-11-24T20:00:00-05:00", "defer", "2026-11-25T14:00:00Z")
case("ct 8:30", "+12035550123", "2026-11-24T08:30:00-05:00", "defer", "2026-11-24T14:00:00Z")
case("ky 9:30", "+15025550123", "2026-11-24T09:30:00-05:00", "defer", "2026-11-24T15:00:00Z")
case("ky 270 at 10:30 ET", "+12705550123", "2026-11-24T10:30:00-05:00", "defer", "2026-11-24T16:00:00Z")
case("ky 364 overlay at 10:30 ET", "+13645550123", "2026-11-24T10:30:00-05:00", "defer", "2026-11-24T16:00:00Z")
# GB
GB = "+442071230123"
case("gb at noon", GB, "2026-11-24T12:00:00+00:00", "allow")
case("gb tps 28", GB, "2026-11-24T12:00:00+00:00", "allow", scrub={"tps": 28})
case("gb tps 29", GB, "2026-11-24T12:00:00+00:00", "deny", scrub={"tps": 29})
case("gb ctps 29", GB, "2026-11-24T12:00:00+00:00", "deny", scrub={"ctps": 29})
case("gb tps listed", GB, "2026-11-24T12:00:00+00:00", "deny", scrub={"tps": "listed"})
case(
    "gb tps listed, customer",
    GB,
    "2026-11-24T12:00:00+00:00",
    "deny",
    scrub={"tps": "listed"},
    relationship={"kind": "customer", "since": "2026-11-01"},
)
case(
    "gb tps listed, express",
    GB,
    "2026-11-24T12:00:00+00:00",
    "allow",
    scrub={"tps": "listed"},
    consents=consent("express"),
)
case("gb prerecorded none", GB, "2026-11-24T12:00:00+00:00", "deny", mode="prerecorded")
case(
    "gb prerecorded express", GB, "2026-11-24T12:00:00+00:00", "allow", mode="prerecorded", consents=consent("express")
)
case(
    "gb abandoned 71 h",
    GB,
    "2026-11-24T12:00:00+00:00",
    "defer",
    "2026-11-24T13:00:00Z",
    mode="predictive",
    attempts=tries("2026-11-21T13:00:00Z", outcome="abandoned", number=GB),
)
case(
    "gb abandoned 71 h preview",
    GB,
    "2026-11-24T12:00:00+00:00",
    "allow",
    attempts=tries("2026-11-21T13:00:00Z", outcome="abandoned", number=GB),
)
case(
    "gb machine today",
    GB,
    "2026-11-24T12:00:00+00:00",
    "defer",
    "2026-11-25T00:00:00Z",
    mode="predictive",
    attempts=tries("2026-11-24T09:00:00Z", outcome="machine", number=GB),
)
case(
    "gb 3.1 % of the day",
    GB,
    "2026-11-24T12:00:00+00:00",
    "deny",
    mode="predictive",
    campaign={"answered": 5000, "abandoned": 1, "windows": {"day": {"answered": 1000, "abandoned": 31}}},
)
case("gb mobile survey", "+447700900123", "2026-11-24T12:00:00+00:00", "allow", line="mobile", purpose="survey")
# FR
FR = "+33123456789"
OPT = consent("optin", given="2026-08-20T10:00:00+02:00")
case("fr lunch", FR, "2026-11-25T13:30:00+01:00", "defer", "2026-11-25T13:00:00Z", consents=OPT)
case("fr 12:59", FR, "2026-11-25T12:59:00+01:00", "defer", "2026-11-25T13:00:00Z", consents=OPT)
case("fr open", FR, "2026-11-25T11:00:00+01:00", "allow", consents=OPT)
case("fr no optin", FR, "2026-11-25T11:00:00+01:00", "deny")
case("fr express is no optin", FR, "2026-11-25T11:00:00+01:00", "deny", consents=consent("express"))
case("fr contract", FR, "2026-11-25T11:00:00+01:00", "allow", relationship={"kind": "customer", "since": "2026-10-01"})
case(
    "fr former customer",
    FR,
    "2026-11-25T11:00:00+01:00",
    "deny",
    relationship={"kind": "former_customer", "since": "2026-10-01"},
)
case("fr 2026-08-10 no optin", FR, "2026-08-10T11:00:00+02:00", "allow")
case("fr 2026-08-11 no optin", FR, "2026-08-11T11:00:00+02:00", "deny")
case("fr bloctel july", FR, "2026-07-15T11:00:00+02:00", "deny", scrub={"bloctel": "listed"})
case("fr saturday", FR, "2026-11-28T11:00:00+01:00", "defer", "2026-11-30T09:00:00Z", consents=OPT)
case("fr 14 july", FR, "2026-07-14T11:00:00+02:00", "defer", "2026-07-15T08:00:00Z")
case(
    "fr 5th in 30 d",
    FR,
    "2026-11-25T11:00:00+01:00",
    "defer",
    "2026-12-02T10:00:00Z",
    consents=OPT,
    attempts=tries(
        "2026-11-02T11:00:00+01:00",
        "2026-11-10T11:00:00+01:00",
        "2026-11-12T11:00:00+01:00",
        "2026-11-13T11:00:00+01:00",
        number=FR,
    ),
)
case(
    "fr 4th in 30 d",
    FR,
    "2026-11-25T11:00:00+01:00",
    "allow",
    consents=OPT,
    attempts=tries("2026-11-10T11:00:00+01:00", "2026-11-12T11:00:00+01:00", "2026-11-13T11:00:00+01:00", number=FR),
)
case(
    "fr refused 59 d",
    FR,
    "2026-11-25T11:00:00+01:00",
    "defer",
    "2026-11-26T09:00:00Z",
    relationship={"kind": "none"},
    consents=consent("optin", given="2026-11-20T10:00:00Z"),
    refused_at="2026-09-27T11:00:00+02:00",
)
case("fr evening by consent", FR, "2026-11-25T21:00:00+01:00", "allow", consents=consent("optin", outside_hours=True))
case("reunion winter paris 17:00", "+262262123456", "2026-01-14T17:00:00+01:00", "defer", "2026-01-15T06:00:00Z")
case("reunion summer paris 16:30", "+262262123456", "2026-07-15T16:30:00+02:00", "allow")
case("fr prerecorded none july", FR, "2026-07-15T11:00:00+02:00", "deny", mode="prerecorded")
# DE
DE = "+493012345678"
E = consent("optin")
case("de open", DE, "2026-11-24T12:00:00+01:00", "allow", consents=E)
case("de no consent", DE, "2026-11-24T12:00:00+01:00", "deny")
case(
    "de customer, no consent",
    DE,
    "2026-11-24T12:00:00+01:00",
    "deny",
    relationship={"kind": "customer", "since": "2026-11-01"},
)
case("de 20:00", DE, "2026-11-24T20:00:00+01:00", "defer", "2026-11-25T07:00:00Z", consents=E)
case("de sunday", DE, "2026-11-22T12:00:00+01:00", "defer", "2026-11-23T07:00:00Z", consents=E)
case("de 3 oct", DE, "2026-10-03T12:00:00+02:00", "defer", "2026-10-05T06:00:00Z", consents=E)
case("de corpus christi regional", DE, "2026-06-04T12:00:00+02:00", "allow", consents=E)
case("de good friday", DE, "2026-04-03T12:00:00+02:00", "defer", "2026-04-04T06:00:00Z", consents=E)
case(
    "de 4th today",
    DE,
    "2026-11-24T18:00:00+01:00",
    "defer",
    "2026-11-25T07:00:00Z",
    consents=E,
    attempts=tries("2026-11-24T09:00:00+01:00", "2026-11-24T10:00:00+01:00", "2026-11-24T11:00:00+01:00", number=DE),
)
case(
    "de 3 yesterday",
    DE,
    "2026-11-24T09:00:00+01:00",
    "allow",
    consents=E,
    attempts=tries("2026-11-23T17:00:00+01:00", "2026-11-23T18:00:00+01:00", "2026-11-23T19:00:00+01:00", number=DE),
)
# ES
case("es open no consent", "+34912345678", "2026-11-24T12:00:00+01:00", "deny")
case("es open optin", "+34912345678", "2026-11-24T12:00:00+01:00", "allow", consents=consent("optin"))
case("es sat", "+34912345678", "2026-11-28T12:00:00+01:00", "defer", "2026-11-30T08:00:00Z", consents=consent("optin"))
case(
    "es 8 dec", "+34912345678", "2026-12-08T12:00:00+01:00", "defer", "2026-12-09T08:00:00Z", consents=consent("optin")
)
case(
    "es mobile 9:30",
    "+34612345678",
    "2026-11-24T09:30:00+01:00",
    "defer",
    "2026-11-24T09:00:00Z",
    line="mobile",
    consents=consent("optin"),
)
case(
    "es canary 9:30 Madrid",
    "+34928123456",
    "2026-11-24T09:30:00+01:00",
    "defer",
    "2026-11-24T09:00:00Z",
    consents=consent("optin"),
)
case(
    "es robinson listed",
    "+34912345678",
    "2026-11-24T12:00:00+01:00",
    "deny",
    scrub={"es_robinson": "listed"},
    relationship={"kind": "customer", "since": "2026-11-01"},
)
# IT
IT = "+390612345678"
case("it rpo 15", IT, "2026-11-24T12:00:00+01:00", "allow", scrub={"rpo": 15})
case("it rpo 16", IT, "2026-11-24T12:00:00+01:00", "deny", scrub={"rpo": 16})
case("it rpo listed", IT, "2026-11-24T12:00:00+01:00", "deny", scrub={"rpo": "listed"})
case(
    "it rpo listed, customer",
    IT,
    "2026-11-24T12:00:00+01:00",
    "allow",
    scrub={"rpo": "listed"},
    relationship={"kind": "customer", "since": "2024-01-01"},
)
case(
    "it rpo listed, former 29 d",
    IT,
    "2026-11-24T12:00:00+01:00",
    "allow",
    scrub={"rpo": "listed"},
    relationship={"kind": "former_customer", "since": "2026-10-26"},
)
case(
    "it rpo listed, former 30 d",
    IT,
    "2026-11-24T12:00:00+01:00",
    "deny",
    scrub={"rpo": "listed"},
    relationship={"kind": "former_customer", "since": "2026-10-25"},
)
case("it prerecorded", IT, "2026-11-24T12:00:00+01:00", "deny", mode="prerecorded")
# CA
CA = "+14165550123"
case("ca 9:00", CA, "2026-11-24T09:00:00-05:00", "allow")
case("ca 21:28", CA, "2026-11-24T21:28:00-05:00", "allow")
case("ca 21:29", CA, "2026-11-24T21:29:00-05:00", "defer", "2026-11-25T14:00:00Z")
case("ca sat 9:30", CA, "2026-11-21T09:30:00-05:00", "defer", "2026-11-21T15:00:00Z")
case("ca sun 18:00", CA, "2026-11-22T18:00:00-05:00", "defer", "2026-11-23T14:00:00Z")
case("ca dncl 31", CA, "2026-11-24T12:00:00-05:00", "allow", scrub={"ca_dncl": 31})
case("ca dncl 32", CA, "2026-11-24T12:00:00-05:00", "deny", scrub={"ca_dncl": 32})
case(
    "ca adad ebr",
    CA,
    "2026-11-24T12:00:00-05:00",
    "deny",
    mode="prerecorded",
    relationship={"kind": "customer", "since": "2026-11-01"},
)
case("ca adad express", CA, "2026-11-24T12:00:00-05:00", "allow", mode="prerecorded", consents=consent("express"))
case("ca 5 %", CA, "2026-11-24T12:00:00-05:00", "allow", mode="predictive", campaign={"answered": 100, "abandoned": 5})
case("ca 6 %", CA, "2026-11-24T12:00:00-05:00", "deny", mode="predictive", campaign={"answered": 100, "abandoned": 6})
case(
    "ca information by machine at 22",
    "+14165550123",
    "2026-11-24T22:00:00-05:00",
    "defer",
    "2026-11-25T14:00:00Z",
    mode="prerecorded",
    purpose="informational",
    consents=consent("express", purpose="informational"),
)
case(
    "ca 778, overlay of 250, at 20:45 in Vancouver",
    "+17785550123",
    "2026-11-24T20:45:00-08:00",
    "defer",
    "2026-11-25T17:00:00Z",
)
# AU
AU = "+61291234567"
case("au open", AU, "2026-11-24T12:00:00+11:00", "allow")
case("au 19:59", AU, "2026-11-24T19:59:00+11:00", "defer", "2026-11-24T22:00:00Z")
case("au sat 17:00", AU, "2026-11-21T17:00:00+11:00", "defer", "2026-11-22T22:00:00Z")
case("au sun", AU, "2026-11-22T12:00:00+11:00", "defer", "2026-11-22T22:00:00Z")
case("au survey 20:15", AU, "2026-11-24T20:15:00+11:00", "allow", purpose="survey")
case("au survey sun 12:00", AU, "2026-11-22T12:00:00+11:00", "allow", purpose="survey")
case("au day", AU, "2026-01-26T12:00:00+11:00", "defer", "2026-01-26T22:00:00Z")
case("au evening by consent", AU, "2026-11-24T21:00:00+11:00", "allow", consents=consent("express", outside_hours=True))
case(
    "au evening by plain consent",
    AU,
    "2026-11-24T21:00:00+11:00",
    "defer",
    "2026-11-24T22:00:00Z",
    consents=consent("express"),
)
case("au dncr 30", AU, "2026-11-24T12:00:00+11:00", "allow", scrub={"au_dncr": 30})
case("au dncr 31", AU, "2026-11-24T12:00:00+11:00", "deny", scrub={"au_dncr": 31})
case(
    "au mobile jan 13:00 sydney",
    "+61412345678",
    "2026-01-14T11:30:00+11:00",
    "defer",
    "2026-01-14T02:30:00Z",
    line="mobile",
)
# IN BR IE
case("in 9:30", "+911123456789", "2026-11-24T09:30:00+05:30", "defer", "2026-11-24T04:30:00Z")
case("in 10:00", "+911123456789", "2026-11-24T10:00:00+05:30", "allow")
case("in listed", "+911123456789", "2026-11-24T12:00:00+05:30", "deny", scrub={"in_ndnc": "listed"})
case("br sat 16:00", "+551123456789", "2026-11-21T16:00:00-03:00", "defer", "2026-11-23T12:00:00Z")
case("br sun", "+551123456789", "2026-11-22T12:00:00-03:00", "defer", "2026-11-23T12:00:00Z")
case("br open", "+551123456789", "2026-11-24T12:00:00-03:00", "allow")
case("br mobile 9:30 sp", "+5511987654321", "2026-11-24T09:30:00-03:00", "defer", "2026-11-24T14:00:00Z", line="mobile")
case("br listed", "+551123456789", "2026-11-24T12:00:00-03:00", "deny", scrub={"br_nao_me_perturbe": "listed"})
case("ie live", "+35315550123", "2026-11-24T12:00:00+00:00", "allow")
case("ie prerecorded", "+35315550123", "2026-11-24T12:00:00+00:00", "deny", mode="prerecorded")
case("ie sms none", "+353871234567", "2026-11-24T12:00:00+00:00", "deny", channel="sms", line="mobile")


@pytest.mark.parametrize("name", CASES)
def test_the_gate_decides_as_the_law_was_read(name: str) -> None:
    facts, expect, until = CASES[name]
    parsed, at = parse_facts(facts, PACKS.places)
    decision = decide(parsed, PACKS, at).to_json()
    held_back = [rule for rule in decision["rules"] if rule["says"] != "allow"]
    assert (decision["decision"], decision["until"]) == (expect, until), held_back
