"""Bad input: a code and a field, neighbours stored, never a 5xx, the same on both engines and when sent again."""

import gzip
import json
from random import Random

import pytest
import sqlalchemy as sa
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from client_sync.protocol.canonical import canonical
from client_sync.protocol.codes import CODES
from client_sync.protocol.coding import Coding
from client_sync.protocol.frames import frame_digest, to_text
from client_sync.protocol.limits import BODY_MAX_BYTES, LINE_MAX_BYTES
from client_sync.protocol.records import OPERATIONS
from server.services import devices as device_service
from server.store.schema import quarantine, received
from tests.builders import (
    ALREADY_HELD,
    NOW,
    STORED,
    Sender,
    Verdict,
    an_id,
    complaint,
    compressed,
    content,
    operation,
    said,
    verdicts,
)
from tests.server.conftest import Enrol

ID = an_id("bad").encode()


def _with(member: bytes, value: bytes, name: object = "bad") -> bytes:
    """A complaint in whose statement `member` has a value written out by hand."""
    line = complaint(name)
    start = b'"statement":{"clear":{'
    assert start in line
    return line.replace(start, start + member + b":" + value + b",")


def _aside(code: str, field: str = "") -> Verdict:
    return Verdict("quarantined", code, field)


def _whole_id(text: str) -> bytes:
    return complaint("bad").replace(ID, text.encode())


TOO_LONG = Verdict("rejected", "line_too_long")
_DEEP = b"[" * 1000 + b"]" * 1000

