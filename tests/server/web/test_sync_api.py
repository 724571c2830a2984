"""The door of devices: who is let in, how refusals read, enrolment, and posts that come at the same time."""

import gzip
import json
import logging
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import sqlalchemy as sa
from nacl.public import PrivateKey
from nacl.signing import SigningKey
from werkzeug.test import TestResponse

from client_sync.protocol.codes import CODES
from client_sync.protocol.enrolment import CODE_ALPHABET, CODE_CHARS, code_words, grouped_code
from server.hub import Hub
from server.i18n import catalogue
from server.logs import Formatter
from server.services import devices as device_service
from server.services.devices import Invitation
from server.store import changes, complaints
from server.store.schema import device as device_table
from server.store.schema import event, received, registry
from server.store.schema import revision as revision_table
from server.web import sync_api
from tests.builders import (
    ALREADY_HELD,
    STORED,
    SYNC,
    Clock,
    Sender,
    an_id,
    app_of,
    application,
    complaint,
    enrolled,
    facts,
    revision,
    verdicts,
)
from tests.server.conftest import Enrol

ENROL = "/api/v1/enrol"


def _problem(response: TestResponse) -> tuple[int, str]:
    assert response.mimetype == "application/problem+json"
    assert response.json["status"] == response.status_code
    return response.status_code, response.json["code"]


def _invite(hub: Hub, **options: Any) -> Invitation:
    return device_service.invite(hub.store, hub.clock(), **({"label": "Gao 1", "valid_hours": 72} | options))


def _ask(hub: Hub, sent: dict[str, Any]) -> TestResponse:
    return app_of(hub).test_client().post(ENROL, json=sent)


@pytest.fixture
def keys() -> tuple[SigningKey, PrivateKey]:
    return SigningKey(b"s" * 32), PrivateKey(b"b" * 32)


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Basic x", "Bearer wrong", "Bearer \xe9\xff"])
def test_stranger_is_refused(device: Sender, header: str | None) -> None:
    headers = {} if header is None else {"Authorization": header}

    response = device.app.test_client().post(SYNC, data=device.frame([complaint("a")]), headers=headers)

    assert _problem(response) == (403, "device_unknown")


def test_token_in_a_cookie_opens_nothing(device: Sender) -> None:
    client = device.app.test_client()
    client.set_cookie("Authorization", f"Bearer {device.token}")

    assert client.post(SYNC, data=device.frame()).status_code == 403


def test_device_syncs_once_its_words_were_confirmed(enrol: Enrol, hub: Hub) -> None:
    device = enrol(is_confirmed=False)
    body = device.frame([complaint("a")])

    assert _problem(device.post(body)) == (403, "device_unconfirmed")
    device_service.confirm(hub.store, device.device, hub.clock())
    assert verdicts(device.send_body(body)) == [STORED]


@pytest.mark.parametrize("language", ["fr", "en"])
@pytest.mark.parametrize("code", sorted(name for name, code in CODES.items() if code.status is not None))
def test_every_refusal_has_a_title(code: str, language: str) -> None:
    assert catalogue(language).text(f"problem.{code}").endswith(".")


def test_title_is_in_the_callers_language(device: Sender) -> None:
    french, english = (
        device.post(b"", Accept_Language=language).json["title"] for language in ("fr-ML,fr;q=0.9", "en")
    )

    assert (french, english) == ("Rien n'est arrivé.", "Nothing arrived.")


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [("GET", SYNC, (405, "method_not_allowed")), ("GET", "/api/v1/nothing", (404, "not_found"))],
)
def test_wrong_door_is_a_problem_too(device: Sender, method: str, path: str, expected: tuple[int, str]) -> None:
    response = device.app.test_client().open(path, method=method)

    assert _problem(response) == expected
    assert ("POST" in response.headers.get("Allow", "")) == (method == "GET" and path == SYNC)


