"""A lifelike quarter: complaints of every consent at a hub of their own, sealed as devices seal, and its packages.

`python -m tests.benchmarks.quarter FOLDER SIZE URL` seals the package of a new one, and says the digest of its ZIP.
"""

import csv
import io
import os
import pickle
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from random import Random
from typing import Any, Final
from zipfile import ZipFile

import pyrage

from client_sync.protocol.vocabulary import VOCABULARY
from server.domain.referral import Destination
from server.domain.statistics import Period, Release
from server.hub import Hub
from server.press import piece_opener
from server.services import keyrings, places, statistics
from server.services.cases import destinations, noting
from server.services.cases.acknowledging import acknowledge_new
from server.services.commission import approving, preparing, serials, summarising
from server.services.commission.approving import Press
from server.services.vault import opening
from server.store import packages, registry
from server.store.packages import Package
from tests.benchmarks.canaries import Canary, plant
from tests.benchmarks.counted import PLACES
from tests.builders import (
    NOW,
    Clock,
    Person,
    add_person,
    enrolled,
    found_keyring,
    founded,
    open_new_hub,
    open_test_hub,
    operation,
)
from tests.case_work import at_desk
from tests.packing import SEED

CNDH: Final = Destination("cndh", "cndh", "commission", None, date(2017, 1, 1))
QUARTER: Final = "2026-T4"
PEPPER: Final = bytes(range(32, 64))
LEVELS: Final = ("C0", "C1", "C2", "C3", "C4")
# What a spreadsheet would take for something to work out, or for a number.
FORMULAS: Final = (
    "=1+1", "+1+1", "-1+1", "@SUM(A1)", "\t=1+1", "\r=1+1", "\n=1+1", " =1+1", "＝1+1", "=HYPERLINK(\"http://x\",\"y\")",
    "=cmd|' /C calc'!A0", "'=1+1", "\"=1+1", ";=1+1", "%3D1+1", "＋1", "－1", "＠A1", "=1+1;=2+2", "0012", "1E5", "1/2",
)  # fmt: skip
_IDENTITY: Final = pyrage.x25519.Identity.generate()
_AFTER_DAYS: Final = (date(2027, 1, 4) - NOW.date()).days
# Keys of invented people, for whoever opens it again: each an actor and the keys in hand.
PEOPLE: Final = "people.pickle"
_FRAME: Final = 500
# No complaint has more.
_CANARIES_EACH: Final = 16
_WEIGHTS: Final = (10, 15, 45, 20, 10)
_AGES: Final = ("12-17", "18-24", "25-59", "60+")
_FIRST: Final = date(2026, 10, 1)
_RIGHTS: Final = tuple(
    each for each in VOCABULARY.kinds if each.startswith("HR-") and not VOCABULARY.follows_gbv_rules(each)
)
# The last two are no business of the commission, or are told in totals alone.
_HOW_OFTEN: Final = (*(1 / (1 + at) for at in range(len(_RIGHTS))), 0.6, 0.3)
_USUAL: Final = {
    "confidentiality": "confidential",
    "contact_ok": "yes",
    "entered_at": "2026-11-20T08:00:00Z",
    "collected_at": "2026-11-19T08:00:00Z",
    "receipt": "7K4M-2QG",
    "team": "segou",
}
_ACCUSED: Final = ("police", "gendarmerie", "armed_forces", "civil_servant", "traditional_authority", "")


@dataclass
class Quarter:
    """A hub whose quarter is over. `planted`: by consent level, what must not leave; `names` and `phones`: those that
    may."""

    hub: Hub
    first: Person
    second: Person
    planted: dict[str, list[Canary]] = field(default_factory=lambda: {level: [] for level in LEVELS})
    names: set[str] = field(default_factory=set)
    phones: set[str] = field(default_factory=set)

    @property
    def press(self) -> Press:
        """The same in every circumstance."""
        return Press(PEPPER, SEED, self.hub.settings.data / "packages", "Coalition d'essai", "0.1.0")

    def prepare(self) -> Package:
        """The next package of the quarter."""
        return preparing.prepare(self.hub.store, at_desk(self.hub, self.first), PEPPER, CNDH.code, QUARTER)

    def tables(self) -> list[Release]:
        """Figures of the quarter."""
        return statistics.published(self.hub.store, at_desk(self.hub, self.second), Period.read(QUARTER, QUARTER))

    def seal(self, package: Package) -> Package:
        """Sealed by the second person, whose keys open the names."""
        hub, desk = self.hub, at_desk(self.hub, self.second)

        def open_names(complaints: Sequence[int], purpose: str) -> Mapping[int, approving.Opened]:
            return opening.release_identities(hub.store, desk, complaints, purpose)

        return approving.approve(
            hub.store,
            desk,
            self.press,
            package.number.text,
            package.choice,
            open_names,
            self.tables(),
            open_pieces=piece_opener(hub, desk),
        )

    def reopen(self, package: Package) -> None:
        """Let a sealed package be prepared again, as if nobody had sealed it."""
        with self.hub.store.write() as connection:
            packages.set_items(connection, package.id, [])
            packages.change(connection, package.id, state="prepared", sealed_at=None, manifest=None)

    def made(self) -> list[Package]:
        """Every package that was ever begun."""
        with self.hub.store.read() as connection:
            return packages.listed(connection)

    def file(self, package: Package) -> Path:
        """The sealed file."""
        return self.press.folder / f"{package.number.text}.zip.age"


