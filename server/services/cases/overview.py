"""Overview: a case with all that whoever handles it sees on one page, read at one moment."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from server.domain.deadlines import Clocks
from server.domain.desk import Desk
from server.domain.referral import Part, Sendable, parts_at_most
from server.services.cases import holding, noting, owning, queues, referring, tasking, verifying
from server.services.cases.queues import Shown
from server.store import accounts, due, glances, recipients, referrals, registry
from server.store.due import Known
from server.store.engine import Store
from server.store.glances import Glance


@dataclass(frozen=True)
class Consented:
    """What a person allowed of a complaint, as it stands, and the parts of it that a body which was chosen may get."""

    sendable: Sendable
    parts: frozenset[Part]


@dataclass(frozen=True)
class Overview:
    """A case by its reference, or a complaint that nobody acted on by its number; `ids` are complaints by number.

    `asked`: the number that was asked for, where the case has such a complaint, else that of its first. `owners`: names
    of whoever could own it. `openings`: who opened an identity, and when.
    """

    number: str
    asked: str
    ids: Mapping[str, int]
    shown: Shown
    glances: Mapping[str, Glance]
    consents: Mapping[str, Consented]
    looked: verifying.Looked
    deadlines: Sequence[Known]
    sent: Sequence[referring.View]
    errands: Sequence[tasking.Shown]
    notes: Sequence[noting.Read]
    openings: Sequence[tuple[str, datetime]]
    owners: Sequence[str]

    @property
    def clocks(self) -> Clocks:
        """Those of the complaint that came first."""
        first = min(self.glances.values(), key=lambda each: each.received_at)
        return Clocks(first.collected_at, first.received_at)

    @property
    def triaged_at(self) -> datetime | None:
        """When somebody first decided what becomes of it."""
        known = (each.stands for each in self.deadlines if each.stands.kind == "triage")
        return next((each.met_at for each in known if each.met_at is not None), None)


def overview(store: Store, desk: Desk, number: str) -> Overview:
    """The case of a complaint. Raises NotFound where the actor does not handle every complaint of it."""
    with store.read() as connection:
        complaint = holding.complaint_of(connection, number)
        case = holding.look(connection, desk, complaint)
        complaints = [complaint] if case is None else case.complaints
        numbers = registry.numbers_of(connection, complaints)
        found = glances.of(connection, complaints)
        seen = {numbers[id]: found[id] for id in sorted(found)}
        wanted = number.strip().upper()
        return Overview(
            number=numbers[complaint] if case is None else case.file.ref,
            asked=wanted if wanted in seen else numbers[min(complaints)],
            ids={numbers[id]: id for id in complaints},
            shown=queues.shown(connection, desk, case, numbers),
            glances=seen,
            consents=_consents(connection, desk, numbers),
            looked=verifying.looked(connection, numbers),
            deadlines=[] if case is None else due.of_cases(connection, [case.file.id])[case.file.id],
            sent=[] if case is None else referring.of_case(connection, desk, case),
            errands=tasking.of_complaints(connection, complaints),
            notes=noting.of_complaints(connection, desk, numbers),
            openings=_openings(connection, complaints),
            owners=[] if case is None else owning.candidates(connection, case),
        )


def require(store: Store, desk: Desk, number: str) -> None:
    """Raises NotFound where the actor does not handle every complaint of the case of one."""
    with store.read() as connection:
        holding.look(connection, desk, holding.complaint_of(connection, number))


def _consents(connection: sa.Connection, desk: Desk, numbers: Mapping[int, str]) -> dict[str, Consented]:
    found = referrals.standings(connection, numbers)
    day = desk.now.date()
    return {numbers[id]: Consented(each.sendable, parts_at_most(each.sendable, day)) for id, each in found.items()}


def _openings(connection: sa.Connection, complaints: Collection[int]) -> list[tuple[str, datetime]]:
    found = recipients.openings_of(connection, complaints, "identity")
    names = accounts.names(connection) if found else {}
    return [(names[each.account], each.at) for each in found]
