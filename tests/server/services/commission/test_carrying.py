"""Carrying: who keeps the key at home opens names there, and they come back for one package, one choice, one person."""

import io
import json
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pyrage
import pytest
from nacl.public import PrivateKey

from client_sync.protocol.canonical import canonical
from server.domain.desk import Desk
from server.domain.errors import PackageRefused
from server.domain.people import HeldKeys
from server.hub import Hub
from server.press import hand_over, press_of, seal
from server.services import keyrings
from server.services.commission import carrying, preparing, sealing, serials
from server.services.commission.carrying import Handed
from server.services.vault import opening
from server.store import packages
from server.store.packages import Package
from tests.builders import ROOT, Person, Sender, add_person, clear_content, operation, publish_keyring
from tests.case_work import at_desk
from tests.commission import CNDH, PERSONS, consent, lay_down, prepared, quarter_over

NAME, PHONE, WITNESS = "Awa Canari", "+223 00 00 98 76", "Temoin Canari"
WHO = {
    "persons": [
        {"no": 1, "name": NAME, "phone": PHONE},
        {"no": 2, "name": "Un agent"},
        {"no": 3, "name": WITNESS},
    ]
}
PEOPLE = [*PERSONS, {"no": 3, "roles": ["witness"]}]


@dataclass(frozen=True)
class AtHome:
    """Somebody of whose keys the hub holds none; `private` is at home."""

    person: Person
    private: bytes

    def desk(self, hub: Hub) -> Desk:
        return hub.desk(self.person.actor, HeldKeys({}))


def at_home(hub: Hub, name: str) -> AtHome:
    """Whoever covers everything, with a key at home alone; it is in the keyring."""
    person, private = add_person(hub, name, is_named_reader=True), PrivateKey.generate()
    keyrings.add_offline(hub.store, person.actor.id, bytes(private.public_key), hub.clock())
    keyrings.remove(hub.store, person.kid, hub.clock())
    publish_keyring(hub, bytes(ROOT))
    return AtHome(person, bytes(private))


@pytest.fixture
def fanta(hub: Hub) -> AtHome:
    return at_home(hub, "Fanta")


@pytest.fixture
def key(hub: Hub, awa: Person, fanta: AtHome, phone: Sender) -> pyrage.x25519.Identity:
    """The key of the commission; five complaints without a name, one with it, and one that it may call."""
    made = pyrage.x25519.Identity.generate()
    lay_down(hub, awa)
    shown = serials.set_key(hub.store, at_desk(hub, awa), CNDH.code, str(made.to_public()))
    serials.confirm_key(hub.store, at_desk(hub, awa), CNDH.code, shown)
    for n in range(5):
        tell(phone, f"plain {n}")
    tell(phone, "named", consent=consent("C3", "cndh"))
    tell(phone, "called", consent=consent("C4", "cndh"), contact_ok="yes")
    quarter_over(hub)
    return made


@pytest.fixture
def package(hub: Hub, awa: Person, key: pyrage.x25519.Identity) -> Package:
    return prepared(hub, awa)


def tell(phone: Sender, name: str, **facts: object) -> None:
    """A complaint that its device sealed."""
    said = {"kinds": ["HR-ARR"], "place": {"id": "ml-c-bla", "list": "2026.1"}, "persons": PEOPLE, "money": None}
    said |= {"consent": consent()} | facts
    content = clear_content(**said) | {"identity": {"clear": WHO}}
    answer = phone.send(operation("complaint", name, phone.seal(name, content)))
    assert not answer["frames"][0].get("quarantined"), answer


def carried(hub: Hub, who: AtHome, package: Package) -> Handed:
    return hand_over(hub, who.desk(hub), package.number.text)


def back(handed: Handed, who: AtHome) -> bytes:
    return carrying.open_names(handed.file, who.private, handed.words).file


def fault(call: Callable[[], object]) -> str:
    with pytest.raises(PackageRefused) as refused:
        call()
    return str(refused.value.values["fault"])


