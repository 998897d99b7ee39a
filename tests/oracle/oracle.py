"""The naive gate: is this one call, in this one mode, allowed at this one instant?

It reads the same YAML packs, but knows nothing of intervals, of "until" or of caches: every rule is applied to one
instant with the calendar arithmetic of `datetime`. Zones come from `phonenumbers` directly and not from the generated
table; only postal codes and regions are looked up in the table, for which there is no other source at hand.
"""

import json
import re
from calendar import monthrange
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import holidays
import phonenumbers
import yaml
from phonenumbers.tzdata import TIMEZONE_DATA

PACKS = Path(__file__).parents[2] / "services/dialer/packs"
ALL_MODES = ("manual", "preview", "progressive", "predictive", "prerecorded")
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
FRENCH = {"262", "590", "594", "596", "508"}
SHARED = (
    {"208", "986"}, {"270", "364"}, {"541", "458"}, {"812", "930"}, {"850", "448"}, {"709", "879"}, {"423", "729"},
    {"250", "236", "257", "672", "778"}, {"604", "236", "257", "672", "778"}, {"418", "581", "367"},
)  # fmt: skip
NORTH = (
    "America/Whitehorse America/Dawson America/Inuvik America/Edmonton America/Cambridge_Bay America/Rankin_Inlet "
    "America/Resolute America/Iqaluit"
)
Json = dict[str, Any]
_NUMBERS: dict[tuple[str, str], tuple[set[str], set[str]]] = {}
"""The zones and jurisdictions of numbers asked about before; finding them reads all prefixes."""


def load() -> list[Json]:
    """Read the packs as plain YAML."""
    return [yaml.safe_load(path.read_text()) for path in sorted(PACKS.glob("*.yaml"))]


@lru_cache(maxsize=1)
def table() -> Json:
    return json.loads((PACKS / "numbers.json").read_text())


