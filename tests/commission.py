"""Packages as people prepare them: a destination with its series, and complaints that may go there."""

from datetime import date
from typing import Any

from server.domain.places import Gazetteer, Place
from server.domain.referral import Destination
from server.hub import Hub
from server.services import places
from server.services.cases import destinations
from server.services.commission import preparing, serials
from server.services.commission.choosing import Choice, Keyed, choose
from server.store import packages
from server.store.packages import Package
from tests.builders import NOW, Person, complaint
from tests.case_work import at_desk

CNDH = Destination("cndh", "cndh", "commission", None, date(2017, 1, 1))
QUARTER = "2026-T4"
SINCE = date(2026, 1, 1)
# The first day on which the quarter is over.
AFTER = date(2027, 1, 4)
LIST = Gazetteer(
    "2026.1",
    (
        Place("ml-r-segou", "Ségou", "region", None, codes={"law-2023": "04"}),
        Place("ml-c-bla", "Bla", "cercle", "ml-r-segou", regions={"law-2023": "ml-r-segou"}),
        Place("ml-m-bla", "Bla", "commune", "ml-c-bla"),
        Place("ml-c-niono", "Niono", "cercle", "ml-r-segou", regions={"law-2023": "ml-r-segou"}),
        Place("ml-r-gao", "Gao", "region", None, codes={"law-2023": "07"}),
        Place("ml-c-gao", "Gao", "cercle", "ml-r-gao", regions={"law-2023": "ml-r-gao"}),
        # The law of 2023 made two regions of one.
        Place("ml-r-mopti", "Mopti", "region", None, codes={"law-2023": "05"}),
        Place("ml-r-bandiagara", "Bandiagara", "region", None, codes={"law-2023": "19"}),
        Place("ml-c-koro", "Koro", "cercle", "ml-r-mopti", regions={"law-2023": "ml-r-bandiagara"}),
    ),
)
PERSONS = [
    {"no": 1, "roles": ["complainant", "victim"], "sex": "f", "age": "25-59"},
    {"no": 2, "roles": ["alleged_perpetrator"], "category": "civil_servant"},
]


def lay_down(hub: Hub, who: Person, to: Destination = CNDH, prefix: str = "CNDH") -> None:
    """A list of places, a destination, and its series."""
    places.import_list(hub.store, LIST, "test", hub.clock())
    destinations.add(hub.store, at_desk(hub, who), [to])
    serials.add(hub.store, at_desk(hub, who), to.code, prefix, SINCE, "folder")


def consent(level: str = "C2", *bodies: str, **changes: Any) -> dict[str, Any]:
    """A consent that the person gave."""
    return {"level": level, "given_by": "self", **({"bodies": list(bodies)} if bodies else {}), **changes}


def arrest(name: object, place: str = "ml-c-bla", **changes: Any) -> bytes:
    """The line of a complaint about an arrest, whose facts may go anywhere without a name."""
    said = {
        "kinds": ["HR-ARR"],
        "place": {"id": place, "version": "2026.1"},
        "persons": PERSONS,
        "consent": consent(),
        "confidentiality": "confidential",
        "money": None,
    }
    return complaint(name, **said | changes)


def quarter_over(hub: Hub) -> None:
    """Let the quarter of the tests be over."""
    hub.clock.pass_(days=(AFTER - NOW.date()).days)  # type: ignore[attr-defined]


def chosen(hub: Hub, who: Person, to: Destination = CNDH, quarter: str = QUARTER) -> Choice:
    """What a package would say now."""
    desk = at_desk(hub, who)
    with hub.store.read() as connection:
        held = packages.series_of(connection, to.code)
        assert held is not None
        keyed = Keyed.of(hub.secrets.pepper, to.code)
        return choose(connection, held, keyed, quarter, desk.places, desk.now.date())


def prepared(hub: Hub, who: Person, to: Destination = CNDH) -> Package:
    """A package of the quarter, prepared."""
    return preparing.prepare(hub.store, at_desk(hub, who), hub.secrets.pepper, to.code, QUARTER)
