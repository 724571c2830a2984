"""Packages with something in them: lines of invented people, notices, and tables, the same ones each time."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from random import Random
from typing import Any, Final

from client_sync.protocol.vocabulary import VOCABULARY
from server.domain.packages import Item
from server.domain.places import Gazetteer, Place
from server.domain.referral import Destination
from server.domain.release import Line
from server.domain.statistics import TABLES, Period, Release, tabulate
from server.services.commission import papers
from server.services.commission.choosing import Correction, Void
from server.services.commission.content import Content
from server.store.packages import Told
from tests import packing

AT: Final = datetime(2026, 10, 5, 8, 30, tzinfo=UTC)
QUARTER: Final = Period.read("2026-T3", "2026-T3")
REGIONS: Final = {"ml-r-segou": "04", "ml-r-gao": "07", "ml-r-mopti": "05", "ml-r-bandiagara": "19"}
CERCLES: Final = {"ml-c-bla": "ml-r-segou", "ml-c-niono": "ml-r-segou", "ml-c-gao": "ml-r-gao"}
NAMES: Final = {
    "ml-r-segou": "Ségou",
    "ml-r-gao": "Gao",
    "ml-r-mopti": "Mopti",
    "ml-r-bandiagara": "Bandiagara",
    "ml-c-bla": "Bla",
    "ml-c-niono": "Niono",
    "ml-c-gao": "Gao",
}
PLACES: Final = Gazetteer(
    "2026.1",
    (
        *(Place(id, NAMES[id], "region", None, codes={"law-2023": code}) for id, code in REGIONS.items()),
        *(Place(id, NAMES[id], "cercle", region) for id, region in CERCLES.items()),
        Place("ml-m-bla", "Bla", "commune", "ml-c-bla"),
    ),
)
KINDS: Final = tuple(kind for kind in VOCABULARY.kinds if not VOCABULARY.follows_gbv_rules(kind))
SUMMARY: Final = "Ɲɛnɛba : « arrêté sans motif » ; relâché après paiement, dɔgɔtɔrɔ ka so kɛrɛfɛ."


def content(**changed: Any) -> Content:
    """A package to a body, of nothing unless that is given."""
    to = Destination("cndh", "cndh", "commission", None, date(2017, 1, 1))
    return packing.content(**{"destination": to, "as_of": AT, "places": PLACES} | changed)


def line(no: int, **said: str) -> Line:
    """The line of a complaint, which says its reference and that."""
    ref = f"P-{no:010d}"
    return Line(no, ref, "named" if "name" in said else "line", {"ref": ref, **said})


def several(number: int, seed: int = 7) -> list[Line]:
    """Lines as they go to a body, one in ten with a name."""
    chances = Random(seed)
    return [_drawn(no, chances) for no in range(1, number + 1)]


def void(no: int, why: Any, number: str = "CNDH-2026-T2-0006") -> Void:
    """Of a line that was sent earlier, that it stands no more."""
    return Void(Told(Item(f"P-{no:010d}", "line"), no, {}, ("facts",), number), why)


def correction(no: int, now: Mapping[str, str], was: Mapping[str, str]) -> Correction:
    """Of a line that was sent earlier, what it says now."""
    told = Told(Item(f"P-{no:010d}", "line"), no, {}, ("facts",), "CNDH-2026-T2-0006")
    return Correction(told, now, was)


def release(code: str, counted: Sequence[tuple[tuple[str, ...], tuple[str, ...], int]]) -> Release:
    """A table of the quarter."""
    return tabulate(TABLES[code], counted, QUARTER, AT)


def full(lines: int = 130, seed: int = 7) -> Content:
    """A package with something of everything."""
    return content(
        lines=several(lines, seed),
        voids=[
            void(900 + no, why) for no, why in enumerate(("consent_level", "changed", "erased", "own_people", "totals"))
        ],
        corrections=[correction(no, {"status": "closed", "summary": SUMMARY}, {"status": "ab" * 8}) for no in range(7)],
        against={"numbers": 41, "few_alike": 3, "own_people": 2, "totals": 6, "withdrawn": 2, "elsewhere": 9},
        tables=[by_region(), by_kind(), balance()],
    )


def by_region() -> Release:
    """The one table that tells of gender-based violence."""
    numbers = {
        "ml-r-segou": (40, 25, 12, 9),
        "ml-r-gao": (22, 8, 3, 0),
        "ml-r-mopti": (31, 14, 7, 2),
        "unknown": (9, 0, 0, 0),
    }
    families = ("HR", "COR", "GBV", "OTH")
    return release(
        "N8",
        [
            ((region,), (family,), number)
            for region, row in numbers.items()
            for family, number in zip(families, row, strict=True)
        ],
    )


def by_kind() -> Release:
    """A table that could tell more of it than that."""
    numbers = {"HR-ARR": 20, "HR-TOR": 3, "COR-RACKET": 17, "GBV-1": 11, "COR-SEX": 6}
    return release("T1", [((kind,), ("2026-07", "ml-r-segou"), number) for kind, number in numbers.items()])


def balance() -> Release:
    """A table with no sum by row."""
    stock = {"open_at_start": 50, "received": 30, "reopened": 2, "closed": 12, "open_at_end": 70}
    return release("T3", [(("ml-r-gao",), (name,), number) for name, number in stock.items()])


def written(of: Content) -> dict[str, bytes]:
    """The files of a package, by name."""
    return {name: b"".join(chunks) for name, chunks in papers.payload(of)}


def _drawn(no: int, chances: Random) -> Line:
    kind, cercle = chances.choice(KINDS), chances.choice(list(CERCLES))
    said = {
        "received": "2026-T3",
        "happened": f"2026-{chances.randint(1, 9):02d}",
        "region": CERCLES[cercle],
        "cercle": cercle,
        "kind": kind,
        "author": chances.choice(VOCABULARY.lists["perpetrator_category"]),
        "victims": chances.choice(("1", "2-4", "5+")),
        "sex": chances.choice(("f", "m", "several")),
        "age": chances.choice(VOCABULARY.lists["age_band"]),
        "verification": chances.choice(("corroborated", "unverified", "under_verification")),
        "status": chances.choice(("received", "in_progress", "closed")),
        "urgency": chances.choice(("U1", "U2", "U3", "U4")),
        "consent": "C2",
        "summary": f"{SUMMARY} {no}",
    }
    if chances.random() < 0.1:
        near = {"received": "2026-07", "happened": f"2026-07-{chances.randint(1, 28):02d}", "commune": "ml-m-bla"}
        said |= near | {"victims": "3", "consent": "C4", "name": f"Awa Exemple {no}", "phone": "+223 00 00 00 01"}
    return line(no, **said)