@contextmanager
def quarter(
    size: int, folder: Path, *, url: str = "sqlite", seed: int = 1, is_planted: bool = False, recipient: str = ""
) -> Iterator[Quarter]:
    """So many complaints of a quarter that is over; the same ones for the same seed, wherever that is."""
    hub = open_test_hub(url, folder, Clock(), device_burst_records=10**6, device_burst_bytes=10**10)
    with closing(hub):
        places.import_list(hub.store, places.read_list_file(PLACES, "2026.1"), PLACES.name, hub.clock())
        first, second = (add_person(hub, name, is_named_reader=True) for name in ("Awa", "Binta"))
        found_keyring(hub, first, second)
        made = Quarter(hub, first, second)
        desk = at_desk(hub, first)
        destinations.add(hub.store, desk, [CNDH])
        serials.add(hub.store, desk, CNDH.code, "CNDH", date(2026, 1, 1), "folder")
        shown = serials.set_key(hub.store, desk, CNDH.code, recipient or str(_IDENTITY.to_public()))
        serials.confirm_key(hub.store, desk, CNDH.code, shown)
        _fill(made, size, Random(seed), is_planted=is_planted)
        if is_planted:
            acknowledge_new(hub.store, hub.gazetteer(), hub.clock())
            _write_beside(made, Random(seed + 1))
        hub.clock.pass_(days=_AFTER_DAYS)  # type: ignore[attr-defined]
        (folder / PEOPLE).write_bytes(pickle.dumps([(each.actor, each.keys) for each in (first, second)]))
        yield made


@contextmanager
def again(folder: Path) -> Iterator[Quarter]:
    """The quarter that was made in this folder, on SQLite."""
    settings, secrets = founded(folder, device_burst_records=10**6, device_burst_bytes=10**10)
    with closing(open_new_hub(settings, secrets, Clock(NOW + timedelta(days=_AFTER_DAYS)))) as hub:
        yield Quarter(hub, *(Person(*each) for each in pickle.loads((folder / PEOPLE).read_bytes())))


def opened(file: Path) -> bytes:
    """The ZIP in a file that was sealed to the key of this module."""
    return pyrage.decrypt(file.read_bytes(), [_IDENTITY])


def member(zipped: bytes, name: str) -> bytes:
    """The one file of a package that is called so."""
    with ZipFile(io.BytesIO(zipped)) as archive:
        [path] = (each for each in archive.namelist() if each.endswith(f"/{name}"))
        return archive.read(path)


def lines(zipped: bytes) -> list[dict[str, str]]:
    """The lines of a package as its CSV has them, without the row of hashtags."""
    text = member(zipped, "plaintes.csv").decode("utf-8-sig")
    [_, *found] = csv.DictReader(io.StringIO(text, newline=""), delimiter=";" if ";" in text.split("\n")[0] else ",")
    return found


def _fill(made: Quarter, size: int, dice: Random, *, is_planted: bool) -> None:
    sender = enrolled(made.hub, "Ségou 1", team="segou")
    cercles = [each.id for each in _gazetteer(made.hub).places if each.level == "cercle"]
    # A few cercles have most of it, as it is.
    weights = [1 / (1 + at) for at in range(len(cercles))]
    canaries = iter(plant(size * _CANARIES_EACH, Random(dice.random()))) if is_planted else None
    for start in range(0, size, _FRAME):
        told = []
        for no in range(start, min(start + _FRAME, size)):
            level = dice.choices(LEVELS, _WEIGHTS)[0]
            say = _speaker(made.planted[level], canaries, f"mot {no}")
            sealed = sender.seal(f"q{no}", _content(made, no, level, dice.choices(cercles, weights)[0], dice, say))
            if canaries is not None:
                # From a device of another version, which says more than this one knows.
                sealed["facts"]["clear"] |= {"x_note": say(), "x_files": [{"name": say()}]}
            told.append(operation("complaint", f"q{no}", sealed, seq=no + 1))
        sender.send(*told)