def test_names_opened_at_home_are_in_the_package_and_nowhere_else(
    hub: Hub, fanta: AtHome, package: Package, key: pyrage.x25519.Identity
) -> None:
    number, desk = package.number.text, fanta.desk(hub)
    assert fault(lambda: seal(hub, desk, number, package.choice)) == "unopenable"
    handed = carried(hub, fanta, package)
    names = carrying.open_names(handed.file, fanta.private, handed.words)
    assert (handed.names, names.names, names.package) == (2, 2, number)
    sealed = seal(hub, desk, number, package.choice, names=names.file)
    file = press_of(hub).folder / sealing.file_name(number, by_passphrase=False)
    with zipfile.ZipFile(io.BytesIO(pyrage.decrypt(file.read_bytes(), [key]))) as bag:
        lines = json.loads(bag.read(f"{number}/data/plaintes.json"))["lines"]
    assert sorted(str(each.get("phone")) for each in lines if each.get("name") == NAME) == [PHONE, "None"]
    assert WITNESS not in str(lines)
    for seen in (handed.file, names.file, file.read_bytes()):
        assert not any(each.encode() in seen for each in (NAME, PHONE, WITNESS))
    # What opens them is gone: nobody seals with them again, nor reads them on the stick.
    with hub.store.read() as connection:
        assert packages.names_key(connection, sealed.number) is None


def test_each_opening_is_in_the_log_when_it_goes_and_when_it_comes_back(
    hub: Hub, awa: Person, fanta: AtHome, package: Package
) -> None:
    def looks() -> list[tuple[str, str, str]]:
        found = opening.openings(hub.store, at_desk(hub, awa), 6)
        return [(each.name, each.compartment, each.reason) for each in found]

    names = back(carried(hub, fanta, package), fanta)
    told = ("Fanta", "identity", package.number.text)
    assert looks() == [told]
    seal(hub, fanta.desk(hub), package.number.text, package.choice, names=names)
    assert looks() == [told] * 2


def test_who_has_no_key_for_one_of_them_gets_none(hub: Hub, package: Package, phone: Sender, awa: Person) -> None:
    late = at_home(hub, "Venue après")
    assert fault(lambda: carried(hub, late, package)) == "unopenable"
    assert opening.openings(hub.store, at_desk(hub, awa), 6) == []


def test_keys_that_open_it_here_need_no_carrying(hub: Hub, package: Package, binta: Person, awa: Person) -> None:
    with_all = hub.desk(binta.actor, awa.keys)
    assert fault(lambda: hand_over(hub, with_all, package.number.text)) == "names_here"


def test_who_prepared_carries_nothing_out(hub: Hub, awa: Person, package: Package) -> None:
    desk = hub.desk(awa.actor, HeldKeys({}))
    assert fault(lambda: hand_over(hub, desk, package.number.text)) == "same_person"


class TestFileOnItsWayOut:
    def test_another_one_has_other_words(self, hub: Hub, fanta: AtHome, package: Package) -> None:
        handed = carried(hub, fanta, package)
        said = json.loads(handed.file)
        # Somebody who would like to read the names puts a key of their own in.
        said["to"] = carrying.to_text(bytes(PrivateKey.generate().public_key))
        other = canonical(said)
        assert fault(lambda: carrying.open_names(other, fanta.private, handed.words)) == "names_words"
        typed = f"  {handed.words.upper()} "
        assert carrying.open_names(handed.file, fanta.private, typed).names == 2

    def test_it_opens_by_that_persons_key_alone(self, hub: Hub, fanta: AtHome, package: Package) -> None:
        handed = carried(hub, fanta, package)
        other = bytes(PrivateKey.generate())
        assert fault(lambda: carrying.open_names(handed.file, other, handed.words)) == "names_key"

    @pytest.mark.parametrize("file", [b"", b"{}", b'{"kind":"seere package names 1"}', b"\xff" * 9], ids=str)
    def test_what_is_none_is_refused(self, fanta: AtHome, file: bytes) -> None:
        assert fault(lambda: carrying.open_names(file, fanta.private, "abri")) == "names_unreadable"


