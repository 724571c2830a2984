"""Referrals as people make them: destinations, complaints about land that may go there, and what was sent."""

from collections.abc import Sequence
from datetime import date
from typing import Any

from server.domain.referral import Destination
from server.hub import Hub
from server.services.cases import destinations, referring, sending
from server.services.cases.referring import View
from server.services.cases.sending import Sheet
from server.store.cases import with_ref
from server.store.timeline import Entry, of_case
from tests.builders import Person, Sender, complaint
from tests.case_work import SETTLED, at_desk, attach, move, version

FROM = date(2020, 1, 1)
COFO = Destination("cofo", "cofo", "land_commission", None, FROM)
MEDIATOR = Destination("mediator", "mediator", "mediation", None, FROM)
LEGAL_AID = Destination("legal-aid", "legal_aid", "legal_aid", None, FROM)
ONE_STOP = Destination("one-stop", "one_stop", "one_stop", None, FROM)
COMMUNE = Destination("commune", "commune", "service", None, FROM)
KNOWN = (COFO, MEDIATOR, LEGAL_AID, ONE_STOP, COMMUNE)
DIGEST = "d" * 64


def consent(level: str = "C3", *bodies: str, **changes: Any) -> dict[str, Any]:
    """A consent that the person gave, for these bodies; where none is named, the land commission and the mediator."""
    return {"level": level, "given_by": "self", "bodies": list(bodies or ("cofo", "mediator")), **changes}


def land(name: object, **changes: Any) -> bytes:
    """The line of a complaint about land, whose consent is for the land commission and the mediator."""
    return complaint(name, **{"kinds": ["HR-LAN"], "sector": "land", "persons": None, "consent": consent()} | changes)


def lay_down(hub: Hub, who: Person, *made: Destination) -> None:
    """Keep destinations, those of KNOWN where none is given."""
    destinations.add(hub.store, at_desk(hub, who), made or KNOWN)


def in_progress(hub: Hub, who: Person, *numbers: str) -> None:
    """Bring cases that nobody acted on to where they are worked on; `awa` owns them."""
    for number in numbers:
        move(hub, who, number, "acknowledged")
        move(hub, who, number, "in_triage")
        move(hub, who, number, "in_progress", **SETTLED | {"urgency": "U1"})


def numbered(hub: Hub, first: int, count: int = 1) -> list[str]:
    """Registry numbers in a row."""
    return [f"SRE-{hub.clock().year}-{number:06}" for number in range(first, first + count)]


def worked_on(hub: Hub, who: Person, device: Sender, *lines: bytes) -> str:
    """Send complaints; the case of the first, which is worked on, has them all. Gives the number of the first."""
    with hub.store.read() as connection:
        have = connection.exec_driver_sql("SELECT count(*) FROM complaint").scalar() or 0
    device.send(*lines)
    first, *others = numbered(hub, have + 1, len(lines))
    in_progress(hub, who, first)
    for each in others:
        attach(hub, who, each, first)
    return first


def sheets(hub: Hub, who: Person, number: str, code: str = COFO.code, *only: str) -> Sequence[Sheet]:
    """What would go of a case to a destination."""
    going = sending.plan(hub.store, at_desk(hub, who), number, code, only).going
    return [Sheet(each.complaint, each.parts, each.revision) for each in going]


def send(hub: Hub, who: Person, number: str, code: str = COFO.code, *only: str) -> str:
    """Send what may go of a case as it stands; gives the id of the referral."""
    after, sent = version(hub, who, number), sheets(hub, who, number, code, *only)
    return sending.send(hub.store, at_desk(hub, who), number, code, sent, DIGEST, after=after).kept.id


def answer(hub: Hub, who: Person, number: str, outcome: str, code: str = COFO.code) -> None:
    """Note what a body answered."""
    referring.answer(hub.store, at_desk(hub, who), number, code, outcome, after=version(hub, who, number))


def recall(hub: Hub, who: Person, number: str, code: str = COFO.code) -> None:
    """Recall what was sent."""
    referring.recall(hub.store, at_desk(hub, who), number, code, after=version(hub, who, number))


def views(hub: Hub, who: Person, number: str) -> list[View]:
    """The referrals of a case."""
    return referring.listed(hub.store, at_desk(hub, who), number)


def entries(hub: Hub, number: str) -> list[Entry]:
    """The timeline of the case that is called by a number."""
    with hub.store.read() as connection:
        case = with_ref(connection, number)
        assert case is not None
        return of_case(connection, case)


def told(hub: Hub, number: str) -> list[dict[str, Any]]:
    """The steps that the entries of a case would tell devices, as they are kept."""
    return [dict(each.step) for each in entries(hub, number) if each.step is not None]
