"""Enrolment: what leaves the device, what is kept, and what a lost answer costs."""

import json
from typing import Any

import pytest
from nacl.signing import VerifyKey

from client_sync.enrolment import enrol
from client_sync.errors import HubRefuses, LinkCut, NotAnAnswer
from client_sync.outbox import Outbox
from client_sync.protocol.enrolment import code_words, fingerprint, normal_code, proof_digest
from client_sync.protocol.frames import from_text, to_text
from client_sync.stores import Folder
from client_sync.tables import Enrolled
from client_sync.transport import HttpTransport
from tests.client_sync.builders import DEVICE, EPOCH, HUB, HUB_BOX, HUB_SIGN, ROOT, keyring, record_id
from tests.client_sync.scripted_hub import Broken, Reply, ScriptedHub, http, said

CODE = "7K4M2QZX9A0B1C3D5E6F"


def admission(**members: Any) -> bytes:
    answer = {
        "box_key": to_text(bytes(HUB_BOX.public_key)),
        "coalition": "Coalition d'essai",
        "device": DEVICE,
        "epoch": EPOCH,
        "hub": HUB,
        "keyring": json.loads(keyring()),
        "lineage": DEVICE,
        "partner": None,
        "places": "2026.1",
        "root": to_text(bytes(ROOT.verify_key)),
        "sign_key": to_text(bytes(HUB_SIGN.verify_key)),
        "team": "mopti",
        "token": "t" * 43,
    }
    return http(201, json.dumps(answer | members).encode())


def enrolled(folder: Folder, *replies: Reply, code: str = CODE) -> tuple[Enrolled, list[dict[str, Any]]]:
    """Enrol at a hub that gives these replies; gives what is kept and what was sent."""
    with ScriptedHub(*replies) as hub:
        transport = HttpTransport(hub.url)
        try:
            kept = enrol(folder, hub.url, code, transport, label="Mopti 2", software="0.1.0")
        finally:
            transport.close()
    return kept, [json.loads(heard.body) for heard in hub.heard]


def test_the_device_proves_its_keys_and_keeps_what_binds_it(folder: Folder) -> None:
    kept, [sent] = enrolled(folder, admission())
    sign_key, box_key = from_text(sent["sign_key"]), from_text(sent["box_key"])
    VerifyKey(sign_key).verify(proof_digest(CODE, sign_key, box_key), from_text(sent["proof"]))
    assert (sent["code"], sent["software"]) == (CODE, "0.1.0")
    assert "succeeds" not in sent
    assert kept.words == fingerprint(bytes(HUB_SIGN.verify_key), bytes(ROOT.verify_key), sign_key, box_key)

    outbox = Outbox.open(folder)
    again = outbox.require_enrolled()
    assert (again.device, again.label, again.team, again.places) == (DEVICE, "Mopti 2", "mopti", "2026.1")
    assert (again.token, again.words, again.epoch) == ("t" * 43, kept.words, EPOCH)
    assert (again.keyring, again.root) == (keyring(), bytes(ROOT.verify_key))
    outbox.close()


@pytest.mark.parametrize(
    "typed", ["7k4m-2qzx-9a0b-1c3d-5e6f", "7K4M 2QZX 9AOB IC3D 5E6F", " ".join(code_words(normal_code(CODE)))]
)
def test_a_code_is_read_as_it_is_typed_or_spoken(folder: Folder, typed: str) -> None:
    _, [sent] = enrolled(folder, admission(), code=typed)
    assert sent["code"] == CODE


def test_a_word_on_no_list_is_refused_before_anything_is_sent(folder: Folder) -> None:
    with pytest.raises(ValueError, match="xyz"):
        enrolled(folder, code=" ".join([*code_words(CODE)[:12], "xyz"]))


def test_after_a_lost_answer_the_same_keys_are_sent(folder: Folder) -> None:
    first, second = [], []
    with ScriptedHub(Broken(b""), admission()) as hub:
        transport = HttpTransport(hub.url)
        with pytest.raises(LinkCut):
            enrol(folder, hub.url, CODE, transport)
        enrol(folder, hub.url, CODE, transport)
        transport.close()
    first, second = (json.loads(heard.body) for heard in hub.heard)
    assert first == second


def test_a_refusal_leaves_the_device_as_it_was(folder: Folder) -> None:
    with pytest.raises(HubRefuses) as refused:
        enrolled(folder, said(403, code="enrolment_refused"))
    assert refused.value.code == "enrolment_refused"
    outbox = Outbox.open(folder)
    assert outbox.enrolled is None
    outbox.close()


@pytest.mark.parametrize(
    "members",
    [
        {"token": None},
        {"token": "t\r\nCookie: no"},
        {"token": "t" * 201},
        {"device": "me"},
        {"sign_key": "AA"},
        {"root": to_text(bytes(HUB_SIGN.verify_key))},
        {"root": "AA"},
        {"keyring": {}},
        {"keyring": None},
        {"box_key": 7},
        {"epoch": None},
        {"epoch": "e" * 65},
    ],
)
def test_an_admission_that_no_hub_gives_binds_nothing(folder: Folder, members: dict[str, Any]) -> None:
    with pytest.raises(NotAnAnswer):
        enrolled(folder, admission(**members))


def test_the_names_that_a_hub_gives_are_shown_safely(folder: Folder) -> None:
    given, _ = enrolled(folder, admission(coalition="\x1b[2JCoalition\n" + "n" * 300, team="mo\x07pti"))
    assert (given.coalition, given.team) == ("[2JCoalition" + "n" * 188, "mopti")


def test_a_device_enrolled_again_names_whom_it_succeeds(folder: Folder) -> None:
    enrolled(folder, admission())
    kept, [sent] = enrolled(folder, admission(device=record_id(7)))
    assert sent["succeeds"] == DEVICE
    assert (kept.device, kept.lineage) == (record_id(7), DEVICE)
