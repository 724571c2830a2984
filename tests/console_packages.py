"""A hub with packages to look at: two who prepare and approve them, clerks of two bodies, a quarter of complaints."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pyotp
import pyrage
from nacl.public import PrivateKey

from server.domain.desk import Desk
from server.domain.packages import Number, Word
from server.domain.people import NO_KEYS
from server.domain.permission import OPERATOR
from server.domain.referral import Destination
from server.hub import Hub
from server.press import press_of, seal
from server.services import keyrings
from server.services.accounts import people, sessions
from server.services.accounts.people import Made, Post
from server.services.accounts.sessions import Claim
from server.services.cases.acknowledging import acknowledge_new
from server.services.commission import answering, preparing, sealing, serials, summarising, transmitting
from server.services.commission.answering import Slip
from server.store import accounts, packages
from server.store.packages import Package
from tests.browsing import WORDS, Browser
from tests.builders import (
    ROOT,
    Clock,
    Person,
    Sender,
    app_of,
    clear_content,
    enrolled,
    founded,
    open_new_hub,
    operation,
    publish_keyring,
)
from tests.commission import CNDH, PERSONS, QUARTER, consent, lay_down, quarter_over

PNEF: Final = Destination("pnef", "pnef", "anticorruption", None, CNDH.valid_from)
# Who prepares, who approves, who speaks for each body.
AWA, BINTA, REGIONAL, ADMINISTRATOR = "awa", "binta", "regional", "issa"
CLERK, OTHER_CLERK, UNBOUND = "greffe", "huissier", "nouveau"
_POSTS: Final = {
    AWA: Post("coordinator", is_named_reader=True),
    BINTA: Post("coordinator", is_named_reader=True),
    REGIONAL: Post("coordinator", regions=["ml-r-segou"]),
    ADMINISTRATOR: Post("administrator"),
    CLERK: Post("commission", destination=CNDH.code),
    OTHER_CLERK: Post("commission", destination=PNEF.code),
    UNBOUND: Post("commission"),
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
    key: pyrage.x25519.Identity = field(repr=False)
    made: dict[str, Made] = field(default_factory=dict)
    phone: Sender = field(init=False)

    def person(self, name: str) -> Made:
        """Somebody of _POSTS, whose next code may be one that was given already."""
        if name not in self.made:
            hub = self.hub
            self.made[name] = people.make(hub.store, hub.secrets.totp, OPERATOR, name, _POSTS[name], WORDS, hub.clock())
        with self.hub.store.write() as connection:
            accounts.update(connection, self.made[name].account.id, totp_step=0)
        return self.made[name]

    def browser(self, name: str) -> Browser:
        """The browser of somebody who has just logged in."""
        browser = Browser(app_of(self.hub))
        browser.log_in(self.person(name), self.hub)
        return browser

    def desk(self, name: str) -> Desk:
        """The desk of somebody who has just logged in, keys in hand."""
        hub, made = self.hub, self.person(name)
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
        return self.numbered(package.number.text)

    def numbered(self, number: str) -> Package:
        read = Number.read(number)
        with self.hub.store.read() as connection:
            found = None if read is None else packages.find(connection, read)
        assert found is not None
        return found

    def trust(self, to: str) -> None:
        """Let a destination have the key of the clerk, heard by voice."""
        recipient, desk = str(self.key.to_public()), self.desk(AWA)
        serials.set_key(self.hub.store, desk, to, recipient)
        serials.confirm_key(self.hub.store, desk, to, sealing.fingerprint(recipient))

    def file(self, package: Package) -> Path:
        """Where its sealed file is kept."""
        return press_of(self.hub).folder / transmitting.package_file(package)


@contextmanager
def office(folder: Path) -> Iterator[Office]:
    """A hub of its own in `folder`, furnished, where everybody has an account."""
    hub = open_new_hub(*founded(folder / "hub", coalition="Jama Seere"), Clock())
    opened = furnished(hub)
    for name in _POSTS:
        opened.person(name)
    yield opened
    hub.close()


def furnished(hub: Hub) -> Office:
    """A new hub whose quarter is over: six complaints may go to the commission without a name, two with one, and some
    may not go."""
    opened = Office(hub, pyrage.x25519.Identity.generate())
    awa = Person(opened.person(AWA).account.actor, NO_KEYS)
    opened.person(BINTA)
    keyrings.set_recovery(hub.store, bytes(PrivateKey.generate().public_key), hub.clock())
    publish_keyring(hub, bytes(ROOT))
    lay_down(hub, awa)
    lay_down(hub, awa, PNEF, "PNEF")
    recipient, desk = str(opened.key.to_public()), hub.desk(awa.actor)
    serials.set_key(hub.store, desk, CNDH.code, recipient)
    serials.confirm_key(hub.store, desk, CNDH.code, sealing.fingerprint(recipient))
    opened.phone = enrolled(hub, "Ségou 1", team="segou")
    opened.phone.send(*_complaints())
    acknowledge_new(hub.store, hub.gazetteer(), hub.clock())
    quarter_over(hub)
    return opened


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