LINES: dict[str, tuple[bytes, Verdict]] = {
    "lone surrogate": (_with(b'"x"', rb'"\ud800"'), _aside("text_surrogate")),
    "lone surrogate in a name": (_with(rb'"\udc00"', b"1"), _aside("text_surrogate")),
    "surrogates the wrong way round": (_with(b'"x"', rb'"\udc00\ud800"'), _aside("text_surrogate")),
    "NUL": (_with(b'"x"', rb'"a\u0000b"'), _aside("text_nul")),
    "NUL in a name": (_with(rb'"\u0000"', b"1"), _aside("text_nul")),
    "NUL unescaped": (_with(b'"x"', b'"a\0b"'), _aside("json_invalid")),
    "2^63": (_with(b'"x"', b"9223372036854775808"), _aside("json_number")),
    "2^53": (_with(b'"x"', b"9007199254740992"), _aside("json_number")),
    "-2^53": (_with(b'"x"', b"-9007199254740992"), _aside("json_number")),
    "ten thousand digits": (_with(b'"x"', b"9" * 10_000), _aside("json_number")),
    "fraction": (_with(b'"x"', b"1.0"), _aside("json_number")),
    "exponent": (_with(b'"x"', b"1e400"), _aside("json_number")),
    "NaN": (_with(b'"x"', b"NaN"), _aside("json_number")),
    "Infinity": (_with(b'"x"', b"-Infinity"), _aside("json_number")),
    "depth 33": (_with(b'"x"', b"[" * 30 + b"]" * 30), _aside("json_depth")),
    "depth 1,000": (_with(b'"x"', _DEEP), _aside("json_depth")),
    "depth 100,000": (_with(b'"x"', b"[" * 100_000 + b"]" * 100_000), _aside("json_depth")),
    "duplicate key": (_with(b'"lang"', b'"fra"'), _aside("json_duplicate_member")),
    "duplicate id": (complaint("bad")[:-1] + b',"id":"' + ID + b'"}', _aside("json_duplicate_member")),
    "two ids": (
        complaint("bad")[:-1] + b',"id":"' + an_id("other").encode() + b'"}',
        Verdict("rejected", "json_duplicate_member"),
    ),
    "not UTF-8": (_with(b'"x"', b'"\xff"'), _aside("json_invalid")),
    "overlong UTF-8": (_with(b'"x"', b'"\xc0\xaf"'), _aside("json_invalid")),
    "byte order mark": (b"\xef\xbb\xbf" + complaint("bad"), _aside("json_invalid")),
    "two values": (complaint("bad") + complaint("bad"), _aside("json_invalid")),
    "cut": (complaint("bad")[:-2], _aside("json_invalid")),
    "empty line": (b"", Verdict("rejected", "json_invalid")),
    "array": (b"[]", Verdict("rejected", "json_invalid")),
    "no content": (canonical({"op": "complaint", "id": an_id("bad")}), _aside("member_missing", "content")),
    "content is text": (
        canonical({"op": "complaint", "id": an_id("bad"), "content": "x"}),
        _aside("member_invalid", "content"),
    ),
    "no op": (canonical({"id": an_id("bad"), "content": {}}), _aside("member_missing", "op")),
    "op is a number": (operation(5, "bad", {}), _aside("member_invalid", "op")),  # type: ignore[arg-type]
    "seq below zero": (operation("seen", "bad", {"changes": [1]}, seq=-1), _aside("member_invalid", "seq")),
    "seq is true": (operation("seen", "bad", {"changes": [1]}, seq=True), _aside("member_invalid", "seq")),
    # Not one letter again and again: that would be a bomb.
    "10 MB string": (_with(b'"x"', b'"' + Random(1).randbytes(5 * 10**6).hex().encode() + b'"'), TOO_LONG),
    "line one byte too long": (
        _with(b'"x"', b'"' + b"a" * (LINE_MAX_BYTES - len(_with(b'"x"', b'""')) + 1) + b'"'),
        TOO_LONG,
    ),
    "longest line": (_with(b'"x"', b'"' + b"a" * (LINE_MAX_BYTES - len(_with(b'"x"', b'""'))) + b'"'), STORED),
    "narrative one too long": (
        operation("complaint", "bad", content() | {"statement": said("é" * 20_001)}),
        _aside("text_too_long", "statement.narrative"),
    ),
    "narrative at its longest": (operation("complaint", "bad", content() | {"statement": said("é" * 20_000)}), STORED),
    "30 February": (
        complaint("bad", incident={"from": "2026-02-30", "precision": "day"}),
        _aside("date_impossible", "facts.incident.from"),
    ),
    "day that is a word": (
        complaint("bad", incident={"from": "hier", "precision": "day"}),
        _aside("date_impossible", "facts.incident.from"),
    ),
    "day of a week": (
        complaint("bad", incident={"from": "2026-W40-6", "precision": "day"}),
        _aside("date_impossible", "facts.incident.from"),
    ),
    "last day before the first": (
        complaint("bad", incident={"from": "2026-10-03", "to": "2026-10-02", "precision": "day"}),
        _aside("date_impossible", "facts.incident.to"),
    ),
    "year 1": (
        complaint("bad", incident={"from": "0001-01-01", "precision": "year"}),
        _aside("date_out_of_range", "facts.incident.from"),
    ),
    "year 9999": (
        complaint("bad", incident={"from": "9999-12-31", "precision": "year"}),
        _aside("date_out_of_range", "facts.incident.from"),
    ),
    "hour 24": (complaint("bad", entered_at="2026-10-06T24:00:00Z"), _aside("date_impossible", "facts.entered_at")),
    "time with a fraction": (
        complaint("bad", entered_at="20261006T184012.5Z00"),
        _aside("date_impossible", "facts.entered_at"),
    ),
    "time in another zone": (
        complaint("bad", entered_at="2026-10-06T18:40:12+01"),
        _aside("date_impossible", "facts.entered_at"),
    ),
    "clock ten years ahead": (
        complaint("bad", entered_at="2036-11-21T10:04:05Z"),
        _aside("clock_ahead", "facts.entered_at"),
    ),
    "clock ten years behind": (complaint("bad", entered_at="2016-11-21T10:04:05Z"), STORED),
    "upper-case id": (_whole_id(an_id("bad").upper()), _aside("id_invalid", "id")),
    "id in braces": (_whole_id("{" + an_id("bad") + "}"), _aside("id_invalid", "id")),
    "id without dashes": (_whole_id(an_id("bad").replace("-", "")), _aside("id_invalid", "id")),
    "nil id": (_whole_id("00000000-0000-0000-0000-000000000000"), _aside("id_invalid", "id")),
    "traversal": (_whole_id("../../../../etc/passwd"), _aside("id_invalid", "id")),
    "id of another script": (_whole_id("ߞߊ߬ߙߊ߲߬ߕߊ"), _aside("id_invalid", "id")),
    "id with a line feed": (_whole_id(r"a\nb"), Verdict("rejected", "id_unreadable", "id")),
    "id of 65 characters": (_whole_id("a" * 65), Verdict("rejected", "id_unreadable", "id")),
    "empty id": (_whole_id(""), Verdict("rejected", "id_unreadable", "id")),
    "id is a number": (canonical({"op": "complaint", "id": 5}), Verdict("rejected", "id_unreadable", "id")),
    "unknown op": (operation("greeting", "bad", {}), _aside("op_unknown", "op")),
    "unknown kind": (complaint("bad", kinds=["COR-NEW"]), _aside("code_unknown", "facts.kinds.0")),
    "kinds are an object": (complaint("bad", kinds={"COR-RACKET": 1}), _aside("member_invalid", "facts.kinds")),
    "form of 2024": (
        operation("complaint", "bad", content() | {"form": "complaint/0"}),
        _aside("form_unknown", "form"),
    ),
    "form is a list": (operation("complaint", "bad", content() | {"form": []}), _aside("form_unknown", "form")),
    "vocabulary of 2030": (
        operation("complaint", "bad", content() | {"vocabulary": "2030.1"}),
        _aside("vocabulary_unknown", "vocabulary"),
    ),
    "wrong check letter": (complaint("bad", receipt="7K4M-2QX"), _aside("receipt_invalid", "facts.receipt")),
    "sealed facts": (
        operation("complaint", "bad", content() | {"facts": {"box": "x"}}),
        _aside("compartment_sealed_facts", "facts"),
    ),
    "clear and sealed": (
        operation("complaint", "bad", content() | {"statement": {"clear": {}, "box": "x"}}),
        _aside("compartment_invalid", "statement"),
    ),
    "flag is 1": (
        complaint("bad", urgency={"danger": "no", "minor": 1}),
        _aside("member_invalid", "facts.urgency.minor"),
    ),
    "degrees of another script": (
        operation("complaint", "bad", content() | {"traces": {"clear": {"gps": {"lat": "١٤", "lon": "1"}}}}),
        _aside("member_invalid", "traces.gps.lat"),
    ),
    "long name of a media key": (
        operation("complaint", "bad", content() | {"traces": {"clear": {"media_keys": {"k" * 9999: 1}}}}),
        _aside("member_invalid", "traces.media_keys"),
    ),
    "team is a path": (complaint("bad", team="../gao"), _aside("member_invalid", "facts.team")),
}


