"""Where the person behind a number and an address may be: the zones, and the jurisdictions whose rules apply."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from services.dialer.domain.gate.facts import Address, LineType

_NANP_LENGTH = 12  # +1, three digits of area code, seven more


@dataclass(frozen=True, slots=True)
class Place:
    """Every zone and jurisdiction to reckon with; *missing* says what is needed when a zone is not known."""

    zones: tuple[str, ...]
    jurisdictions: tuple[str, ...]
    missing: str | None = None


@dataclass(slots=True)
class Places:
    """The generated number table (`tools/number_table.py`), and what has been looked up in it."""

    table: Mapping[str, Any]
    _known: dict[tuple[object, ...], Place] = field(default_factory=dict[tuple[object, ...], Place])
    _toll_free: dict[str, re.Pattern[str]] = field(default_factory=dict[str, re.Pattern[str]])

    @property
    def version(self) -> str:
        """Return the version of the table: what it was generated from."""
        return self.table["version"]

    def place(self, number: str, line_type: LineType, address: Address | None, subdivided: frozenset[str]) -> Place:
        """Return where the person may be: the zones of number and address joined, and both their jurisdictions.

        In a country of *subdivided* (those with packs of their own for parts of the country) an address that names no
        region may be in any of them, unless the number tells.
        """
        key = self._number_key(number, line_type)
        full = (key, None if address is None else (address.country, address.region, address.postal_code))
        if (known := self._known.get(full)) is None:
            if len(self._known) >= 200_000:  # An address per postal code; more are not kept at once.
                self._known.clear()
            known = self._known[full] = self._join(key, address, subdivided)
        return known

    def has_region(self, country: str, region: str) -> bool:
        """Tell whether *region* may be one of *country*; only for the United States and Canada is that known."""
        return country not in ("US", "CA") or f"{country}-{region}" in self.table["regions"]

    def has_country(self, country: str) -> bool:
        """Tell whether *country* is one of the tz database."""
        return country in self.table["countries"]

    def _number_key(self, number: str, line_type: LineType) -> tuple[str, ...]:
        """Return what of the number decides: its area code, or its country and the area within."""
        if number.startswith("+1"):
            return ("1", number[2:5]) if len(number) == _NANP_LENGTH else ()
        digits = number[1:]
        codes = self.table["codes"]
        for length in (1, 2, 3):
            if (code := digits[:length]) in codes:
                break
        else:
            return ()
        national = digits[length:]
        if (pattern := codes[code].get("toll_free")) and self._pattern(code, pattern).fullmatch(national):
            return ()
        if line_type == "mobile":
            return (code, "")
        areas = codes[code].get("areas", {})
        area = next((national[:n] for n in range(len(national), 0, -1) if national[:n] in areas), "")
        return (code, area, line_type) if area else (code, "")

    def _pattern(self, code: str, pattern: str) -> re.Pattern[str]:
        if (known := self._toll_free.get(code)) is None:
            known = self._toll_free[code] = re.compile(pattern)
        return known

    def _join(self, key: tuple[str, ...], address: Address | None, subdivided: frozenset[str]) -> Place:
        zones, jurisdictions = self._of_number(key)
        if not zones and address is None:
            return Place((), tuple(jurisdictions), "an address: the number belongs to no place")
        if address is not None:
            more, codes = self._of_address(address)
            if not more:
                return Place((), tuple(sorted({*jurisdictions, *codes})), "an address whose time zone is known")
            country = address.country
            if country in subdivided and not any(code.startswith(f"{country}-") for code in [*codes, *jurisdictions]):
                codes = [*codes, *(code for code in self.table["regions"] if code.startswith(f"{country}-"))]
            zones, jurisdictions = [*zones, *more], [*jurisdictions, *codes]
        return Place(tuple(sorted(set(zones))), tuple(sorted(set(jurisdictions))))

    def _of_number(self, key: tuple[str, ...]) -> tuple[list[str], list[str]]:
        if not key:
            return [], []
        if key[0] == "1":
            country, region, zones = self.table["area_codes"].get(key[1], (None, None, ()))
            return list(zones), _codes(country, region.split("/") if region else ()) if country else []
        entry = self.table["codes"][key[0]]
        zones = entry["zones"]
        if key[1]:
            area = entry["areas"][key[1]]
            # Without knowing that the line is a landline, the number may be anywhere in its country.
            zones = area if key[2] == "landline" else [*area, *zones]
        return list(zones), list(entry["jurisdictions"])

    def _of_address(self, address: Address) -> tuple[list[str], list[str]]:
        country, region = address.country, address.region
        found = self._of_postal_code(country, address.postal_code)
        regions = {code for code in (region, found[0] if found else None) if code}
        codes = _codes(self.table["parents"].get(country, country), sorted(regions))
        if found:
            return found[1], codes
        zones = self.table["regions"].get(f"{country}-{region}") if region else None
        # The region of another country than those listed says nothing about zones, so all of the country's count.
        if zones is None:
            zones = [] if region and country in ("US", "CA") else self.table["countries"].get(country, [])
        return list(zones), codes

    def _of_postal_code(self, country: str, postal_code: str | None) -> tuple[str, list[str]] | None:
        codes = self.table["postal_codes"].get(country)
        if not codes or not postal_code:
            return None
        code = postal_code.replace(" ", "").upper()
        # Five digits, else the first three of a code: a prefix stands there only if all its codes agree.
        found = codes.get(code[:5]) or codes.get(code[:3])
        return None if found is None else (found[0], found[1:])


def _codes(country: str, regions: "list[str] | tuple[str, ...]") -> list[str]:
    return [country, *(f"{country}-{region}" for region in regions)]