def test_fault_is_a_problem_and_its_log_holds_nothing_written_by_people(
    device: Sender, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    written = "Awa Exemple"

    def break_down(*_: object) -> None:
        raise ValueError(written)

    monkeypatch.setattr(sync_api, "read_body", break_down)

    with caplog.at_level(logging.ERROR):
        response = device.post(device.frame([complaint("a")]))

    assert _problem(response) == (500, "server_error")
    assert response.headers["Retry-After"] == "300"
    lines = [Formatter().format(record) for record in caplog.records]
    assert '"fault": "ValueError"' in "".join(lines)
    assert "Awa" not in caplog.text + "".join(lines)


def test_error_of_the_database_quotes_nothing_written_by_people(device: Sender) -> None:
    with pytest.raises(sa.exc.DBAPIError) as caught, device.hub.store.read() as connection:
        connection.execute(sa.text("SELECT :name FROM nowhere"), {"name": "Awa Exemple"})

    assert "Awa" not in str(caught.value)


def test_enrolment_gives_what_the_device_pins(hub: Hub, keys: Any) -> None:
    invitation = _invite(hub, team="gao", partner="jama")

    response = _ask(hub, application(invitation.code, *keys, software="seere 0.1"))

    assert response.status_code == 201
    assert response.json.keys() == {
        *("box_key", "coalition", "device", "epoch", "hub", "keyring", "lineage", "partner", "places", "root"),
        *("sign_key", "team", "token"),
    }
    assert (response.json["team"], response.json["partner"]) == ("gao", "jama")
    assert response.json["hub"] == hub.identity.id


@pytest.mark.parametrize("written", [grouped_code, str.lower, lambda code: " ".join(code_words(code))])
def test_code_is_read_however_it_is_written(hub: Hub, keys: Any, written: Any) -> None:
    invitation = _invite(hub)
    sent = application(invitation.code, *keys) | {"code": written(invitation.code)}

    assert _ask(hub, sent).status_code == 201


def test_token_is_stored_as_a_hash(hub: Hub, keys: Any) -> None:
    token = _ask(hub, application(_invite(hub).code, *keys)).json["token"]

    with hub.store.read() as connection:
        stored = connection.execute(sa.select(device_table)).all()
    assert not any(token in map(str, row) for row in stored)


def test_device_that_lost_the_answer_asks_again_and_is_the_same(hub: Hub, keys: Any) -> None:
    sent = application(_invite(hub).code, *keys)

    first, second = _ask(hub, sent), _ask(hub, sent)

    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json["device"] == second.json["device"]
    assert first.json["token"] != second.json["token"]
    with hub.store.read() as connection:
        events = sa.select(event.c.action).where(event.c.object == f"device:{first.json['device']}")
        assert list(connection.scalars(events.order_by(event.c.place))) == ["enrol", "enrol_again"]


def test_code_is_used_once(hub: Hub, keys: Any) -> None:
    invitation = _invite(hub)
    _ask(hub, application(invitation.code, *keys))
    other = application(invitation.code, SigningKey(b"t" * 32), PrivateKey(b"b" * 32))

    assert _problem(_ask(hub, other)) == (403, "enrolment_refused")


def test_confirmed_device_is_not_admitted_again(hub: Hub, keys: Any) -> None:
    sent = application(_invite(hub).code, *keys)
    device_service.confirm(hub.store, _ask(hub, sent).json["device"], hub.clock())

    assert _problem(_ask(hub, sent)) == (403, "enrolment_refused")


def test_code_runs_out(hub: Hub, clock: Clock, keys: Any) -> None:
    invitation = _invite(hub)
    clock.pass_(hours=72, seconds=1)

    assert _problem(_ask(hub, application(invitation.code, *keys))) == (403, "enrolment_refused")


_REFUSED: dict[str, dict[str, Any]] = {
    "unknown code": {"code": CODE_ALPHABET[:CODE_CHARS]},
    "thirteen words of no list": {"code": " ".join(["zut"] * 13)},
    "proof of another code": {"proof": "A" * 86},
    "key that is no point": {"sign_key": "_" * 43},
    "keys of another proof": {"box_key": "A" * 43},
}


@pytest.mark.parametrize("name", _REFUSED)
def test_enrolment_is_refused_in_one_way(hub: Hub, keys: Any, name: str) -> None:
    sent = application(_invite(hub).code, *keys) | _REFUSED[name]

    assert _problem(_ask(hub, sent)) == (403, "enrolment_refused")


_MISFITS: dict[str, dict[str, Any]] = {
    "software": {"software": "seere\t0.1"},
    "sign_key": {"sign_key": "!" * 43},
    "box_key": {"box_key": "A" * 44},
    "succeeds": {"succeeds": "../x"},
    "proof": {"proof": "A"},
    "code": {"code": ["x"]},
}


@pytest.mark.parametrize("member", ["code", "sign_key", "box_key", "proof", "software"])
def test_newline_after_a_member_is_a_misfit(hub: Hub, keys: Any, member: str) -> None:
    sent = application(_invite(hub).code, *keys, software="seere 0.1")

    response = _ask(hub, sent | {member: sent[member] + "\n"})

    assert (_problem(response), response.json["fields"]) == ((422, "member_invalid"), [member])


@pytest.mark.parametrize("name", _MISFITS)
def test_enrolment_with_a_misfit_names_the_field(hub: Hub, keys: Any, name: str) -> None:
    response = _ask(hub, application(_invite(hub).code, *keys) | _MISFITS[name])

    assert _problem(response) == (422, "member_invalid")
    assert response.json["fields"] == [name]


_NOT_JSON = [b"", b"{", b"[]", b'"\\ud800"', b"[" * 100_000, b"\xff", b'{"a":1e999}', b'{"code":"\\u0000"}']


@pytest.mark.parametrize("body", _NOT_JSON)
def test_enrolment_that_is_no_object_is_refused(hub: Hub, body: bytes) -> None:
    client = app_of(hub).test_client()

    response = client.post(ENROL, data=body, content_type="application/json")

    assert 400 <= _problem(response)[0] < 500


def _at_once(count: int, work: Any) -> list[Any]:
    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(work, range(count)))