@pytest.mark.parametrize("name", LINES)
def test_bad_line_gets_its_code_and_its_neighbours_are_stored(device: Sender, name: str) -> None:
    line, expected = LINES[name]
    again = ALREADY_HELD if expected == STORED else expected
    neighbours = complaint("before"), complaint("after")

    coding: Coding = "gzip" if len(line) > BODY_MAX_BYTES else "identity"
    body = device.frame([neighbours[0], line, neighbours[1]])

    assert verdicts(device.send_body(body, coding=coding)) == [STORED, expected, STORED]
    assert verdicts(device.send_body(body, coding=coding)) == [ALREADY_HELD, again, ALREADY_HELD]

    kept = 0 if expected.verdict == "rejected" else 1
    assert _rows(device) == 2 + kept


def _rows(device: Sender) -> int:
    """How many operations of the device the hub keeps, filed or aside."""
    with device.hub.store.read() as connection:
        return sum(
            connection.scalar(sa.select(sa.func.count()).where(table.c.lineage == device.lineage)) or 0
            for table in (received, quarantine)
        )


# Frames that can't be trusted: their records are kept aside under the code, what follows is stored.


def _wrong_signature(device: Sender, _: Sender) -> bytes:
    return device.frame([complaint("a")]).replace(b'"narrative":"On', b'"narrative":"Un')


def _wrong_length(device: Sender, _: Sender) -> bytes:
    return device.frame([complaint("a")]).replace(b'"n":1', b'"n":2')


def _other_hub(device: Sender, _: Sender) -> bytes:
    return device.frame([complaint("a")], hub=an_id("another hub"))


def _other_device(_: Sender, other: Sender) -> bytes:
    return other.frame([complaint("a")])


