"""The log: JSON lines of allowed keys, into which nothing of what people wrote or asked for finds its way."""

import io
import json
import logging
import socket
import sys
import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from nacl.public import PrivateKey
from nacl.signing import SigningKey

from server import logs
from server.app import create_app
from server.hub import Hub
from server.logs import ALLOWED, Formatter
from server.scheduler import Cadence, Job, run_if_due
from server.serve import make_server
from server.services.intake import reading
from server.web import sync_api
from tests.builders import Sender, application, complaint, enrolled

CANARY = "Awa Exemple"
PHONE = "+223 00 00 12 34"


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """Everything that a hub would write to its log, at every level."""
    text = io.StringIO()
    handler = logging.StreamHandler(text)
    handler.setFormatter(Formatter())
    root = logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield text
    root.removeHandler(handler)
    root.setLevel(before)


@pytest.fixture
def device(own_hub: Hub) -> Sender:
    return enrolled(own_hub, "Gao 1")


def _lines(written: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in written.getvalue().splitlines()]


def _assert_clean(written: io.StringIO) -> None:
    text = written.getvalue()
    assert text, "nothing was logged: the test looks at nothing"
    for planted in (CANARY, "Awa", "Exemple", PHONE, "12 34", "127.0.0.1", "/work", "7K4M"):
        assert planted not in text
    assert {name for line in _lines(written) for name in line} <= {"time", "level", *ALLOWED}


def test_malformed_json_leaves_no_word_in_the_log(device: Sender, written: io.StringIO) -> None:
    device.send(b'{"id": "' + CANARY.encode() + b'", "op": ')
    device.post(b'{"seere": "' + CANARY.encode())
    device.post(CANARY.encode() * 50, Content_Encoding="gzip")
    _assert_clean(written)


HOSTILE = ('x\n{"event":"login"}', "\x1b[31mrouge", "\ud800", "a\u2028b", "nul\x00", "\r\x85")


def _assert_lines_are_whole(written: io.StringIO) -> None:
    """One object a line, in which nothing steers a terminal."""
    text = written.getvalue()
    assert text.replace("\n", "").isascii()
    assert text.replace("\n", "").isprintable()
    assert [type(json.loads(line)) for line in text.split("\n")[:-1]] == [dict] * text.count("\n")
    assert {name for line in _lines(written) for name in line} <= {"time", "level", *ALLOWED}


@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_no_field_that_a_caller_writes_breaks_a_line_or_steers_a_terminal(
    own_hub: Hub, written: io.StringIO, text: str
) -> None:
    device = enrolled(own_hub, "Gao 1")
    client, raw = device.app.test_client(), text.encode("utf-8", "surrogatepass").decode("latin-1")
    fields = ("HTTP_AUTHORIZATION", "HTTP_USER_AGENT", "HTTP_COOKIE", "CONTENT_TYPE", "HTTP_CONTENT_ENCODING",
              "HTTP_HOST", "HTTP_X_FORWARDED_FOR", "HTTP_SEERE_DICTIONARY", "REMOTE_ADDR", "PATH_INFO", "QUERY_STRING",
              "REQUEST_METHOD", "HTTP_ACCEPT_LANGUAGE", "HTTP_REFERER")  # fmt: skip
    for path in ("/api/v1/sync", "/login", "/api/v1/enrol"):
        for name in fields:
            client.post(path, environ_overrides={name: raw}, data=b"x")
    client.post("/login", data={"name": text.encode("utf-8", "surrogatepass"), "passphrase": "x", "code": "y"})
    named = json.dumps({text: text, "code": text, "op": text, "id": text, "seq": 1, "content": {text: text}}).encode()
    client.post("/api/v1/enrol", data=named, content_type="application/json")
    device.post(device.frame([named], version=text.encode("utf-8", "replace").decode()))
    _assert_lines_are_whole(written)


@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_no_key_takes_a_value_that_breaks_a_line(text: str) -> None:
    # Not through a logger: pytest keeps what it logs, and can't hand a lone surrogate from process to process.
    lines = [
        line
        for name in ALLOWED
        for value in (text, f"a{text}", [text], {text: text})
        for line in (
            _formatted("server.essai", "tried", {name: value}),
            _formatted("server.essai", text, {name: "a"}),
            _formatted(f"libs.{text}", text, {}),
        )
    ]
    _assert_lines_are_whole(io.StringIO("".join(f"{line}\n" for line in lines)))


def _formatted(logger: str, message: str, extra: dict[str, Any]) -> str:
    record = logging.getLogger().makeRecord(logger, logging.ERROR, "", 0, message, (), None, extra=extra)
    return Formatter().format(record)


def test_wrong_token_and_made_up_path_leave_nothing(device: Sender, written: io.StringIO) -> None:
    client = device.app.test_client()
    client.post("/api/v1/sync", headers={"Authorization": f"Bearer {CANARY}"}, data=b"x")
    client.get(f"/plaintes/{CANARY}?name={PHONE}", headers={"User-Agent": CANARY, "X-Forwarded-For": "127.0.0.1"})
    client.open("/api/v1/sync", method="AWAEXEMPLE")
    _assert_clean(written)
    refused = [line for line in _lines(written) if line["event"] == "answered"]
    assert [(line.get("route"), line["status"], line.get("code")) for line in refused] == [
        ("/api/v1/sync", 403, "device_unknown"),
        (None, 404, "not_found"),
        (None, 405, "method_not_allowed"),
    ]