def test_same_post_eight_times_at_once_is_stored_once(own_hub: Hub) -> None:
    device = enrolled(own_hub, "Gao 1")
    body = device.frame([complaint(n) for n in range(5)])

    answers = _at_once(8, lambda _: verdicts(device.send_body(body)))

    assert sorted(answers, key=repr) == sorted([[STORED] * 5] + [[ALREADY_HELD] * 5] * 7, key=repr)
    with own_hub.store.read() as connection:
        assert complaints.count(connection) == 5


def test_registry_numbers_are_gapless_under_eight_writers(own_hub: Hub) -> None:
    devices = [enrolled(own_hub, f"Gao {n}") for n in range(8)]

    def send(at: int) -> None:
        for turn in range(4):
            # One of the three is set aside and must leave no gap.
            lines = [complaint(f"{turn} a"), complaint(f"{turn} b", place={"code": "x"}), complaint(f"{turn} c")]
            devices[at].send(*lines)

    _at_once(8, send)

    with own_hub.store.read() as connection:
        numbers = connection.scalars(sa.select(registry.c.number).order_by(registry.c.number)).all()
    assert numbers == list(range(1, 65))


def test_eight_enrolments_at_once_get_eight_numbers(own_hub: Hub) -> None:
    _at_once(8, lambda n: enrolled(own_hub, f"Gao {n}"))

    assert [device.number for device in device_service.listed(own_hub.store)] == list(range(1, 9))


def test_eight_devices_of_a_team_revising_one_complaint_at_once_are_all_kept(own_hub: Hub) -> None:
    devices = [enrolled(own_hub, f"Gao {n}", team="gao") for n in range(8)]
    devices[0].send(complaint("a"))

    channels = ("email", "letter", "meeting", "messaging", "phone", "radio", "sms", "web")

    def revise(at: int) -> str:
        changed = {"clear": facts(channel=channels[at])}
        line = revision(f"r{at}", "a", 1, lineage=devices[0].lineage, facts=changed)
        return verdicts(devices[at].send(line))[0].verdict

    found = _at_once(8, revise)

    assert sorted(found) == ["conflict"] * 7 + ["stored"]
    with own_hub.store.read() as connection:
        assert connection.scalars(sa.select(revision_table.c.number)).all() == [2]
        [id] = connection.scalars(sa.select(received.c.id).where(received.c.client_id == an_id("a")))
        assert complaints.conflicts(connection, id) == ["facts.channel"] * 7


def test_an_answer_that_is_long_comes_as_gzip_to_whoever_takes_it(device: Sender, hub: Hub) -> None:
    step = {"t": "worked_on", "on": "2026-11-21"}
    with hub.store.write() as connection:
        for n in range(20):
            changes.append(connection, device.lineage, "step", an_id(n), step, hub.clock())
    plain = device.post(device.frame())
    packed = device.post(device.frame(), Accept_Encoding="gzip")
    assert "Content-Encoding" not in plain.headers
    assert packed.headers["Content-Encoding"] == "gzip"
    assert json.loads(gzip.decompress(packed.data)) == plain.json
    assert len(packed.data) < len(plain.data) / 3
    # What says next to nothing would only grow.
    short = device.post(device.frame(limit=0), Accept_Encoding="gzip")
    assert "Content-Encoding" not in short.headers
    assert "Content-Encoding" not in device.post(device.frame(), Accept_Encoding="gzip;q=0").headers


def test_an_answer_to_a_device_has_no_header_that_it_does_not_need(device: Sender) -> None:
    answer = device.post(device.frame(), Accept_Encoding="gzip")
    assert {*answer.headers.keys()} == {"Cache-Control", "Content-Length", "Content-Type"}
