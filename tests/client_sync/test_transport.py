"""The road to the hub: what counts as an answer, what is mapped to which error, what it weighs."""

import json
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from client_sync.errors import (
    CertificateRefused,
    HubBusy,
    HubRefuses,
    InsecureAddress,
    LinkCut,
    NotAnAnswer,
    PinInvalid,
)
from client_sync.transport import HttpTransport, public_key_digest
from fixtures.bad_road import BadRoad, Cut
from tests.client_sync.scripted_hub import Broken, Reply, ScriptedHub, http, said

BODY = b"frames"
PORTAL = http(200, b"<html>Bienvenue, payez 500 F</html>", "text/html")


def sent(*replies: Reply, body: bytes = BODY) -> tuple[ScriptedHub, HttpTransport]:
    """Send one body to a hub that gives these replies."""
    with ScriptedHub(*replies) as hub:
        transport = HttpTransport(hub.url)
        try:
            transport.sync(body, "gzip", "a-token")
        finally:
            transport.close()
    return hub, transport


def test_a_sync_names_its_coding_and_its_token() -> None:
    with ScriptedHub(said(), said(), said()) as hub:
        transport = HttpTransport(hub.url + "/")
        for coding in ("gzip", "zstd", "identity"):
            transport.sync(BODY, coding, "a-token")  # type: ignore[arg-type]
        transport.close()
    first, second, third = hub.heard
    assert (first.path, first.body) == ("/api/v1/sync", BODY)
    assert first.headers["authorization"] == "Bearer a-token"
    assert first.headers["content-type"] == "application/x-ndjson"
    names = ("content-encoding", "seere-dictionary")
    assert [tuple(heard.headers.get(name) for name in names) for heard in (first, second, third)] == [
        ("gzip", None),
        ("zstd", "1"),
        (None, None),
    ]


def test_an_answer_is_its_document() -> None:
    with ScriptedHub(said(position=3)) as hub:
        transport = HttpTransport(hub.url)
        answer = transport.sync(BODY, "gzip", "a-token")
        transport.close()
    assert answer.members == {"now": "2026-11-21T10:00:00Z", "epoch": "aaaaaaaa", "position": 3}
    assert answer.status == 200


@pytest.mark.parametrize(
    "reply",
    [
        PORTAL,
        http(200, b'{"epoch": "aaaaaaaa"}'),
        http(200, b'{"now": "2026-11-21T10:00:00Z"', "application/json"),
        http(200, b'["now"]'),
        http(200, b""),
        http(302, b"", Location="http://portal.invalid/"),
        http(502, b"<html>Bad gateway</html>", "text/html"),
        http(404, b'{"error": "no such page"}'),
        http(200, b"x" * (5 * 2**20), "text/plain"),
    ],
    ids=["portal", "no_now", "half", "list", "empty", "redirect", "proxy", "other", "endless"],
)
def test_what_no_hub_says_is_no_answer(reply: bytes) -> None:
    with pytest.raises(NotAnAnswer):
        sent(reply)


def test_an_answer_cut_at_any_byte_is_a_cut_link_or_none() -> None:
    whole = said(position=3)
    with ScriptedHub(*(Broken(whole[:length]) for length in range(len(whole)))) as hub:
        transport = HttpTransport(hub.url)
        for _ in range(len(whole)):
            with pytest.raises((LinkCut, NotAnAnswer)):
                transport.sync(BODY, "gzip", "a-token")
        transport.close()
    assert len(hub.heard) == len(whole)


def test_a_refusal_and_a_busy_hub_are_told_apart() -> None:
    with pytest.raises(HubRefuses) as refused:
        sent(said(403, code="device_unconfirmed"))
    assert refused.value.code == "device_unconfirmed"
    with pytest.raises(HubBusy) as busy:
        sent(said(503, code="busy", retry_after_s=7))
    assert (busy.value.code, busy.value.retry_after_s) == ("busy", 7)
    with pytest.raises(HubBusy) as full:
        sent(http(507, b'{"code": "storage_full"}', Retry_After="120"))
    assert (full.value.code, full.value.retry_after_s) == ("storage_full", 120)


def test_nobody_there_is_a_cut_link() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    transport = HttpTransport(f"http://127.0.0.1:{port}")
    with pytest.raises(LinkCut):
        transport.sync(BODY, "gzip", "a-token")
    transport.close()
    assert (transport.bytes_up, transport.bytes_down) == (0, 0)


def test_a_hub_that_falls_silent_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        transport = HttpTransport(f"http://127.0.0.1:{deaf.getsockname()[1]}", stall_s=0.05)
        with pytest.raises(LinkCut):
            transport.sync(BODY, "gzip", "a-token")
        transport.close()


