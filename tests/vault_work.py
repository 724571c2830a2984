"""What devices seal, and what people of a hub open and hand on of it."""

from typing import Any

import sqlalchemy as sa

from server.domain.desk import Desk
from server.domain.errors import NotFound
from server.domain.people import HeldKeys
from server.domain.permission import OPERATOR
from server.hub import Hub
from server.services.vault import handing_on, opening
from server.services.vault.handing_on import Given
from server.services.vault.holding import Compartment
from server.services.vault.opening import Opened
from tests.builders import FoundedKeys, Person, Sender, clear_content, operation, verdicts

SAID = {"narrative": "On m'a demandé de l'argent sans reçu.", "lang": "fra"}
WHO = {"persons": [{"no": 1, "name": "Awa Exemple", "phone": "+223 00 00 12 34"}]}
WHY = "rappeler la plaignante"


def at_desk(hub: Hub, person: Person, keys: HeldKeys | None = None) -> Desk:
    """The person at work, with other keys in hand than their own where `keys` says so."""
    return hub.desk(person.actor, person.keys if keys is None else keys)


def sealed(device: Sender, name: object, whole: dict[str, Any], op: str = "complaint") -> bytes:
    """The line of an operation, sealed as its device does."""
    return operation(op, name, device.seal(name, whole))


def received(device: Sender, name: object = "a", **facts: Any) -> int:
    """A complaint that a device sealed and sent."""
    assert [each.verdict for each in verdicts(device.send(sealed(device, name, clear_content(**facts))))] == ["stored"]
    with device.hub.store.read() as connection:
        newest = sa.select(sa.func.max(sa.column("id"))).select_from(sa.table("complaint"))
        found: int = connection.scalars(newest).one()
    return found


def open_as(hub: Hub, person: Person, complaint: int, compartment: Compartment, why: str = WHY) -> Opened:
    return opening.open_compartment(hub.store, at_desk(hub, person), complaint, compartment, why)


def opens(hub: Hub, person: Person, complaint: int, compartment: Compartment) -> bool:
    """Whether a compartment is shown to the person: neither refused, nor closed."""
    try:
        return open_as(hub, person, complaint, compartment).clear is not None
    except NotFound:
        return False


def assign(hub: Hub, by: Person, complaint: int, to: Person) -> Given:
    return handing_on.assign(hub.store, at_desk(hub, by), complaint, to.actor.id)


def recovering(hub: Hub, keys: FoundedKeys) -> Desk:
    """An operator with the recovery key in hand."""
    return at_desk(hub, Person(OPERATOR, keys.recovery_keys))
