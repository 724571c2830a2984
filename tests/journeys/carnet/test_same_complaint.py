"""One telling, given to a phone and to the field client of a laptop: the centre holds the same complaint twice."""

import hashlib
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
import sqlalchemy as sa

from client_sync.client import SyncClient
from client_sync.complaint import Answers, Consent, Urgency, build_complaint
from client_sync.complaint import Person as Told
from client_sync.enrolment import enrol
from client_sync.outbox import Outbox
from client_sync.places import PLACES
from client_sync.protocol.canonical import canonical, parse
from client_sync.protocol.frames import from_text
from client_sync.seal import Binding, open_part, open_record_key
from client_sync.stores import Folder
from client_sync.transport import HttpTransport
from server.hub import Hub
from server.services import devices
from server.store.schema import act, complaint, person, received
from tests.builders import ROOT, Person, add_person, publish_keyring
from tests.carnet_phone import Phone

pytestmark = [pytest.mark.prove, pytest.mark.ci]

NARRATIVE = "On m'a demandé de l'argent, sans reçu."
NAME, SAID, NUMBER = "Awa Exemple", "derrière le marché", "+223 00 00 12 34"


@pytest.fixture
def reader(hub: Hub) -> Person:
    """Somebody to whom devices seal."""
    reader = add_person(hub, "Awa", is_named_reader=True)
    publish_keyring(hub, bytes(ROOT))
    return reader


@pytest.fixture
def laptop(phone: Phone, hub: Hub, tmp_path: Path) -> Iterator[tuple[Outbox, SyncClient]]:
    """The field client of another device, enrolled at the same centre."""
    outbox = Outbox.open(Folder(tmp_path / "laptop"))
    with closing(outbox), closing(HttpTransport(phone.address)) as transport:
        code = devices.invite(hub.store, hub.clock(), label="Portable 1", valid_hours=72).code
        enrolled = enrol(outbox.folder, phone.address, code, transport, label="Portable 1")
        devices.confirm(hub.store, enrolled.device, hub.clock())
        yield outbox, SyncClient(outbox, transport, rng=Random(1), version="0.1.0")


def columns(hub: Hub, number: int) -> list[dict[str, Any]]:
    """All that the centre read of a complaint, but for its number."""
    with hub.store.read() as connection:
        rows = [
            connection.execute(sa.select(table).where(key == number)).mappings().all()
            for table, key in ((complaint, complaint.c.id), (act, act.c.complaint), (person, person.c.complaint))
        ]
    return [{name: row[name] for name in row if name not in ("id", "complaint")} for table in rows for row in table]


def opened(hub: Hub, reader: Person, number: int) -> dict[str, Any]:
    """A complaint as it was told: what is sealed in it, opened by the key of its reader."""
    with hub.store.read() as connection:
        row = connection.execute(sa.select(received).where(received.c.id == number)).one()
    content = parse(row.line)["content"]
    seal = content.pop("seal")
    key = open_record_key(from_text(seal["keys"][reader.kid]), reader.keys.private[reader.kid])
    binding = Binding(row.client_id, row.lineage)
    for name, part in content.items():
        if "box" in part:
            content[name] = {"clear": parse(open_part(from_text(part["box"]), key, name, binding))}
    return dict(content)


def test_the_centre_holds_the_same_whichever_device_it_was_told(
    reader: Person, phone: Phone, laptop: tuple[Outbox, SyncClient], hub: Hub
) -> None:
    receipt = phone.write(NARRATIVE, name=NAME, said=SAID, phone=NUMBER)
    phone.send()
    with hub.store.read() as connection:
        entered = connection.scalars(sa.select(complaint.c.entered_at)).one()

    told = Answers(
        danger="no",
        urgency=Urgency(),
        narrative=NARRATIVE,
        narrative_language="fra",
        kinds=("COR-OTH",),
        cercle="ml-c-bla",
        places=PLACES.version,
        place_said=SAID,
        incident_from=(entered.date() - timedelta(days=1)).isoformat(),
        incident_precision="day",
        perpetrators=(Told(("alleged_perpetrator",), category="gendarmerie"),),
        victims=(Told(("complainant", "victim"), sex="f", age="25-59", name=NAME, phone=NUMBER),),
        relation="victim",
        consent=Consent("C3", on=entered.date().isoformat()),
        contact_ok="unasked",
    )
    outbox, client = laptop
    outbox.finalise("complaint", build_complaint(told, now=entered, receipt=receipt), receipt=receipt)
    client.sync()

    with hub.store.read() as connection:
        first, second = connection.scalars(sa.select(complaint.c.id).order_by(complaint.c.id)).all()
    assert columns(hub, first) == columns(hub, second)
    by_phone, by_laptop = (canonical(opened(hub, reader, number)) for number in (first, second))
    assert by_phone == by_laptop
    assert hashlib.sha256(by_phone).digest() == hashlib.sha256(by_laptop).digest()
