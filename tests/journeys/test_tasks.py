"""A task's way: a coordinator sets it, a phone that was far away takes it, does it offline and brings the result."""

from datetime import timedelta
from typing import Any

import pytest

from client_sync.stores import Folder
from client_sync.vault import Vault
from server.domain.errors import NotFound
from server.domain.task import Window
from server.services.cases import tasking
from server.services.cases.tasking import Errand, Shown
from server.services.devices import revoke
from server.services.vault import opening
from server.store import erasures, registry
from tests.builders import ROOT, Person, add_person, publish_keyring
from tests.case_work import at_desk
from tests.client_sync.builders import SOFT, WORDS
from tests.journeys.conftest import FieldDevice, NewDevice, RunningHub

NUMBER = "SRE-2026-000001"
SECRET = "Awa Exemple, derrière le puits"


@pytest.fixture
def awa(hub: RunningHub) -> Person:
    """A coordinator of Gao whose key the devices know."""
    person = add_person(hub.hub, "Awa", teams=["gao"])
    publish_keyring(hub.hub, bytes(ROOT))
    return person


@pytest.fixture
def far(hub: RunningHub, awa: Person, new_device: NewDevice) -> FieldDevice:
    """The phone of the team that did not record the complaint, with a vault."""
    first, far = new_device("Gao 1", team="gao"), new_device("Gao 2", team="gao")
    first.write("a", contact_ok="yes")
    first.sync()
    Vault.create(far.outbox.folder, WORDS, SOFT).close()
    return far


def set_task(hub: RunningHub, person: Person, days: int = 10, **parts: Any) -> str:
    today = hub.clock().date()
    errand = Errand("visit", "Gao 2", Window(today, today + timedelta(days=days)), words=SECRET, parts=parts)
    return tasking.set_task(hub.hub.store, at_desk(hub.hub, person), NUMBER, errand, after=0).id


def shown(hub: RunningHub, person: Person, id: str) -> Shown:
    return tasking.show(hub.hub.store, at_desk(hub.hub, person), id)


def opened(folder: Folder) -> Vault:
    return Vault.open(folder, WORDS, lambda: 1.0)


def test_task_is_taken_done_offline_and_read_by_the_coordinator(hub: RunningHub, awa: Person, far: FieldDevice) -> None:
    id = set_task(hub, awa)
    far.sync()
    vault = opened(far.outbox.folder)
    [task] = far.outbox.tasks.listed(vault)
    assert (task.id, task.details, task.ways) == (id, {"words": SECRET}, ("verification_visit",))
    codes = {"outcome": "verified", "done_on": "2026-11-23", "method": "visit", "sources": 2, "finding": "corroborated"}
    report = {"heard": "le chef de village", "note": "Rien à ajouter."}
    content = {"task": id, **codes, "report": {"clear": report}}
    far.outbox.finalise("task_done", content, scope=task.scope)
    vault.close()
    assert far.sync().is_whole
    [(label, result)] = shown(hub, awa, id).results
    assert (label, result.outcome, result.state, result.sources) == ("Gao 2", "verified", "corroborated", 2)
    read = opening.open_report(hub.hub.store, at_desk(hub.hub, awa), result.received)
    assert read.clear == report
    complaint = opening.complaint_numbered(hub.hub.store, NUMBER)
    looks = opening.openings(hub.hub.store, at_desk(hub.hub, awa), complaint)
    assert [(each.name, each.compartment) for each in looks] == [("Awa", "report")]
    elsewhere = add_person(hub.hub, "Sekou", teams=["mopti"])
    with pytest.raises(NotFound):
        opening.open_report(hub.hub.store, at_desk(hub.hub, elsewhere), result.received)
    assert all(b"chef de village" not in line for line in hub.lines().values())


def test_every_part_of_the_complaint_that_was_sealed_for_the_visit_is_read_on_the_phone(
    hub: RunningHub, awa: Person, far: FieldDevice
) -> None:
    parts = {
        "statement": {"narrative": "On m'a pris mon champ.", "lang": "fra"},
        "traces": {"said": "près du puits"},
        "identity": {"persons": [{"no": 1, "name": "Awa Exemple"}]},
    }
    set_task(hub, awa, **parts)
    far.sync()
    vault = opened(far.outbox.folder)
    [task] = far.outbox.tasks.listed(vault)
    vault.close()
    assert task.details == {"words": SECRET, **parts}


def test_task_that_was_recalled_before_the_phone_came_is_never_read(
    hub: RunningHub, awa: Person, far: FieldDevice
) -> None:
    id = set_task(hub, awa)
    tasking.recall(hub.hub.store, at_desk(hub.hub, awa), id)
    far.sync()
    assert far.outbox.tasks.count() == 0


def test_task_leaves_the_phone_when_it_is_recalled_or_over(hub: RunningHub, awa: Person, far: FieldDevice) -> None:
    id = set_task(hub, awa)
    far.sync()
    assert far.outbox.tasks.count() == 1
    tasking.recall(hub.hub.store, at_desk(hub.hub, awa), id)
    far.sync()
    assert far.outbox.tasks.count() == 0


def test_task_is_over_on_the_phone_and_at_the_hub(hub: RunningHub, awa: Person, far: FieldDevice) -> None:
    id = set_task(hub, awa)
    far.sync()
    hub.clock.pass_(days=11)
    far.sync()
    assert far.outbox.tasks.count() == 0
    assert tasking.look_after(hub.hub.store, hub.hub.gazetteer(), hub.clock()) == 1
    assert shown(hub, awa, id).task.state == "over"
    far.sync()
    assert far.outbox.tasks.count() == 0


def test_erased_complaint_takes_its_task_off_the_phone(hub: RunningHub, awa: Person, far: FieldDevice) -> None:
    set_task(hub, awa)
    far.sync()
    with hub.hub.store.write() as connection:
        complaint = registry.complaint_numbered(connection, NUMBER)
        assert complaint is not None
        subject = erasures.subject_of(connection, complaint)
        assert subject is not None
        erasures.wipe(connection, subject, hub.clock(), hub.clock())
    far.sync()
    assert far.outbox.tasks.count() == 0


def test_revoked_phone_lets_go_of_its_tasks(hub: RunningHub, awa: Person, far: FieldDevice) -> None:
    set_task(hub, awa)
    far.sync()
    device = far.outbox.require_enrolled().device
    revoke(hub.hub.store, device, hub.clock(), hub.hub.identity.sign_key, reason="perdu")
    far.sync()
    assert far.outbox.tasks.count() == 0
