"""What counting costs: a hub of 100,000 complaints with their cases, filled past the intake, and every table of it."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from statistics import median
from time import perf_counter
from typing import Any, Final

import sqlalchemy as sa

from client_sync.protocol.vocabulary import VOCABULARY
from server import figure_words
from server.domain import statistics as rules
from server.domain.casework import Status, queue_of
from server.domain.permission import JOB
from server.domain.statistics import TABLES, Period
from server.domain.verification import Quarter
from server.figure_words import Words
from server.hub import Hub
from server.services import places, statistics
from server.store.case_tables import case_complaint, casefile, waiting
from server.store.dialect import insert_many
from server.store.due_tables import deadline
from server.store.figure_tables import case_turn
from server.store.schema import act, complaint, person, place, received
from tests.benchmarks.figure import Figure, note
from tests.benchmarks.harness import CHECKOUT, enrol, fresh_folder, opened
from tests.builders import an_id

PLACES: Final = CHECKOUT / "fixtures" / "places" / "mali-2026.1.csv"
SIZE: Final = 100_000
_DEVICES: Final = 40
_AT_ONCE: Final = 5_000
_LINE: Final = b"\0" * 1_400
_CONSENT: Final = {"level": "C2", "given_by": "self", "form": "oral_witness", "read_aloud": True}
_STATUSES: Final[tuple[Status, ...]] = (
    "acknowledged", "in_triage", "in_progress", "resolved", "closed", "withdrawn", "duplicate",
)  # fmt: skip
_TERMS: Final = {"acknowledge": ("P7D", 7), "triage": ("P3D", 3), "feedback": ("P3M", 90)}
_ROUNDS: Final = 3


def statistics_s_100k(size: int = SIZE) -> list[Figure]:
    """The slowest table, in seconds, counted, hidden and laid out by a hub that was just opened: of this quarter, which
    is what is shown where nobody asks for other months, and of all months that there are."""
    with fresh_folder() as folder:
        with opened(folder) as hub:
            places.import_list(hub.store, places.read_list_file(PLACES, "2026.1"), PLACES.name, hub.clock())
            fill(hub, size)
        return [
            Figure("statistics_s_100k", _slowest(folder, is_all=False), "s", "<=", 0.5),
            Figure("statistics_year_s_100k", _slowest(folder, is_all=True), "s"),
        ]


def _slowest(folder: Path, *, is_all: bool) -> float:
    rounds = {code: [_counted(folder, code, is_all=is_all) for _ in range(_ROUNDS)] for code in TABLES}
    medians = {code: median(each) for code, each in rounds.items()}
    note(", ".join(f"{code} {seconds:.3f}" for code, seconds in medians.items()))
    return max(medians.values())


def _counted(folder: Path, code: str, *, is_all: bool) -> float:
    with opened(folder) as hub:
        desk = hub.desk(JOB)
        quarter = rules.quarter_text(Quarter.of(desk.now.date()))
        months = (str(desk.now.year - 1), str(desk.now.year)) if is_all else (quarter, quarter)
        begun = perf_counter()
        figure_words.worded(statistics.table(hub.store, desk, code, Period.read(*months)), Words("fr", desk.places))
        return perf_counter() - begun


def fill(hub: Hub, size: int) -> None:
    """Complaints of the last year, most of them worked on, as rows alone: nothing here can be read or opened."""
    dice, now = Random(size), hub.clock()
    senders = [enrol(hub) for _ in range(_DEVICES)]
    with hub.store.read() as connection:
        places = list(connection.scalars(sa.select(place.c.id).where(place.c.level == "cercle"))) or ["ml-c-gao"]
    for first in range(1, size + 1, _AT_ONCE):
        ids = range(first, min(first + _AT_ONCE, size + 1))
        with hub.store.write() as connection:
            rows = [_row(id, size, now, dice, places) for id in ids]
            sent = [senders[id % _DEVICES] for id in ids]
            _insert(
                connection,
                received,
                (
                    {
                        "id": id,
                        "lineage": by.lineage,
                        "client_id": an_id(id),
                        "op": "complaint",
                        "seq": id,
                        "hash": f"{id:064x}",
                        "line": _LINE,
                        "device": by.device,
                        "received_at": row["at"],
                    }
                    for id, by, row in zip(ids, sent, rows, strict=True)
                ),
            )
            for table, found in (
                (complaint, (row["complaint"] for row in rows)),
                (act, (each for row in rows for each in row["acts"])),
                (person, (each for row in rows for each in row["persons"])),
                (casefile, (row["casefile"] for row in rows)),
                (case_complaint, (row["member"] for row in rows)),
                (case_turn, (each for row in rows for each in row["turns"])),
                (deadline, (each for row in rows for each in row["deadlines"])),
                (waiting, (each for row in rows for each in row["waiting"])),
            ):
                _insert(connection, table, found)


def _insert(connection: sa.Connection, table: sa.Table, rows: Iterator[dict[str, Any]]) -> None:
    found = list(rows)
    if found:
        insert_many(connection, table, tuple(found[0]), [tuple(row.values()) for row in found])


def _row(id: int, size: int, now: datetime, dice: Random, places: Sequence[str]) -> dict[str, Any]:
    at = now - timedelta(days=365) * ((size - id + 1) / size)
    place_id, kind = dice.choice(places), dice.choice(VOCABULARY.lists["kind"])
    status, urgency = dice.choice(_STATUSES), dice.choice(("U1", "U2", "U3", "U4"))
    is_closed = status in ("closed", "withdrawn", "duplicate")
    ended = at + timedelta(days=dice.randrange(1, 60)) if is_closed else None
    return {
        "at": at,
        "complaint": {
            "id": id, "receipt": "7K4M2QGX", "form": "complaint/1", "vocabulary": "2026.1", "kind": kind,
            "channel": dice.choice(VOCABULARY.lists["channel"]), "sector": dice.choice(VOCABULARY.lists["sector"]),
            "place_id": place_id, "asked_xof": dice.choice((None, 1_000, 5_000, 20_000)),
            "paid_xof": dice.choice((None, 500, 5_000)), "paid": dice.choice(VOCABULARY.lists["paid"]),
            "consent_level": dice.choice(VOCABULARY.lists["consent_level"]), "consent": _CONSENT,
            "confidentiality": "internal", "contact_ok": "never", "collected_at": at - timedelta(days=id % 9),
            "entered_at": at, "partner": dice.choice(("amdh", "tuwindi", None)), "state": "received",
        },
        "acts": [{"complaint": id, "no": 1, "kind": kind}],
        "persons": [
            {"complaint": id, "no": 1, "roles": "complainant victim", "sex": dice.choice("fm"),
             "age": dice.choice(VOCABULARY.lists["age_band"]), "category": None},
            {"complaint": id, "no": 2, "roles": "alleged_perpetrator", "sex": None, "age": None,
             "category": dice.choice(VOCABULARY.lists["perpetrator_category"])},
        ],
        "casefile": {
            "id": id, "ref": f"SRE-2026-{id:06}", "complaint": id, "status": status, "status_since": at,
            "urgency": urgency, "opened_at": at, "closed_at": ended, "place_id": place_id,
        },
        "member": {"complaint": id, "casefile": id, "at": at, "urgency": urgency, "urgent_since": at},
        "turns": [{"casefile": id, "no": 5, "at": ended, "is_closing": True}] if is_closed else [],
        "deadlines": [
            {"casefile": id, "kind": name, "subject": "", "term": term, "starts_at": at,
             "due_at": at + timedelta(days=days), "met_at": at + timedelta(days=dice.randrange(2 * days)), "told": []}
            for name, (term, days) in _TERMS.items()
        ],
        "waiting": [] if is_closed else [
            {"complaint": id, "casefile": id, "urgency": urgency, "since": at, "place_id": place_id, "kind": kind,
             "queue": queue_of(status)}
        ],
    }  # fmt: skip
