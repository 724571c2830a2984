"""A hub with packages to look at: two who prepare and approve them, clerks of two bodies, and complaints of a quarter."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pyotp
import pyrage

from server.domain.desk import Desk
from server.domain.packages import Word
from server.domain.permission import OPERATOR
from server.domain.referral import Destination
from server.hub import Hub
from server.press import press_of, seal
from server.services.accounts import people, sessions
from server.services.accounts.people import Made, Post
from server.services.accounts.sessions import Claim
from server.services.cases.acknowledging import acknowledge_new
from server.services.commission import answering, preparing, sealing, serials, summarising, transmitting
from server.services.commission.answering import Slip
from server.store import accounts, packages
from server.store.packages import Package
from tests.builders import (
    ROOT,
    Clock,
    Person,
    clear_content,
    enrolled,
    founded,
    open_new_hub,
    operation,
    publish_keyring,
    with_keyring,
)
from tests.commission import CNDH, PERSONS, QUARTER, consent, lay_down, quarter_over

WORDS: Final = "mil sorgho riz fonio"
PNEF: Final = Destination("pnef", "pnef", "anticorruption", None, CNDH.valid_from)
# Who prepares, who approves, who speaks for each body.
AWA, BINTA, CLERK, OTHER_CLERK, ADMINISTRATOR = "awa", "binta", "greffe", "huissier", "issa"
_POSTS: Final = {
    AWA: Post("coordinator", is_named_reader=True),
    BINTA: Post("coordinator", is_named_reader=True),
    "regional": Post("coordinator", regions=["ml-r-segou"]),
    ADMINISTRATOR: Post("administrator"),
}
FIRST: Final = "SRE-2026-000001"
SECOND: Final = "SRE-2026-000002"
# What must never be read where a name or a narrative is not due.
CANARIES: Final = ("Awa Exemple", "+223 00 00 12 34", "On m'a demandé", "près du puits")
SUMMARIES: Final = {
    FIRST: "Arrêté au marché, gardé quatre jours sans motif écrit, libéré contre paiement.",
    SECOND: "Arrêtée avec deux voisines, relâchée le lendemain sans papier.",
}


@dataclass
class Office:
    """The hub, who has an account on it, and the key of the commission's clerk."""

    hub: Hub
    made: dict[str, Made]
    key: pyrage.x25519.Identity = field(repr=False)

    def desk(self, name: str) -> Desk:
        """The desk of somebody who has just logged in, keys in hand."""
        hub, made = self.hub, self.made[name]
        with hub.store.write() as connection:
            accounts.update(connection, made.account.id, totp_step=0)
        entry = sessions.log_in(hub.store, hub.secrets.totp, Claim(name, WORDS, "test"), hub.clock())
        if entry.needs_code:
            code = pyotp.TOTP(made.secret or "").at(hub.clock())
            entry = sessions.give_code(hub.store, hub.secrets.totp, entry.token, code, "test", hub.clock())
        person = sessions.resume(hub.store, entry.token, hub.clock())
        return hub.desk(person.actor, person.keys)

    def write_summaries(self, by: str = AWA) -> None:
        for number, text in SUMMARIES.items():
            summarising.write(self.hub.store, self.desk(by), number, text)

    def prepare(self, by: str = AWA, to: str = CNDH.code) -> Package:
        return preparing.prepare(self.hub.store, self.desk(by), self.hub.secrets.pepper, to, QUARTER)

    def seal(self, package: Package, by: str = BINTA) -> Package:
        return seal(self.hub, self.desk(by), package.number.text, package.choice)

    def send(self, package: Package, by: str = AWA) -> Package:
        return transmitting.note_left(self.hub.store, self.desk(by), package.number.text)

    def sent(self, to: str = CNDH.code) -> Package:
        """A package that left."""
        return self.send(self.seal(self.prepare(to=to)))

    def refs(self, package: Package) -> list[str]:
        with self.hub.store.read() as connection:
            return list(dict.fromkeys(each.item.ref for each in packages.items(connection, package.id)))

    def answer(self, package: Package, *words: Word) -> None:
        """What the clerk says of it."""
        slip = Slip((package.manifest or "")[:8], "2027-01-05", "Greffe", words)
        answering.take_slip(self.hub.store, self.desk(CLERK), package.number.text, slip)

    def found(self, package: Package) -> Package:
        with self.hub.store.read() as connection:
            found = packages.find(connection, package.number)
        assert found is not None
        return found

    def file(self, package: Package) -> Path:
        """Where its sealed file is kept."""
        return press_of(self.hub).folder / transmitting.package_file(package)


@contextmanager
def office(folder: Path) -> Iterator[Office]:
    """A quarter that is over: six complaints that may go without a name, two with one, and some that may not go."""
    hub = with_keyring(open_new_hub(*founded(folder / "hub", coalition="Jama Seere"), Clock()))
    made = {name: _made(hub, name, post) for name, post in _POSTS.items()}
    awa = Person(made[AWA].account.actor, {})  # type: ignore[arg-type]
    lay_down(hub, awa)
    lay_down(hub, awa, PNEF, "PNEF")
    for name, to in ((CLERK, CNDH), (OTHER_CLERK, PNEF)):
        made[name] = _made(hub, name, Post("commission", destination=to.code))
    publish_keyring(hub, bytes(ROOT))
    opened = Office(hub, made, pyrage.x25519.Identity.generate())
    recipient = str(opened.key.to_public())
    serials.set_key(hub.store, hub.desk(awa.actor), CNDH.code, recipient)
    serials.confirm_key(hub.store, hub.desk(awa.actor), CNDH.code, sealing.fingerprint(recipient))
    phone = enrolled(hub, "Ségou 1", team="segou")
    phone.send(*_complaints())
    acknowledge_new(hub.store, hub.gazetteer(), hub.clock())
    quarter_over(hub)
    yield opened
    hub.close()


def _made(hub: Hub, name: str, post: Post) -> Made:
    return people.make(hub.store, hub.secrets.totp, OPERATOR, name, post, WORDS, hub.clock())


def _complaints() -> Iterator[bytes]:
    told: list[dict[str, Any]] = [
        *({"consent": consent()} for _ in range(6)),
        *({"consent": consent("C3", CNDH.code)} for _ in range(2)),
        *({"consent": consent("C1")} for _ in range(2)),
        # Nobody else tells of anything like it.
        {"consent": consent(), "kinds": ["HR-FOO"], "place": {"id": "ml-c-gao", "list": "2026.1"}},
        {"consent": consent(), "kinds": ["COR-EXT"]},
        {"consent": consent("C3", "gendarmerie")},
    ]
    usual = {"kinds": ["HR-ARR"], "place": {"id": "ml-c-bla", "list": "2026.1"}, "persons": PERSONS, "money": None}
    for no, facts in enumerate(told, 1):
        yield operation("complaint", f"arrest {no}", clear_content(**usual | facts), seq=no)