_FRAMES = {
    "frame_signature": _wrong_signature,
    "frame_length": _wrong_length,
    "frame_hub": _other_hub,
    "frame_device": _other_device,
}


@pytest.mark.parametrize("code", _FRAMES)
def test_frame_that_cannot_be_trusted_is_kept_aside(enrol: Enrol, code: str) -> None:
    device, other = enrol(), enrol("Mopti 1")
    bad = _FRAMES[code](device, other)

    for _ in range(2):
        first, second = verdicts(device.send_body(bad, device.frame([complaint("b")])))
        assert (first, second.verdict) == (_aside(code), second.verdict)
        assert second in (STORED, ALREADY_HELD)

    assert _rows(device) == 2
    # The record itself is not blocked: the device sends it in a frame of its own.
    assert verdicts(device.send(complaint("a"))) == [STORED]


def test_frame_of_a_revoked_device_is_kept_aside(device: Sender) -> None:
    hub = device.hub
    device_service.revoke(hub.store, device.device, NOW, hub.identity.sign_key, reason="seized")

    assert verdicts(device.send(complaint("a"))) == [_aside("device_revoked")]
    assert verdicts(device.send(complaint("a"))) == [_aside("device_revoked")]
    assert _rows(device) == 1


@pytest.mark.parametrize("coding", ["identity", "gzip", "zstd"])
def test_cut_body_keeps_its_whole_frames(device: Sender, coding: Coding) -> None:
    frames = [device.frame([complaint(n)]) for n in range(3)]
    body, whole = compressed(frames, coding), compressed(frames[:2], coding)
    dictionary = {"Seere-Dictionary": "1"} if coding == "zstd" else {}

    response = device.post(body[: len(whole) + 5], Content_Encoding=coding, **dictionary)

    assert response.status_code == 200
    assert [report["frame"] for report in response.json["frames"]] == [1, 2]


def test_damage_after_whole_frames_keeps_them(device: Sender) -> None:
    frame = device.frame([complaint("a")])

    assert verdicts(device.post(frame + b"\n{}\n" + frame).json) == [STORED]
    assert verdicts(device.post(frame + b'{"seere":2}\n' + frame).json) == [ALREADY_HELD]


_BOMBS = {
    "gzip": lambda zeros: gzip.compress(zeros, 9),
    "zstd": lambda zeros: zstandard.ZstdCompressor(level=3).compress(zeros),
}


@pytest.mark.parametrize("coding", _BOMBS)
def test_compression_bomb_is_refused_whole(device: Sender, coding: str) -> None:
    response = device.post(_BOMBS[coding](b"\0" * (80 * 2**20)), Content_Encoding=coding)

    assert (response.status_code, response.json["code"]) == (413, "body_too_large")


def test_bomb_behind_whole_frames_keeps_them(device: Sender) -> None:
    body = device.frame([complaint("a")]) + b"\0" * (80 * 2**20)

    assert verdicts(device.post(gzip.compress(body, 9), Content_Encoding="gzip").json) == [STORED]


_REFUSED = {
    "nothing": (b"", {}, 400, "body_empty"),
    "a line feed short": (b'{"seere":1}', {}, 400, "body_empty"),
    "words": (b"hello\n", {}, 400, "body_unreadable"),
    "an empty object": (b"{}\n", {}, 400, "body_unreadable"),
    "a deep header": (_DEEP + b"\n", {}, 400, "body_unreadable"),
    "version 2": (b'{"seere":2}\n', {}, 400, "frame_version"),
    "version 2^52": (b'{"seere":4503599627370496}\n', {}, 400, "frame_version"),
    "version true": (b'{"seere":true}\n', {}, 400, "body_unreadable"),
    "frame number below zero": (b'{"frame":-1,"seere":1}\n', {}, 400, "body_unreadable"),
    "not gzip": (b"hello\n", {"Content-Encoding": "gzip"}, 400, "body_unreadable"),
    "not zstd": (b"hello\n", {"Content-Encoding": "zstd"}, 400, "body_unreadable"),
    "brotli": (b"hello\n", {"Content-Encoding": "br"}, 415, "coding_unknown"),
    "two codings": (b"hello\n", {"Content-Encoding": "gzip, gzip"}, 415, "coding_unknown"),
    "another dictionary": (b"x", {"Content-Encoding": "zstd", "Seere-Dictionary": "9"}, 415, "dictionary_unknown"),
    "a byte too many": (b"x" * (BODY_MAX_BYTES + 1), {}, 413, "body_too_large"),
}


