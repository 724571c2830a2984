"""Tasks of a case: set, given on and taken back; what is sealed opens on the device alone; hub rows are checked."""

import json
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from client_sync.protocol.frames import from_text
from client_sync.seal import open_envelope
from server.hub import Hub
from server.store.schema import opening
from server.store.task_tables import task
from tests.browsing import Browser, seen_on
from tests.builders import ROOT, Sender, clear_content, complaint, enrolled, operation, publish_keyring

NAME = "Awa Canari"
WORDS = "Demander le chef de poste."


@pytest.fixture
def hub(sealing_hub: Hub) -> Hub:
    return sealing_hub


@pytest.fixture
def phone(hub: Hub, awa: Browser) -> Sender:
    assert awa
    publish_keyring(hub, bytes(ROOT))
    return enrolled(hub, "Gao 1", team="gao")


@pytest.fixture
def number(hub: Hub, phone: Sender) -> str:
    phone.send(complaint("a", contact_ok="yes"))
    return f"SRE-{hub.clock().year}-000001"


def path(number: str, task: str = "new") -> str:
    return f"/console/cases/{number}/tasks/{task}"


def errand(hub: Hub, **said: str) -> dict[str, str]:
    today = hub.clock().date()
    days = {"from": today.isoformat(), "to": (today + timedelta(days=9)).isoformat()}
    return {"kind": "visit", "device": "M-2", "after": "0", "words": WORDS} | days | said


def rows(hub: Hub, *names: str) -> list[tuple[Any, ...]]:
    with hub.store.read() as connection:
        return [tuple(row) for row in connection.execute(sa.select(*(task.c[name] for name in names)))]


def told(sender: Sender) -> dict[str, Any]:
    """What the device was told of its task, opened there."""
    [change] = [each for each in sender.send(limit=16_000)["changes"] if each["kind"] == "task"]
    opened: dict[str, Any] = json.loads(open_envelope(from_text(change["box"]), bytes(sender.box)))
    return opened


def test_task_is_set_and_its_words_open_on_its_device_alone(hub: Hub, awa: Browser, number: str) -> None:
    other = enrolled(hub, "Gao 2", team="gao")
    page = awa.get(path(number)).text
    assert "Gao 1 (M-1, gao) · a recueilli la plainte" in page
    assert awa.get(path(number).removesuffix("/new")).status_code == 200
    made = awa.post(path(number), **errand(hub))
    [(id, kind, lineage)] = rows(hub, "id", "kind", "lineage")
    assert (made.status_code, made.location) == (303, path(number, id))
    assert (kind, lineage) == ("visit", other.lineage)
    assert told(other)["words"] == WORDS
    pages = [awa.get(path(number)).text, awa.get(path(number, id)).text]
    assert [text for text in pages if WORDS in text] == []
    assert "Vers l&#39;appareil" in pages[1]


def test_identity_goes_along_for_a_reason_and_stands_on_no_page(hub: Hub, awa: Browser, phone: Sender) -> None:
    content = clear_content(contact_ok="yes") | {"identity": {"clear": {"persons": [{"no": 1, "name": NAME}]}}}
    phone.send(operation("complaint", "s", phone.seal("s", content)))
    other, number = enrolled(hub, "Gao 2", team="gao"), f"SRE-{hub.clock().year}-000001"
    awa.get(path(number))
    said = errand(hub, part="identity")
    for reason, why in (("", "Dites pourquoi, en 10"), ("trouver la personne", "chargé de la plainte")):
        refused = awa.post(path(number), **said, reason=reason)
        assert (refused.status_code, rows(hub, "id")) == (422, [])
        assert why in refused.text
        assert WORDS in refused.text
    identity = f"/console/cases/{number}/identity"
    awa.post(f"{identity}/charge", to="Awa", seen=seen_on(awa.get(identity)))
    made = awa.post(path(number), **said, reason="trouver la personne")
    assert made.status_code == 303
    assert told(other)["identity"]["persons"][0]["name"] == NAME
    assert [text for text in (awa.get(path(number)).text, awa.get(made.location).text) if NAME in text] == []
    with hub.store.read() as connection:
        assert list(connection.scalars(sa.select(opening.c.reason))) == ["trouver la personne"]


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"kind": ""}, "Choisissez ce qui est à faire."),
        ({"from": "demain"}, "les deux jours"),
        ({"to": "2026-11-21"}, "Il faut une période"),
        ({"device": "M-1"}, "prenez un autre appareil"),
        ({"repeats": "1"}, "Seule la visite du trimestre"),
    ],
)
def test_what_can_not_be_set_is_refused_in_place(
    hub: Hub, awa: Browser, number: str, said: dict[str, str], why: str
) -> None:
    enrolled(hub, "Gao 2", team="gao")
    awa.get(path(number))
    refused = awa.post(path(number), **errand(hub, **said))
    assert (refused.status_code, rows(hub, "id")) == (422, [])
    assert why in refused.text


def test_kind_that_the_person_does_not_allow_is_off_and_says_why(hub: Hub, awa: Browser, phone: Sender) -> None:
    phone.send(complaint("n", contact_ok="never"))
    page = awa.get(path(f"SRE-{hub.clock().year}-000001")).text
    assert 'value="ask" required disabled aria-describedby="why-ask"' in page
    assert "La personne a dit « jamais »" in page


def test_task_is_given_on_and_taken_back(hub: Hub, awa: Browser, number: str) -> None:
    enrolled(hub, "Gao 2", team="gao")
    third = enrolled(hub, "Gao 3", team="gao")
    awa.get(path(number))
    own = awa.post(path(number), **errand(hub)).location
    awa.get(own)
    assert awa.post(own, **errand(hub, device="M-3", do="reassign")).status_code == 303
    assert rows(hub, "lineage", "state") == [(third.lineage, "told")]
    assert awa.post(own, do="recall").status_code == 303
    assert rows(hub, "state") == [("recalled",)]
    assert awa.post(own, do="recall").status_code == 422
    assert awa.get(path(number, "0" * 36)).status_code == 404


def test_report_is_read_in_words_and_stands_on_that_answer_alone(hub: Hub, awa: Browser, number: str) -> None:
    team = enrolled(hub, "Gao 2", team="gao")
    awa.get(path(number))
    own = awa.post(path(number), **errand(hub)).location
    [[id]] = rows(hub, "id")
    told(team)
    done = {"task": id, "outcome": "verified", "report": {"clear": {"heard": "Le chef a tout reconnu."}}}
    team.send(operation("task_done", "fait", done))
    page = awa.get(own).text
    assert "Vérifié" in page
    assert "Le chef a tout reconnu." not in page
    read = awa.post(f"{own}/report")
    assert "Le chef a tout reconnu." in read.text
    assert "Le chef" not in awa.get(own).text


def test_tasks_of_a_strict_case_are_for_named_readers(hub: Hub, awa: Browser, binta: Browser, phone: Sender) -> None:
    phone.send(complaint("s", confidentiality="strict"))
    number = f"SRE-{hub.clock().year}-000001"
    assert (awa.get(path(number)).status_code, binta.get(path(number)).status_code) == (200, 404)


def test_complaint_of_another_case_is_not_set_a_task_from_here(
    hub: Hub, awa: Browser, number: str, phone: Sender
) -> None:
    phone.send(complaint("b", contact_ok="yes"))
    other = number.replace("000001", "000002")
    assert awa.get(f"{path(number)}?about={other}").status_code == 404
    assert awa.post(path(number), **errand(hub, about=other)).status_code == 404
    assert rows(hub, "id") == []