class Oracle:
    """Judges one set of facts against packs."""

    def __init__(self, packs: list[Json], facts: Json) -> None:
        self.facts = facts
        self.purpose = facts.get("purpose") or "marketing"
        self.channel = facts.get("channel") or "voice"
        self.line = facts.get("line_type") or "unknown"
        self.zones, self.codes = self.where()
        subjects = {p["id"]: p for p in packs}
        chosen = [p for p in packs if "*" in p["jurisdictions"] or set(p["jurisdictions"]) & self.codes]
        for pack in list(chosen):
            if pack.get("extends") and subjects[pack["extends"]] not in chosen:
                chosen.append(subjects[pack["extends"]])
        self.rules: list[Json] = [
            {**rule, "when": {**pack.get("when", {}), **rule.get("when", {})}, "full": f"{pack['id']}.{rule['id']}"}
            for pack in chosen
            for rule in pack["rules"]
        ]
        self.rules = [r for r in self.rules if self.concerns(r["when"])]

    def concerns(self, when: Any) -> bool:
        pairs = (("purposes", self.purpose), ("channels", self.channel), ("lines", self.line))
        return all(name not in when or value in when[name] for name, value in pairs)

    # Where the person may be

    def where(self) -> tuple[set[str], set[str]]:
        zones, codes = _NUMBERS.get((self.facts["number"], self.line)) or self.number_zones()
        _NUMBERS[self.facts["number"], self.line] = zones, codes
        address = self.facts.get("address")
        if address is None:
            return zones, codes
        more, regions = self.address_zones(address)
        country = table()["parents"].get(address["country"], address["country"])
        codes = codes | {country} | {f"{country}-{r}" for r in regions}
        if country == "US" and not any(c.startswith("US-") for c in codes):
            codes = codes | {r for r in table()["regions"] if r.startswith("US-")}
        return (zones | more if more else set()), codes

    def number_zones(self) -> tuple[set[str], set[str]]:
        digits = self.facts["number"][1:]
        if digits[0] == "1":
            entry = table()["area_codes"].get(digits[1:4]) if len(digits) == 11 else None
            if entry is None:
                return set(), set()
            together = {digits[1:4]}.union(*(group for group in SHARED if digits[1:4] in group))
            if digits[1:4] in ("236", "257", "672", "778"):
                together |= {"250", "604"}
            zones = {
                z for k, v in TIMEZONE_DATA.items() if k[0] == "1" and k[1:4] in together and len(k) > 3 for z in v
            }
            if digits[1:4] == "867":
                zones |= set(NORTH.split())
            zones = {"474": {"America/Regina"}, "689": {"America/New_York"}}.get(digits[1:4], zones)
            if digits[1:4] in ("709", "879"):
                zones = {"America/St_Johns", "America/Goose_Bay"}
            country, region = entry[:2]
            return zones, {country, *(f"{country}-{r}" for r in (region or "").split("/") if r)}
        code = next(
            (digits[:n] for n in (1, 2, 3) if int(digits[:n]) in phonenumbers.COUNTRY_CODE_TO_REGION_CODE), None
        )
        regions = phonenumbers.COUNTRY_CODE_TO_REGION_CODE.get(int(code or 0), ("001",))
        if code is None or regions[0] == "001":
            return set(), set()
        free = phonenumbers.PhoneMetadata.metadata_for_region(regions[0], None)
        assert free is not None
        if free.toll_free and re.fullmatch(free.toll_free.national_number_pattern or "-", digits[len(code) :]):
            return set(), set()
        jurisdiction = "FR" if code in FRENCH else regions[0]
        whole = set(TIMEZONE_DATA.get(code, ()))
        listed = list(table()["countries"].get(regions[0], []))
        if len(regions) == 1 and len(listed) == 1:
            whole = set(listed)
        longest = max((k for k in TIMEZONE_DATA if len(k) > len(code) and digits.startswith(k)), key=len, default=None)
        area = set(TIMEZONE_DATA[longest]) if longest else set()
        if self.line == "mobile" or not area or (len(regions) == 1 and len(listed) == 1):
            return whole, {jurisdiction}
        return (area if self.line == "landline" else area | whole), {jurisdiction}

    def address_zones(self, address: Json) -> tuple[set[str], set[str]]:
        country, region, postal = address["country"], address.get("region"), address.get("postal_code")
        region = region.removeprefix(f"{country}-") if region else None
        codes = table()["postal_codes"].get(country, {})
        code = (postal or "").replace(" ", "").upper()
        found = codes.get(code[:5]) or codes.get(code[:3]) if code else None
        if found:
            return set(found[1:]), {found[0], *([region] if region else [])}
        if region and f"{country}-{region}" in table()["regions"]:
            return set(table()["regions"][f"{country}-{region}"]), {region}
        return set(table()["countries"].get(country, [])), {region} if region else set()

    # One instant

    def allows(self, mode: str, at: datetime) -> bool:
        """Tell whether nothing stands against the call in *mode* at *at*."""
        facts = self.facts
        if facts.get("suppressed") is not False or not self.zones:
            return False
        if ((facts.get("scrubs") or {}).get("internal") or {"listed": False}).get("listed") is not False:
            return False
        ring = max((r["min_ring_s"] for r in self.rules if "min_ring_s" in r and self.about(r, mode)), default=0)
        hours = (facts.get("campaign") or {}).get("hours")
        if hours is not None and not all(
            self.inside(hours.get(local(at, z).strftime("%a").lower()) or [], at, z, ring) for z in self.zones
        ):
            return False
        return not any(self.forbids(rule, mode, at, ring) for rule in self.rules if self.about(rule, mode))

    def about(self, rule: Json, mode: str) -> bool:
        return mode in rule["when"].get("modes", ALL_MODES)

    def in_force(self, rule: Json, day: date) -> bool:
        effective = rule.get("effective") or {}
        start, end = effective.get("from"), effective.get("to")
        return (start is None or day >= start) and (end is None or day < end)

    def forbids(self, rule: Json, mode: str, at: datetime, ring: int) -> bool:
        if "hours" in rule:
            opened = rule["hours"].get("opened_by_consent") and self.consented(
                ("express", "written", "optin"), at, True
            )
            return not opened and any(self.closed(rule, at, z, ring) for z in self.zones)
        if not any(self.in_force(rule, local(at, zone).date()) for zone in self.zones):
            return False
        if "consent" in rule:
            needed = rule["consent"]
            return not self.consented(needed["any_of"], at) and not self.lifted(needed.get("unless"), at)
        if "scrub" in rule:
            return not self.lifted(rule["scrub"].get("unless"), at) and not self.scrubbed(rule["scrub"], at)
        if "cap" in rule:
            return self.reached(rule["cap"], rule["when"].get("channels"), at)
        if "cool_down" in rule:
            return mode not in rule["cool_down"].get("modes", ()) and self.cooling(rule["cool_down"], at)
        if "abandonment" in rule:
            return mode not in rule["abandonment"]["modes"] and self.abandons(rule["abandonment"])
        if "barred" in rule:
            return not self.lifted(rule["barred"].get("unless"), at)
        return "revoke_all" in rule and self.revoked(at)

    def closed(self, rule: Json, at: datetime, zone: str, ring: int) -> bool:
        day = local(at, zone).date()
        if not self.in_force(rule, day):
            return False
        hours = rule["hours"]
        windows = next(w for key, w in hours.items() if DAYS[day.weekday()] in days_of(key))
        if "calendar" in hours:
            if "holidays" in hours and self.holiday(hours["calendar"], day):
                windows = "closed" if hours["holidays"] == "closed" else both(windows, hours["holidays"])
            elif "eves" in hours and self.holiday(hours["calendar"], day + timedelta(days=1)):
                windows = both(windows, hours["eves"])
        if windows == [["00:00", "24:00"]]:
            # An open day ends where the next one begins; its last minute is closed only if that one starts closed.
            soon = at + timedelta(seconds=max(60, ring))
            return local(soon, zone).date() != day and self.closed(rule, soon, zone, 0)
        return not self.inside([] if windows == "closed" else windows, at, zone, ring)

    def inside(self, windows: list[list[str]], at: datetime, zone: str, ring: int) -> bool:
        clock = local(at, zone)
        for start, end in windows:
            closes = clock.replace(hour=0, minute=0, second=0, microsecond=0) + wall(end)
            opens = clock.replace(hour=0, minute=0, second=0, microsecond=0) + wall(start)
            if opens <= clock < closes - timedelta(seconds=max(60, ring)):
                return True
        return False

    def holiday(self, calendar: str, day: date) -> bool:
        country = calendar[:2]
        proclaimed = self.facts.get("holidays_proclaimed") or []
        if any(p["on"] == day.isoformat() and p["jurisdiction"] in (calendar, country) for p in proclaimed):
            return True
        return day in public(country, calendar[3:] or None)

    def consented(self, kinds: tuple[str, ...] | list[str], at: datetime, outside: bool = False) -> bool:
        mine = [
            c
            for c in self.facts.get("consents") or []
            if (c.get("purpose"), c.get("channel")) == (self.purpose, self.channel)
        ]
        ended = [
            instant(c["withdrawn_at"])
            for c in self.facts.get("consents") or []
            if c.get("withdrawn_at")
            and c.get("purpose") in (None, self.purpose)
            and c.get("channel") in (None, self.channel)
        ]
        for consent in mine:
            if (
                not consent.get("given_at")
                or consent.get("kind") not in kinds
                or (outside and not consent.get("outside_hours"))
            ):
                continue
            given = instant(consent["given_at"])
            if given <= at and not [w for w in ended if given <= w <= at]:
                return True
        return False

    def revoked(self, at: datetime) -> bool:
        every = self.facts.get("consents") or []
        ended = [instant(c["withdrawn_at"]) for c in every if c.get("withdrawn_at") and c.get("channel") != "email"]
        ended = [w for w in ended if w <= at]
        mine = [c for c in every if (c.get("purpose"), c.get("channel")) == (self.purpose, self.channel)]
        given = [instant(c["given_at"]) for c in mine if c.get("given_at") and c.get("kind")]
        return bool(ended) and not any(max(ended) < g <= at for g in given)

    def lifted(self, unless: Json | None, at: datetime) -> bool:
        unless = unless or {}
        if self.consented(unless.get("consent", []), at):
            return True
        relationship = self.facts.get("relationship") or {}
        length = unless.get("relationship", {}).get(relationship.get("kind") or "none")
        refused = self.facts.get("refused_at")
        if length is None or (refused and instant(refused) <= at):
            return False
        if length == "any":
            return True
        if not relationship.get("since"):
            return False
        since = date.fromisoformat(relationship["since"])
        return all(since <= local(at, z).date() < later(since, length) for z in self.zones)

    def scrubbed(self, scrub: Json, at: datetime) -> bool:
        for name, age in scrub["lists"].items():
            found = (self.facts.get("scrubs") or {}).get(name)
            if found is None:
                if scrub.get("required", True):
                    return False
                continue
            if found.get("listed") is not False:
                return False
            if age == "any":
                continue
            if not found.get("version_on"):
                return False
            for zone in self.zones:
                days = (local(at, zone).date() - date.fromisoformat(found["version_on"])).days
                if not 0 <= days <= age:
                    return False
        return True

    def same(self, key: str, attempt: Json) -> bool:
        if key == "number":
            return attempt.get("number") in (None, self.facts["number"])
        if key in ("subject", "debt"):
            return (
                None in (attempt.get("subject"), self.facts.get("subject"))
                or attempt["subject"] == self.facts["subject"]
            )
        return key == "person" or (attempt.get("campaign") or "this") == "this"

    def reached(self, cap: Json, channels: list[str] | None, at: datetime) -> bool:
        counted = [
            instant(a["at"])
            for a in self.facts.get("attempts") or []
            if a.get("outcome") not in cap.get("exclude", ())
            and (a.get("channel") is None or channels is None or a["channel"] in channels)
            and self.same(cap["per"], a)
        ]
        if cap["within"] == "calendar_day":
            return any(
                sum(local(c, z).date() == local(at, z).date() for c in counted) >= cap["maximum"] for z in self.zones
            )
        return sum(at - c < length_of(cap["within"]) for c in counted) >= cap["maximum"]

    def cooling(self, cool: Json, at: datetime) -> bool:
        if cool["after"] == "refused":
            refused = self.facts.get("refused_at")
            events = [instant(refused)] if refused else []
        else:
            events = [
                instant(a["at"])
                for a in self.facts.get("attempts") or []
                if a.get("outcome") in (None, cool["after"]) and a.get("channel") in (None, "voice")
                if self.same(cool.get("per", "person"), a)
            ]
        if cool["lasting"] == "calendar_day":
            return any(local(e, z).date() == local(at, z).date() for e in events for z in self.zones)
        if cool["lasting"][-1] in "MY" and "T" not in cool["lasting"]:
            return any(at < datetime.combine(later(e.date(), cool["lasting"]), e.timetz()) for e in events)
        return any(at - e < length_of(cool["lasting"]) for e in events)

    def abandons(self, limit: Json) -> bool:
        campaign = self.facts.get("campaign") or {}
        counts = (campaign.get("windows") or {}).get(limit["window"]) or campaign
        answered, abandoned = counts.get("answered"), counts.get("abandoned")
        if answered is None or abandoned is None or answered < limit.get("min_sample", 0):
            return True
        return abandoned * 100 > limit["cap_pct"] * answered


