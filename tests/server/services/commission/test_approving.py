"""Approving: another person seals what was looked at, for its destination alone, and names are opened for that only."""

import io
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyrage
import pytest

from server.domain.errors import NotFound, PackageRefused
from server.domain.statistics import Period
from server.hub import Hub
from server.press import piece_opener
from server.services import statistics
from server.services.commission import approving, preparing, sealing, serials, summarising
from server.services.commission.approving import OpenNames, Press
from server.store import packages, registry
from server.store.packages import Package
from tests.builders import Person, Sender, add_person, an_id, operation
from tests.case_work import at_desk
from tests.commission import CNDH, QUARTER, arrest, consent, lay_down, prepared, quarter_over

NAME = "Awa Canari"


@dataclass(frozen=True)
class Opened:
    """An identity, as the vault gives it."""

    clear: Mapping[str, Any] | None
    is_unopenable: bool = False
    is_withheld: bool = False


def opening(complaints: Sequence[int], purpose: str) -> dict[int, Opened]:
    assert purpose.startswith("CNDH-")
    persons = [{"no": 1, "name": NAME, "phone": "+223 00 00 98 76"}, {"no": 2, "name": "Un agent"}]
    return dict.fromkeys(complaints, Opened({"persons": persons}))


@pytest.fixture
def key(hub: Hub, awa: Person, phone: Sender) -> pyrage.x25519.Identity:
    """The key of the commission, which was compared by voice; six complaints, one of which may go with a name."""
    made = pyrage.x25519.Identity.generate()
    lay_down(hub, awa)
    shown = serials.set_key(hub.store, at_desk(hub, awa), CNDH.code, str(made.to_public()))
    serials.confirm_key(hub.store, at_desk(hub, awa), CNDH.code, shown.upper())
    phone.send(*(arrest(f"plain {n}") for n in range(5)), arrest("named", consent=consent("C3", "cndh")))
    quarter_over(hub)
    return made


def registry_numbers(hub: Hub) -> list[str]:
    with hub.store.read() as connection:
        ids = list(connection.exec_driver_sql("SELECT id FROM complaint ORDER BY id").scalars())
        return list(registry.numbers_of(connection, ids).values())


def press(hub: Hub) -> Press:
    return Press(hub.secrets.pepper, hub.secrets.sign, hub.settings.data / "packages", "Jama Seere", "0.1.0")


def approve(hub: Hub, who: Person, package: Package, opened: OpenNames = opening, **more: str) -> Package:
    desk, number = at_desk(hub, who), package.number.text
    tables = statistics.published(hub.store, desk, Period.read(QUARTER, QUARTER))
    seen = more.pop("seen", package.choice)
    return approving.approve(
        hub.store, desk, press(hub), number, seen, opened, tables, open_pieces=piece_opener(hub, desk), **more
    )