class TestNamesThatAreRefused:
    def sealed(self, hub: Hub, who: AtHome, package: Package, names: bytes) -> str:
        said = fault(lambda: seal(hub, who.desk(hub), package.number.text, package.choice, names=names))
        assert not list(press_of(hub).folder.glob("*.zip*"))
        return said

    def test_altered_ones(self, hub: Hub, fanta: AtHome, package: Package) -> None:
        names = json.loads(back(carried(hub, fanta, package), fanta))
        middle = len(names["box"]) // 2
        names["box"] = (
            names["box"][:middle] + ("A" if names["box"][middle] != "A" else "B") + names["box"][middle + 1 :]
        )
        assert self.sealed(hub, fanta, package, canonical(names)) == "names_altered"

    def test_made_up_ones(self, hub: Hub, fanta: AtHome, package: Package) -> None:
        """Whoever finds the file knows to whom names are sealed, and could put others in their place."""
        handed = carried(hub, fanta, package)
        forged = json.loads(carrying.open_names(handed.file, fanta.private, handed.words).file)
        to, other = carrying.PublicKey(carrying.from_text(forged["to"])), PrivateKey.generate()
        clear = {"choice": package.choice, "names": {}, "package": package.number.text, "until": ""}
        forged["box"] = carrying.to_text(bytes(carrying.Box(other, to).encrypt(canonical(clear))))
        assert self.sealed(hub, fanta, package, canonical(forged)) == "names_altered"

    def test_those_of_another_package(self, hub: Hub, fanta: AtHome, package: Package) -> None:
        names = json.loads(back(carried(hub, fanta, package), fanta))
        other = canonical(names | {"package": "CNDH-2026-T3-0001"})
        assert self.sealed(hub, fanta, package, other) == "names_other"

    def test_those_of_an_older_choice(
        self, hub: Hub, awa: Person, fanta: AtHome, package: Package, phone: Sender
    ) -> None:
        names = back(carried(hub, fanta, package), fanta)
        tell(phone, "one more")
        pepper, desk = hub.secrets.pepper, at_desk(hub, awa)
        # It came after the quarter: the choice is the same, and so it is prepared anew for another reason.
        again = preparing.prepare_anew(hub.store, desk, pepper, package.number.text)
        assert self.sealed(hub, fanta, again, names) == "names_old"

    def test_those_that_were_asked_for_again(self, hub: Hub, fanta: AtHome, package: Package) -> None:
        first = back(carried(hub, fanta, package), fanta)
        second = back(carried(hub, fanta, package), fanta)
        assert self.sealed(hub, fanta, package, first) == "names_old"
        assert seal(hub, fanta.desk(hub), package.number.text, package.choice, names=second).state == "sealed"

    def test_those_of_somebody_else(self, hub: Hub, fanta: AtHome, binta: Person, package: Package) -> None:
        names = back(carried(hub, fanta, package), fanta)
        binta_at_home = AtHome(binta, b"")
        assert self.sealed(hub, binta_at_home, package, names) == "names_old"

    def test_those_that_come_after_three_days(self, hub: Hub, fanta: AtHome, package: Package) -> None:
        names = back(carried(hub, fanta, package), fanta)
        hub.clock.pass_(hours=72)  # type: ignore[attr-defined]
        assert not carrying.is_any_old(hub.store, hub.clock())
        hub.clock.pass_(seconds=1)  # type: ignore[attr-defined]
        assert self.sealed(hub, fanta, package, names) == "names_old"
        assert carrying.is_any_old(hub.store, hub.clock())
        assert carrying.forget_old(hub.store, hub.clock()) == 1
        with hub.store.read() as connection:
            assert packages.names_key(connection, package.number) is None
        assert not carrying.is_any_old(hub.store, hub.clock())

    def test_those_of_a_key_that_was_taken_away(self, hub: Hub, fanta: AtHome, package: Package) -> None:
        names = back(carried(hub, fanta, package), fanta)
        keyrings.remove(hub.store, json.loads(names)["kid"], hub.clock())
        assert self.sealed(hub, fanta, package, names) == "names_altered"

    def test_those_of_a_package_that_was_given_up(
        self, hub: Hub, awa: Person, fanta: AtHome, package: Package, tmp_path: Path
    ) -> None:
        carried(hub, fanta, package)
        preparing.cancel(hub.store, at_desk(hub, awa), package.number.text, "chiffres à revoir")
        with hub.store.read() as connection:
            assert packages.names_key(connection, package.number) is None
