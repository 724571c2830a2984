"""Frames: what is signed, what of a cut body is read, and what is no frame."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nacl.signing import SigningKey

from client_sync.protocol.canonical import Unreadable
from client_sync.protocol.coding import Coding, deflater, inflate
from client_sync.protocol.frames import Header, encode_frame, from_text, read_frames, to_text
from tests.client_sync.builders import DEVICE, HUB

KEY = SigningKey(b"s" * 32)
LINES = [b'{"content":{},"id":"a","op":"seen","seq":1}', b'{"content":{},"id":"b","op":"seen","seq":2}']


def header(number: int = 41, **members: object) -> Header:
    return Header(**{"device": DEVICE, "hub": HUB, "epoch": "9f2c11aa", "frame": number, "at": "t"} | members)  # type: ignore[arg-type]


def encoded(number: int = 41, lines: list[bytes] = LINES) -> bytes:
    return encode_frame(header(number), lines, lambda digest: KEY.sign(digest).signature)


def test_the_signature_is_over_header_and_records_as_they_stand() -> None:
    frame = encoded()
    head, first, second, end, rest = frame.split(b"\n")
    assert (rest, first, second) == (b"", *LINES)
    assert head == (f'{{"at":"t","device":"{DEVICE}","epoch":"9f2c11aa","frame":41,"hub":"{HUB}","seere":1}}'.encode())
    digest = hashlib.sha256(b"seere-frame-1\n" + head + b"\n" + first + b"\n" + second + b"\n").digest()
    assert end == f'{{"end":41,"n":2,"sig":"{to_text(KEY.sign(digest).signature)}"}}'.encode()


def test_a_frame_comes_back_as_it_was_written() -> None:
    asked = header(cursor="c", limit=0, ask=((40, "00ff" * 4),), backed_up_to=7, waiting=3, version="0.1.0")
    [frame] = read_frames(encode_frame(asked, LINES, lambda digest: KEY.sign(digest).signature))
    assert (frame.header, list(frame.lines), frame.problem) == (asked, LINES, None)
    assert frame.is_signed_by(KEY.verify_key)


@given(st.integers(0, len(encoded()) * 2))
def test_of_a_cut_body_every_whole_frame_is_read(cut: int) -> None:
    body = encoded(1) + encoded(2)
    numbers = [frame.header.frame for frame in read_frames(body[:cut])]
    assert numbers == [1, 2][: (cut >= len(encoded(1))) + (cut >= len(body))]


@given(st.integers(0, len(encoded()) - 1), st.integers(1, 255))
def test_a_changed_byte_never_passes_for_what_was_signed(at: int, change: int) -> None:
    body = bytearray(encoded())
    body[at] ^= change
    try:
        frames = list(read_frames(bytes(body)))
    except Unreadable:
        return
    sound = [frame for frame in frames if frame.problem is None and frame.is_signed_by(KEY.verify_key)]
    assert all(frame.lines == tuple(LINES) and frame.header == header() for frame in sound)


@pytest.mark.parametrize(("found", "said"), [(b'"n":2', b'"n":3'), (b'"end":41', b'"end":42')])
def test_a_wrong_count_or_number_at_the_end_is_a_problem_of_the_frame(found: bytes, said: bytes) -> None:
    [frame] = read_frames(encoded().replace(found, said))
    assert frame.problem == "frame_length"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"a photograph\n", "body_unreadable"),
        (b"[]\n", "body_unreadable"),
        (encoded().replace(b'"seere":1', b'"seere":2'), "frame_version"),
        (encoded().replace(b'"frame":41', b'"frame":-1'), "body_unreadable"),
        (encoded().replace(DEVICE.encode(), b"me"), "body_unreadable"),
    ],
)
def test_what_is_no_frame_is_said_to_be_none(body: bytes, code: str) -> None:
    with pytest.raises(Unreadable) as problem:
        list(read_frames(body))
    assert problem.value.code == code


def test_base64_is_urlsafe_without_padding_and_nothing_else_is_bytes() -> None:
    assert to_text(b"\xfb\xff\xfe\x00") == "-__-AA"
    assert from_text("-__-AA") == b"\xfb\xff\xfe\x00"
    assert [from_text(text) for text in (None, 7, "A", "é")] == [b""] * 4


CODINGS: list[tuple[Coding, str | None]] = [("gzip", None), ("identity", None), ("zstd", "1")]


@pytest.mark.parametrize(("coding", "dictionary"), CODINGS)
def test_a_cut_stream_gives_every_frame_that_was_flushed(coding: Coding, dictionary: str | None) -> None:
    stream = deflater(coding)
    parts = [stream.add(encoded(1)), stream.add(encoded(2)), stream.finish()]
    whole = inflate(b"".join(parts), coding, dictionary)
    assert (whole.data, whole.is_capped) == (encoded(1) + encoded(2), False)
    for cut in range(len(parts[0]), len(parts[0]) + len(parts[1])):
        arrived = inflate(b"".join(parts)[:cut], coding, dictionary)
        assert next(read_frames(arrived.data)).header.frame == 1


@pytest.mark.parametrize(("coding", "dictionary"), [CODINGS[0], CODINGS[2]])
def test_a_bomb_is_inflated_to_the_cap_and_no_further(coding: Coding, dictionary: str | None) -> None:
    stream = deflater(coding)
    bomb = stream.add(b"a" * 20_000_000) + stream.finish()
    inflated = inflate(bomb, coding, dictionary)
    assert inflated.is_capped
    assert 0 < len(inflated.data) <= 200 * max(len(bomb), 64)


@pytest.mark.parametrize(
    ("coding", "dictionary", "code"),
    [
        ("gzip", None, "body_unreadable"),
        ("zstd", "1", "body_unreadable"),
        ("zstd", "2", "dictionary_unknown"),
        ("br", None, "coding_unknown"),
    ],
)
def test_a_body_in_an_unknown_coding_is_not_read(coding: str, dictionary: str | None, code: str) -> None:
    with pytest.raises(Unreadable) as problem:
        inflate(b"not compressed at all", coding, dictionary)
    assert problem.value.code == code