def members(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_second_person_seals_for_the_destination_alone(
    hub: Hub, awa: Person, binta: Person, key: pyrage.x25519.Identity
) -> None:
    package = approve(hub, binta, prepared(hub, awa))
    assert (package.state, package.sealed_by) == ("sealed", binta.actor.signature)
    file = press(hub).folder / sealing.file_name(package.number.text, by_passphrase=False)
    held = members(pyrage.decrypt(file.read_bytes(), [key]))
    [told] = [data.decode("utf-8-sig") for name, data in held.items() if name.endswith("plaintes.csv")]
    assert NAME in told
    assert "Un agent" not in told
    assert "+223" not in told
    with hub.store.read() as connection:
        kept = packages.items(connection, package.id)
    assert sorted(each.item.shape for each in kept) == ["line"] * 5 + ["named"]
    assert not any(NAME in str(each) for each in kept)


@pytest.mark.usefixtures("key")
def test_who_prepared_does_not_approve_and_who_does_not_cover_everything_neither(hub: Hub, awa: Person) -> None:
    package = prepared(hub, awa)
    with pytest.raises(PackageRefused) as refused:
        approve(hub, awa, package)
    assert refused.value.values["fault"] == "same_person"
    for scopes in ({"teams": ["segou"]}, {}):
        with pytest.raises(NotFound):
            approve(hub, add_person(hub, f"Moussa {len(scopes)}", **scopes), package)


@pytest.mark.usefixtures("key")
def test_what_changed_since_it_was_prepared_is_not_sealed(hub: Hub, awa: Person, binta: Person, phone: Sender) -> None:
    package = prepared(hub, awa)
    about = {"complaint": an_id("plain 0"), "consent": consent("C0")}
    phone.send(operation("consent_change", "taken back", about, seq=9))
    with pytest.raises(PackageRefused) as refused:
        approve(hub, binta, package)
    assert refused.value.values["fault"] == "changed"
    assert not list(press(hub).folder.glob("*.zip*"))


@pytest.mark.usefixtures("key")
def test_consent_that_is_taken_back_while_it_is_sealed_stops_it(
    hub: Hub, awa: Person, binta: Person, phone: Sender
) -> None:
    package = prepared(hub, awa)

    def take_back(complaints: Sequence[int], purpose: str) -> dict[int, Opened]:
        about = {"complaint": an_id("plain 0"), "consent": consent("C0")}
        phone.send(operation("consent_change", "taken back", about, seq=9))
        return opening(complaints, purpose)

    with pytest.raises(PackageRefused) as refused:
        approve(hub, binta, package, take_back)
    assert refused.value.values["fault"] == "changed"
    assert not list(press(hub).folder.glob("*.zip*"))


@pytest.mark.usefixtures("key")
def test_summary_that_is_sent_back_while_it_is_sealed_stops_it(hub: Hub, awa: Person, binta: Person) -> None:
    [*_, number] = registry_numbers(hub)
    summarising.write(hub.store, at_desk(hub, awa), number, "Arrêtée sans motif écrit.")
    written = summarising.of(hub.store, at_desk(hub, binta), number)
    assert written is not None
    summarising.review(hub.store, at_desk(hub, binta), number, written.at)
    package = prepared(hub, awa)

    def send_back(complaints: Sequence[int], purpose: str) -> dict[int, Opened]:
        summarising.send_back(hub.store, at_desk(hub, binta), number, written.at, "Un nom y est dit.")
        return opening(complaints, purpose)

    with pytest.raises(PackageRefused) as refused:
        approve(hub, binta, package, send_back)
    assert refused.value.values["fault"] == "changed"


@pytest.mark.usefixtures("key")
@pytest.mark.parametrize("persons", [5, "Awa", {"no": 1}, [{"no": [1], "name": NAME}, {"no": "1"}, None]])
def test_what_no_device_of_ours_sealed_names_nobody(hub: Hub, awa: Person, binta: Person, persons: Any) -> None:
    sealed = approve(hub, binta, prepared(hub, awa), lambda ids, _: dict.fromkeys(ids, Opened({"persons": persons})))
    assert sealed.state == "sealed"


def test_number_is_taken_as_it_is_written_however_it_was_typed(
    hub: Hub, awa: Person, binta: Person, key: pyrage.x25519.Identity
) -> None:
    package = prepared(hub, awa)
    tables = statistics.published(hub.store, at_desk(hub, binta), Period.read(QUARTER, QUARTER))
    typed = f" {package.number.text.lower()} "
    desk = at_desk(hub, binta)
    opened = piece_opener(hub, desk)
    approving.approve(hub.store, desk, press(hub), typed, package.choice, opening, tables, open_pieces=opened)
    file = press(hub).folder / sealing.file_name(package.number.text, by_passphrase=False)
    assert pyrage.decrypt(file.read_bytes(), [key])


@pytest.mark.usefixtures("key")
def test_name_that_does_not_open_stops_the_sealing(hub: Hub, awa: Person, binta: Person) -> None:
    package = prepared(hub, awa)
    with pytest.raises(PackageRefused) as refused:
        approve(hub, binta, package, lambda ids, _: dict.fromkeys(ids, Opened(None, is_unopenable=True)))
    assert refused.value.values["fault"] == "unopenable"
    assert not list(press(hub).folder.glob("*.zip*"))
    look = preparing.look(hub.store, at_desk(hub, binta), hub.secrets.pepper, package.number.text)
    assert look.package.state == "prepared"


@pytest.mark.usefixtures("key")
def test_same_package_is_the_same_bytes_whoever_it_is_sealed_to(hub: Hub, awa: Person, binta: Person) -> None:
    package = prepared(hub, awa)
    first = approve(hub, binta, package)
    with hub.store.write() as connection:
        packages.set_items(connection, package.id, [])
        packages.change(connection, package.id, state="prepared", sealed_at=None, manifest=None)
    again = approve(hub, binta, package, passphrase="mil sorgho riz fonio coton")
    assert (first.zip, first.manifest) == (again.zip, again.manifest)
    assert first.file != again.file
