"""Five thousand people of the demo, the same on every machine: made from the ranges of fiction and lists of names."""

import csv
import io
import random
from collections.abc import Iterator
from dataclasses import dataclass

from services.standalone.demo.ranges import RANGES, FictionRange

FILENAME = "cwmwl-customers.csv"
PRODUCTS = ("broadband", "mobile", "tv")

_SEED = 20_261_124
_REFUSERS = 40
_COLUMNS = (
    "customer_id", "first_name", "last_name", "phone", "language", "country", "region", "time_zone", "relationship",
    "customer_since", "product", "city",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Names:
    first: tuple[str, ...]
    last: tuple[str, ...]
    languages: tuple[str, ...]


def _names(first: str, last: str, *languages: str) -> _Names:
    return _Names(tuple(first.split()), tuple(last.split()), languages)


_BY_COUNTRY = {
    "GB": _names(
        "Amelia Oliver Isla George Freya Harry Priya Jack Grace Arjun Poppy Charlie Zara Alfie Ruth Tom",
        "Smith Taylor Brown Wilson Patel Walker Wright Green Hall Clarke Khan Hughes Baker Morris Cook Reid",
        "en",
    ),
    "GB-WLS": _names(
        "Cerys Rhys Megan Dylan Siân Gareth Nia Emyr Eleri Owain Mali Ieuan Bethan Gwilym Lowri Huw",
        "Jones Davies Evans Williams Thomas Roberts Lewis Morgan Griffiths Price Bevan Rees Llywelyn Parry Pugh Bowen",
        "cy", "cy", "en",
    ),
    "IE": _names(
        "Aoife Conor Saoirse Seán Niamh Oisín Ciara Cillian Róisín Fionn Orla Darragh",
        "Murphy Kelly O'Sullivan Walsh Byrne Ryan O'Connor Doyle McCarthy Gallagher Doherty Kennedy",
        "en",
    ),
    "FR": _names(
        "Camille Louis Chloé Hugo Léa Jules Inès Gabriel Manon Adrien Zoé Théo",
        "Martin Bernard Dubois Moreau Laurent Lefèvre Garcia Roux Fournier Girard Mercier Blanc",
        "fr",
    ),
    "DE": _names(
        "Hanna Leon Mia Felix Lena Jonas Emilia Paul Marie Emre Greta Anton",
        "Müller Schmidt Schneider Fischer Weber Yılmaz Wagner Becker Schäfer Koch Richter Vogel",
        "de",
    ),
    "SE": _names(
        "Alma Liam Astrid Hugo Elsa Nils Maja Oskar Ebba Axel Saga Viggo",
        "Andersson Johansson Karlsson Nilsson Eriksson Larsson Olsson Persson Lindqvist Åberg Öberg Sjögren",
        "sv",
    ),
    "US": _names(
        "Emma Noah Sofia Liam Maya Ethan Ava Mateo Olivia Jayden Hannah Diego Chloe Marcus Grace Kai",
        "Johnson Garcia Miller Davis Rodriguez Nguyen Anderson Jackson White Lee Harris Lopez Clark Lewis Young Allen",
        "en", "en", "en", "es",
    ),
    "CA": _names(
        "Charlotte Benjamin Zoe Lucas Aria Nathan Maeve Logan Amélie Samuel Priya Owen",
        "Tremblay Singh Roy Gagnon Wong MacDonald Campbell Côté Fraser Bouchard Chan Stewart",
        "en",
    ),
    "CA-QC": _names(
        "Florence Félix Rosalie Émile Juliette Mathis Océane Xavier Maélie Thomas Camille Raphaël",
        "Tremblay Gagnon Roy Côté Bouchard Gauthier Morin Lavoie Fortin Gagné Ouellet Pelletier",
        "fr", "fr", "en",
    ),
    "AU": _names(
        "Charlotte Jack Mia Lachlan Ruby Cooper Matilda Angus Evie Hamish Tahlia Bailey",
        "Nguyen Williams Jones Singh O'Brien Campbell Kelly Murray Walsh Fraser Chan Papadopoulos",
        "en",
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class DemoPerson:
    """One customer of the demo organisation."""

    customer_id: str
    first_name: str
    last_name: str
    phone: str
    language: str
    range: FictionRange
    customer_since: str
    product: str

    def row(self) -> tuple[str, ...]:
        """Return the person as a row of the contact file."""
        home = self.range
        return (
            self.customer_id, self.first_name, self.last_name, self.phone, self.language, home.country, home.region,
            home.time_zone, "customer", self.customer_since, self.product, home.city,
        )  # fmt: skip


def demo_people() -> list[DemoPerson]:
    """Return everybody, countries mixed, so that the first calls already go round the world."""
    rng = random.Random(_SEED)  # noqa: S311 - the same people on every machine, no secret
    numbered = [(number, home) for home in RANGES for number in home.numbers()]
    rng.shuffle(numbered)
    return [_person(index, number, home, rng) for index, (number, home) in enumerate(numbered, start=1)]


def refusing(people: list[DemoPerson]) -> list[DemoPerson]:
    """Return those of *people* who have said no before the demo begins: they are never called."""
    return people[:: len(people) // _REFUSERS][:_REFUSERS]


def contact_file(people: list[DemoPerson]) -> bytes:
    """Return *people* as marketing would hand them over: a CSV file with a header."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(_COLUMNS)
    writer.writerows(person.row() for person in people)
    return text.getvalue().encode()


def countries() -> Iterator[str]:
    """Yield each country once."""
    yield from dict.fromkeys(home.country for home in RANGES)


def _person(index: int, number: str, home: FictionRange, rng: random.Random) -> DemoPerson:
    names = _BY_COUNTRY.get(home.region) or _BY_COUNTRY[home.country]
    since = f"{rng.randint(2012, 2025)}-{rng.randint(1, 12):02d}-{rng.randint(1, 28):02d}"
    return DemoPerson(
        customer_id=f"C{index:05d}",
        first_name=rng.choice(names.first),
        last_name=rng.choice(names.last),
        phone=number,
        language=rng.choice(names.languages),
        range=home,
        customer_since=since,
        product=rng.choice(PRODUCTS),
    )