def test_bytes_are_those_on_the_wire() -> None:
    body = b"\x1f" * 100_000
    with ScriptedHub(said(position=1), said(position=2)) as hub, BadRoad(hub.address) as road:
        transport = HttpTransport("http://{}:{}".format(*road.address))
        answers = [transport.sync(body, "gzip", "a-token") for _ in range(2)]
        transport.close()
        traffic = road.traffic
    assert traffic.connections == 1
    assert (transport.bytes_up, transport.bytes_down) == (traffic.bytes_up, traffic.bytes_down)
    assert sum(answer.bytes_up for answer in answers) == traffic.bytes_up
    assert sum(answer.bytes_down for answer in answers) == traffic.bytes_down


def test_bytes_of_a_cut_request_are_counted() -> None:
    with ScriptedHub(said()) as hub, BadRoad(hub.address, [Cut(after_up=2_000_000)]) as road:
        transport = HttpTransport("http://{}:{}".format(*road.address))
        with pytest.raises(LinkCut):
            transport.sync(b"\x1f" * 4_000_000, "gzip", "a-token")
        transport.close()
        assert 2_000_000 <= transport.bytes_up < 4_000_000


def test_environment_and_netrc_change_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n")
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    hub, _ = sent(said())
    assert hub.heard[0].headers["authorization"] == "Bearer a-token"


@pytest.mark.parametrize(
    "url", ["http://hub.example", "http://10.0.0.7", "hub.example", "ftp://127.0.0.1", "https://", "https://a:b@h"]
)
def test_complaints_do_not_travel_in_the_clear(url: str) -> None:
    with pytest.raises(InsecureAddress):
        HttpTransport(url)


@pytest.mark.parametrize("url", ["http://localhost:1", "http://127.9.9.9", "http://[::1]:8000", "https://hub.example"])
def test_this_machine_and_tls_are_fine(url: str) -> None:
    HttpTransport(url).close()


def test_enrol_gives_the_document_and_parcel_the_bytes() -> None:
    with ScriptedHub(http(201, b'{"token": "t"}'), http(200, b"\x00\xff\n")) as hub:
        transport = HttpTransport(hub.url)
        assert transport.enrol({"code": "c"}) == {"token": "t"}
        assert transport.parcel(b"sealed", "a-token") == b"\x00\xff\n"
        transport.close()
    assert [heard.path for heard in hub.heard] == ["/api/v1/enrol", "/api/v1/parcels"]
    assert json.loads(hub.heard[0].body) == {"code": "c"}


LOOPBACK = Path(__file__).with_name("loopback.pem")
# openssl x509 -in loopback.pem -pubkey -noout | openssl pkey -pubin -outform der | sha256sum
LOOPBACK_DIGEST = "13587c981fa20a6e36f7a814f786c6bd9d15fa7150654e606c504662177efbc9"


@pytest.fixture
def tls_hub() -> Iterator[ScriptedHub]:
    """A hub that answers once behind the certificate of loopback.pem."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(LOOPBACK)
    with ScriptedHub(said(), tls=context) as hub:
        yield hub


class TestPins:
    def test_the_pinned_key_is_trusted_whoever_signed_it(self, tls_hub: ScriptedHub) -> None:
        transport = HttpTransport(tls_hub.url, pin=LOOPBACK_DIGEST.upper())
        assert transport.sync(BODY, "gzip", "a-token").status == 200
        transport.close()

    def test_another_key_gets_nothing_of_ours(self, tls_hub: ScriptedHub) -> None:
        transport = HttpTransport(tls_hub.url, pin="0" * 64)
        with pytest.raises(CertificateRefused):
            transport.sync(BODY, "gzip", "a-token")
        transport.close()
        assert tls_hub.heard == []
        assert transport.bytes_up == 0

    def test_a_file_of_authorities_is_trusted(self, tls_hub: ScriptedHub) -> None:
        transport = HttpTransport(tls_hub.url, pin=str(LOOPBACK))
        assert transport.sync(BODY, "gzip", "a-token").status == 200
        transport.close()

    def test_an_unknown_authority_is_not(self, tls_hub: ScriptedHub) -> None:
        transport = HttpTransport(tls_hub.url)
        with pytest.raises(CertificateRefused):
            transport.sync(BODY, "gzip", "a-token")
        transport.close()

    def test_a_pin_is_a_digest_or_a_file(self) -> None:
        with pytest.raises(PinInvalid):
            HttpTransport("https://hub.example", pin="not a pin")

    @pytest.mark.parametrize("broken", [b"", b"\x30", b"\x30\x82\xff\xff\x00", b"\x30\x03\x30\x01\x00"])
    def test_what_is_no_certificate_has_no_key(self, broken: bytes) -> None:
        with pytest.raises(ValueError, match="certificate"):
            public_key_digest(broken)