def instant(text: str) -> datetime:
    return datetime.fromisoformat(str(text)).astimezone(UTC)


@lru_cache(maxsize=1000)
def zone_info(name: str) -> ZoneInfo:
    return ZoneInfo(name)


def local(at: datetime, zone: str) -> datetime:
    """The clock on the wall, without its zone, so that differences are those of the hands."""
    return at.astimezone(zone_info(zone)).replace(tzinfo=None)


def wall(text: str) -> timedelta:
    return timedelta(hours=int(text[:2]), minutes=int(text[3:]))


def days_of(key: str) -> tuple[str, ...]:
    if key == "daily":
        return DAYS
    first, _, last = key.partition("-")
    if first not in DAYS:
        return ()
    return DAYS[DAYS.index(first) : DAYS.index(last or first) + 1]


def both(one: Any, other: Any) -> Any:
    if "closed" in (one, other):
        return "closed"
    pairs = ((max(a[0], b[0]), min(a[1], b[1])) for a in one for b in other)
    return [[a, b] for a, b in pairs if a < b]


@lru_cache(maxsize=200)
def public(country: str, subdivision: str | None) -> Any:
    return holidays.country_holidays(country, subdiv=subdivision)


def length_of(text: str) -> timedelta:
    number = int(re.sub(r"\D", "", text))
    return timedelta(days=number) if text.endswith("D") else timedelta(hours=number)


def later(since: date, text: str) -> date:
    if text.endswith("D"):
        return since + length_of(text)
    months = since.month - 1 + int(text[1:-1]) * (12 if text.endswith("Y") else 1)
    year, month = since.year + months // 12, months % 12 + 1
    return date(year, month, min(since.day, monthrange(year, month)[1]))
