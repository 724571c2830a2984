"""The golden exchanges, read by the client: it understands each answer, and writes each frame byte for byte."""

import json
from pathlib import Path
from typing import Any

import pytest
from nacl.signing import SigningKey, VerifyKey

from client_sync.answers import read_answer
from client_sync.protocol.canonical import canonical
from client_sync.protocol.frames import encode_frame, from_text, read_frames
from client_sync.protocol.orders import order_digest

FOLDER = Path(__file__).resolve().parent.parent.parent / "fixtures" / "protocol" / "v1"
SYNC = "/api/v1/sync"


def _exchanges() -> dict[str, dict[str, Any]]:
    return {path.stem: json.loads(path.read_text("utf-8")) for path in sorted(FOLDER.glob("*.json"))}


EXCHANGES = _exchanges()


def _read_steps(exchange: dict[str, Any]) -> list[dict[str, Any]]:
    """The steps in which a sync was read."""
    steps = [step for step in exchange["steps"] if step.get("request", {}).get("path") == SYNC]
    return [step for step in steps if step["answer"]["status"] == 200]


def _answers(exchange: dict[str, Any]) -> list[dict[str, Any]]:
    return [step["answer"]["body"] for step in _read_steps(exchange)]


def _bodies(exchange: dict[str, Any]) -> list[bytes]:
    """The bodies that stand in the file line by line."""
    requests = [step["request"] for step in _read_steps(exchange)]
    return ["".join(request["lines"]).encode() for request in requests if "lines" in request]


READ = [name for name, exchange in EXCHANGES.items() if _answers(exchange)]


@pytest.mark.parametrize("name", READ)
def test_client_understands_every_answer(name: str) -> None:
    for body in _answers(EXCHANGES[name]):
        answer = read_answer(body)
        assert [report.frame for report in answer.reports] == [frame["frame"] for frame in body.get("frames", [])]
        assert (answer.position, answer.cursor) == (body.get("position"), body.get("cursor"))
        assert len(answer.changes) == len(body.get("changes", []))
        for report, written in zip(answer.reports, body.get("frames", []), strict=True):
            named = {each["at"]: each["verdict"] for each in written.get("named", [])}
            assert {at: report.verdict(at).name for at in named} == named


@pytest.mark.parametrize("name", READ)
def test_client_writes_the_frames_as_they_stand(name: str) -> None:
    exchange = EXCHANGES[name]
    keys = {each["id"]: SigningKey(bytes.fromhex(each["sign_seed"])) for each in exchange["devices"]}
    as_they_stand = []
    for body in _bodies(exchange):
        for frame in read_frames(body):
            key = keys[frame.header.device]
            # What a frame that can't be trusted looks like is not the client's to write.
            if frame.problem is None and frame.is_signed_by(key.verify_key):
                written = encode_frame(frame.header, frame.lines, lambda digest, key=key: key.sign(digest).signature)
                as_they_stand.append(written in body)
    assert as_they_stand
    assert all(as_they_stand)


def test_client_trusts_the_orders() -> None:
    exchange = EXCHANGES["order"]
    orders = [order for body in _answers(exchange) for order in read_answer(body).orders]
    assert orders
    hub = VerifyKey(from_text(exchange["hub"]["sign_key"]))
    for signed in orders:
        hub.verify(order_digest(canonical(signed["order"])), from_text(signed["sig"]))