def _speaker(planted: list[Canary], canaries: Iterator[Canary] | None, else_says: str) -> Callable[[], str]:
    """Says what nobody agreed to tell: the next canary, which was planted then, or always the same."""

    def say() -> str:
        if canaries is None:
            return else_says
        planted.append(next(canaries))
        return planted[-1].text

    return say


def _content(made: Quarter, no: int, level: str, place: str, dice: Random, say: Callable[[], str]) -> dict[str, Any]:
    """What a device says; `say` gives what nobody agreed to tell, for each place where somebody writes."""
    kind = dice.choices([*_RIGHTS, "COR-RACKET", "GBV-2"], _HOW_OFTEN)[0]
    may_be_named = level in ("C3", "C4") and kind in _RIGHTS
    name = _name(no) if may_be_named else say()
    # Of C3 the name may go, and not how to reach the person.
    phone = (
        f"+223 00 {no // 10000 % 100:02} {no // 100 % 100:02} {no % 100:02}"
        if may_be_named and level == "C4"
        else say()
    )
    if may_be_named:
        made.names.add(name)
    if may_be_named and level == "C4":
        made.phones.add(phone)
    accused = dice.choice(_ACCUSED)
    facts = {
        "kinds": [kind],
        "channel": "in_person",
        "place": {"id": place, "list": "2026.1"},
        "incident": {"from": (_FIRST + timedelta(days=dice.randrange(50))).isoformat(), "precision": "day"},
        "persons": [
            {"no": 1, "roles": ["complainant", "victim"], "sex": dice.choice("fm"), "age": dice.choice(_AGES)},
            {"no": 2, "roles": ["alleged_perpetrator"], **({"category": accused} if accused else {})},
            {"no": 3, "roles": ["witness"], "sex": "f"},
        ],
        "consent": {
            "level": level,
            "given_by": "self",
            "form": "oral_witness",
            "read_aloud": True,
            **({"bodies": [CNDH.code]} if level in ("C3", "C4") else {}),
        },
        **_USUAL,
    }
    persons = [
        {"no": 1, "name": name, "phone": phone, "note": say()},
        {"no": 2, "name": say(), "note": say()},
        {"no": 3, "name": say(), "phone": say()},
    ]
    traces = {
        "said": say(),
        "gps": {"lat": "13.4711", "lon": "-6.4711"},
        "media_keys": {f"{no:064x}": say()},
    }
    identity = {"persons": persons, "contact": {"how": say(), "say": say(), "when": "le soir"}}
    statement = {"narrative": say(), "lang": "fra", "withhold_note": say()}
    parts = {"facts": facts, "statement": statement, "traces": traces, "identity": identity}
    return {"form": "complaint/1", "vocabulary": "2026.1", **{part: {"clear": clear} for part, clear in parts.items()}}


def _name(no: int) -> str:
    """Of one in seven a spreadsheet would make something else."""
    return FORMULAS[no // 7 % len(FORMULAS)] + f" {no}" if no % 7 == 0 else f"Personne {no}"


def _write_beside(made: Quarter, dice: Random) -> None:
    """What people at the hub write: notes, and reviewed summaries that look like formulas."""
    hub = made.hub
    first, second = (at_desk(hub, each) for each in (made.first, made.second))
    with hub.store.read() as connection:
        ids = [row[0] for row in connection.exec_driver_sql("SELECT id FROM complaint ORDER BY id LIMIT 120")]
        numbers = list(registry.numbers_of(connection, ids).values())
    for at, (number, note) in enumerate(zip(numbers, plant(len(numbers), dice), strict=True)):
        noting.write(hub.store, first, keyrings.current(hub.store), number, f"{note.text} : note de dossier")
        made.planted["C2"].append(note)
        if at % 2:
            summarising.write(hub.store, first, number, FORMULAS[at // 2 % len(FORMULAS)].strip() + f" résumé {at}")
            written = summarising.of(hub.store, second, number)
            assert written is not None
            summarising.review(hub.store, second, number, written.at)


def _gazetteer(hub: Hub) -> Any:
    found = hub.gazetteer()
    assert found is not None
    return found


def main(folder: Path, size: int, url: str) -> None:
    """See above."""
    with quarter(size, folder, url=url) as made:
        print(made.seal(made.prepare()).zip)


if __name__ == "__main__":
    os.umask(0o077)
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
