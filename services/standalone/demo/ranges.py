"""Telephone numbers that regulators keep for films and books, so that no demo call could ever ring a person.

Sources: Ofcom (United Kingdom), ComReg (Ireland), the North American Numbering Plan's 555-01XX, ACMA (Australia),
Bundesnetzagentur (Germany), Arcep (France), PTS (Sweden).
"""

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FictionRange:
    """Numbers from *prefix* with *digits* more, for people in *region* (ISO 3166-2, where a rule pack asks for it)."""

    country: str
    prefix: str
    digits: int
    people: int
    time_zone: str
    region: str = ""
    city: str = ""

    def numbers(self) -> Iterator[str]:
        """Yield the first *people* numbers, each once."""
        for index in range(self.people):
            yield f"{self.prefix}{index:0{self.digits}d}"


def _north_america(country: str, area: int, region: str, city: str, time_zone: str) -> FictionRange:
    return FictionRange(country, f"+1{area}55501", 2, 100, time_zone, region, city)


RANGES: tuple[FictionRange, ...] = (
    FictionRange("GB", "+441632960", 3, 500, "Europe/London"),
    FictionRange("GB", "+442920180", 3, 400, "Europe/London", "GB-WLS", "Cardiff"),
    FictionRange("GB", "+442079460", 3, 200, "Europe/London", "GB-ENG", "London"),
    FictionRange("GB", "+447700900", 3, 300, "Europe/London"),
    FictionRange("IE", "+35320910", 4, 300, "Europe/Dublin"),
    FictionRange("FR", "+33199000", 3, 300, "Europe/Paris", "", "Paris"),
    FictionRange("FR", "+33465710", 3, 200, "Europe/Paris", "", "Marseille"),
    FictionRange("DE", "+493023125", 3, 200, "Europe/Berlin", "DE-BE", "Berlin"),
    FictionRange("DE", "+494066969", 3, 150, "Europe/Berlin", "DE-HH", "Hamburg"),
    FictionRange("DE", "+498999998", 3, 150, "Europe/Berlin", "DE-BY", "München"),
    FictionRange("SE", "+463139006", 2, 100, "Europe/Stockholm", "", "Göteborg"),
    FictionRange("SE", "+464062804", 2, 100, "Europe/Stockholm", "", "Malmö"),
    FictionRange("SE", "+468465004", 2, 100, "Europe/Stockholm", "", "Stockholm"),
    _north_america("US", 212, "US-NY", "New York", "America/New_York"),
    _north_america("US", 617, "US-MA", "Boston", "America/New_York"),
    _north_america("US", 312, "US-IL", "Chicago", "America/Chicago"),
    _north_america("US", 612, "US-MN", "Minneapolis", "America/Chicago"),
    _north_america("US", 303, "US-CO", "Denver", "America/Denver"),
    _north_america("US", 602, "US-AZ", "Phoenix", "America/Phoenix"),
    _north_america("US", 213, "US-CA", "Los Angeles", "America/Los_Angeles"),
    _north_america("US", 503, "US-OR", "Portland", "America/Los_Angeles"),
    _north_america("US", 808, "US-HI", "Honolulu", "Pacific/Honolulu"),
    _north_america("CA", 416, "CA-ON", "Toronto", "America/Toronto"),
    _north_america("CA", 514, "CA-QC", "Montréal", "America/Toronto"),
    _north_america("CA", 403, "CA-AB", "Calgary", "America/Edmonton"),
    _north_america("CA", 604, "CA-BC", "Vancouver", "America/Vancouver"),
    FictionRange("AU", "+6125550", 4, 250, "Australia/Sydney", "AU-NSW", "Sydney"),
    FictionRange("AU", "+6135550", 4, 200, "Australia/Melbourne", "AU-VIC", "Melbourne"),
    FictionRange("AU", "+6175550", 4, 150, "Australia/Brisbane", "AU-QLD", "Brisbane"),
    FictionRange("AU", "+6185550", 4, 100, "Australia/Perth", "AU-WA", "Perth"),
)

CALLER_ID = "+442079460999"
"""What the demo's calls show: of the London range, and nobody's of the list."""