@pytest.mark.parametrize("name", _REFUSED)
def test_body_of_which_nothing_can_be_read_is_refused(device: Sender, name: str) -> None:
    body, headers, status, code = _REFUSED[name]

    response = device.post(body, **headers)

    assert (response.status_code, response.json["code"]) == (status, code)
    assert _rows(device) == 0


_BAD_MEMBERS = [
    ("cursor", 5),
    ("cursor", "x" * 600),
    ("cursor", "9f2c11aa.99999999999999999999"),
    ("cursor", "9f2c11aa.-1"),
    ("cursor", ".²"),
    ("limit", -1),
    ("limit", True),
    ("ask", {"a": 1}),
    ("ask", [[1], [True, "x"], ["a", "b"], [1, "%_\\"], [2**53 - 1, ""]]),
    ("backed_up_to", "many"),
    ("waiting", 2**53 - 1),
    ("version", "v" * 500),
    ("at", "yesterday"),
    ("at", "0001-01-01T00:00:00Z"),
    ("epoch", []),
]


@pytest.mark.parametrize(("member", "value"), _BAD_MEMBERS)
def test_odd_header_member_blocks_nothing(device: Sender, member: str, value: object) -> None:
    header = {"seere": 1, "device": device.device, "hub": device.hub.identity.id, "frame": 1, member: value}
    head = canonical(header) + b"\n"

    response = device.post(_signed(device, head, [complaint("a")]))

    assert (response.status_code, verdicts(response.json)) == (200, [STORED])


def _signed(device: Sender, head: bytes, lines: list[bytes]) -> bytes:
    """A frame with a header line that the library would not write."""
    ours = device.frame(lines)
    their_head = ours.split(b"\n", 1)[0] + b"\n"
    records = ours[len(their_head) :].rsplit(b'{"end":', 1)[0]
    sig = to_text(device.sign(frame_digest(head, records.splitlines(keepends=True))))
    end = {"end": json.loads(head)["frame"], "n": len(lines), "sig": sig}
    return head + records + canonical(end) + b"\n"


_QUIET = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True
)


@_QUIET
@given(body=st.binary(max_size=400), coding=st.sampled_from(["identity", "gzip", "zstd"]))
def test_arbitrary_bytes_are_refused_with_a_code(device: Sender, body: bytes, coding: str) -> None:
    response = device.post(body, Content_Encoding=coding)

    assert response.status_code in (400, 413)
    assert CODES[response.json["code"]].status == response.status_code


@_QUIET
@given(data=st.data())
def test_mutated_frame_never_blocks_a_sound_one_before_it(device: Sender, data: st.DataObject) -> None:
    sound = device.frame([complaint("sound")])
    frame = bytearray(device.frame([complaint("x"), operation("seen", "y", {"changes": [1]})]))
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, 10_000)) % len(frame)
        frame[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))

    response = device.post(sound + bytes(frame))

    assert response.status_code == 200
    assert verdicts(response.json)[0] in (STORED, ALREADY_HELD)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**64), 2**64) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
_MEMBERS = ("facts", "statement", "complaint", "lineage", "base_revision", "consent", "scope", "keys", "v", "changes")


@_QUIET
@given(op=st.sampled_from(OPERATIONS), odd=st.dictionaries(st.sampled_from(_MEMBERS), _JSON, max_size=4))
def test_any_content_gets_a_verdict_and_the_same_one_again(device: Sender, op: str, odd: dict[str, object]) -> None:
    whole = content() | {"complaint": an_id("sound"), "base_revision": 1} | odd
    line = json.dumps({"op": op, "id": an_id(repr((op, odd))), "seq": 1, "content": whole}).encode()

    sound, first = verdicts(device.send(complaint("sound"), line))
    _, again = verdicts(device.send(complaint("sound"), line))

    assert sound in (STORED, ALREADY_HELD)
    assert again == (ALREADY_HELD if first == STORED and op != "linkage" else first)
    assert first.code == "" or first.code in CODES
    assert first.code != "internal"