def test_failed_enrolment_leaves_neither_code_nor_key(device: Sender, written: io.StringIO) -> None:
    sent = application(f"code of {CANARY}", SigningKey.generate(), PrivateKey.generate(), software=CANARY)
    response = device.app.test_client().post("/api/v1/enrol", json=sent)
    assert response.status_code == 403
    _assert_clean(written)
    assert sent["sign_key"] not in written.getvalue()


def test_record_that_breaks_a_check_is_logged_by_type_and_place(
    device: Sender, written: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: object) -> None:
        raise ValueError(CANARY)

    monkeypatch.setattr(reading, "check", broken)
    device.send(complaint("a", receipt="7K4M-2QG"))
    _assert_clean(written)
    [line] = [line for line in _lines(written) if line["event"] == "check_broke"]
    assert line["fault"] == "ValueError"
    assert line["frames"][-1].startswith("tests.server.test_logs:")


def test_quarantined_record_leaves_nothing(device: Sender, written: io.StringIO) -> None:
    device.send(complaint("a", kinds=[CANARY]))
    device.send(complaint("b", **{PHONE: CANARY}))
    device.post(b"", path="/api/v1/parcels")
    _assert_clean(written)


def test_fault_of_the_hub_is_logged_without_its_words(
    device: Sender, written: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError(f"{CANARY} {PHONE}")

    monkeypatch.setattr(sync_api, "answer", broken)
    assert device.post(device.frame()).status_code == 500
    _assert_clean(written)
    faults = [line for line in _lines(written) if line["event"] == "fault"]
    assert [line["fault"] for line in faults] == ["RuntimeError"]


def test_refused_statement_of_the_database_leaves_neither_sql_nor_values(own_hub: Hub, written: io.StringIO) -> None:
    def broken(_: Hub) -> None:
        with own_hub.store.read() as connection:
            connection.exec_driver_sql(f"SELECT '{CANARY}' FROM no_such_table")

    run_if_due(own_hub, Job("broken", lambda _: Cadence(timedelta(minutes=1)), broken))
    _assert_clean(written)
    [line] = [line for line in _lines(written) if line["event"] == "job_failed"]
    assert line["job"] == "broken"


def test_device_is_named_by_a_hash_that_is_the_same_each_time(device: Sender, written: io.StringIO) -> None:
    device.send()
    device.send()
    named = [line["device"] for line in _lines(written) if "device" in line]
    assert len(named) == 2
    assert len(set(named)) == 1
    assert device.device not in written.getvalue()


@pytest.mark.parametrize("name", ["waitress", "apscheduler.executors.default", "sqlalchemy.engine", "py.warnings"])
def test_other_libraries_are_named_and_not_quoted(written: io.StringIO, name: str) -> None:
    try:
        raise KeyError(CANARY)
    except KeyError:
        logging.getLogger(name).exception("Exception while serving %s for %s", f"/{CANARY}", "127.0.0.1")
    _assert_clean(written)
    [line] = _lines(written)
    assert (line["event"], line["logger"], line["fault"]) == ("library", name, "KeyError")


def test_event_that_was_filled_in_is_not_repeated(written: io.StringIO) -> None:
    logging.getLogger("server.anything").error("heard %s", CANARY, extra={"code": CANARY, "words": CANARY})
    logging.getLogger("server.anything").error(CANARY)
    _assert_clean(written)
    assert [set(line) for line in _lines(written)] == [{"time", "level"}] * 2


def test_server_itself_writes_no_address(own_hub: Hub, written: io.StringIO) -> None:
    server = make_server(create_app(own_hub), "127.0.0.1", 0, 2)
    with socket.create_connection(("127.0.0.1", int(server.effective_port))) as caller:
        caller.sendall(f"GET /{CANARY.replace(' ', '%20')} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        stopper = threading.Thread(target=_stop_after_answer, args=(caller, server))
        stopper.start()
        while stopper.is_alive():
            server.asyncore.loop(timeout=0.1, map=server._map, count=1)
        stopper.join()
    server.close()
    _assert_clean(written)


def _stop_after_answer(caller: socket.socket, _: object) -> None:
    while caller.recv(65_536):
        pass


def test_stray_fault_of_a_thread_goes_to_the_log_without_words(
    written: io.StringIO, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for owner, name in ((sys, "excepthook"), (threading, "excepthook"), (sys, "unraisablehook")):
        monkeypatch.setattr(owner, name, getattr(owner, name))
    logs.catch_strays()
    logging.captureWarnings(False)

    def broken() -> None:
        raise ValueError(CANARY)

    stray = threading.Thread(target=broken)
    stray.start()
    stray.join()
    _assert_clean(written)
    assert [line["fault"] for line in _lines(written)] == ["ValueError"]
    assert CANARY not in capsys.readouterr().err
