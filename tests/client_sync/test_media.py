"""Types of files from their bytes: what a field needs is known, what is two things or none is not taken."""

from io import BytesIO
from random import Random

import pytest

from client_sync.protocol.media import TYPES, Media, NotTaken, recognise
from tests import media

KNOWN = {
    "photo": (media.photo(), Media("image/jpeg", "photo")),
    "screenshot": (media.photo(container="PNG"), Media("image/png", "photo")),
    "photo of an iPhone": (media.photo(container="HEIF"), Media("image/heic", "photo")),
    "document": (media.pages(), Media("application/pdf", "document")),
    "voice in Ogg": (media.voice(), Media("audio/ogg", "audio")),
    "voice of a browser": (media.voice("webm"), Media("audio/webm", "audio")),
    "voice of an iPhone": (media.voice("ipod", "aac", 44_100), Media("audio/mp4", "audio")),
    "voice in 3GP": (media.voice("3gp", "aac", 44_100), Media("video/3gpp", "audio")),
    "voice of an old phone": (media.amr(), Media("audio/amr", "audio")),
    "film": (media.film(), Media("video/mp4", "video")),
    "film of an old phone": (media.film("3gp", codec=None), Media("video/3gpp", "video")),
}
JPEG = media.photo()
ARCHIVE_END = b"PK\x05\x06" + bytes(18)


def verdict(data: bytes) -> Media | str:
    try:
        return recognise(BytesIO(data))
    except NotTaken as refusal:
        return refusal.code


def with_comment(comment: bytes) -> bytes:
    """A photo with a comment right at its beginning."""
    return JPEG[:2] + b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment + JPEG[2:]


@pytest.mark.parametrize("name", KNOWN)
def test_what_a_field_brings_is_known_by_its_bytes(name: str) -> None:
    data, known = KNOWN[name]
    assert verdict(data) == known


def test_every_type_of_the_protocol_is_known_from_a_real_file() -> None:
    assert {known.type for _, known in KNOWN.values()} == TYPES


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "file_empty"),
        (b"<html><body>a page called photo.jpg</body></html>", "file_type"),
        (b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>', "file_type"),
        (b"GIF89a" + bytes(50), "file_type"),
        (b"PK\x03\x04" + bytes(50), "file_type"),
        (b"MZ" + bytes(200), "file_type"),
        (media.film("mov"), "file_type"),
        (media.film("matroska"), "file_type"),
        (media.voice("webm").replace(b"\x83\x81\x02", b"\x83\x81\x01", 1), "file_type"),
        (JPEG.replace(b"\xff\xda", b"\xff\xd9", 1), "file_broken"),
        (JPEG[:20], "file_broken"),
        (media.photo(container="PNG")[:20], "file_broken"),
        (media.film()[:200], "file_broken"),
        (media.voice("webm")[:60], "file_broken"),
        (b"#!AMR\n", "file_broken"),
        (b"%PDF-", "file_broken"),
        (with_comment(b"<SCRIPT>alert(1)</SCRIPT>"), "file_mixed"),
        (with_comment(b"<svg onload='x'>"), "file_mixed"),
        (with_comment(b"%PDF-1.4"), "file_mixed"),
        (JPEG + b"PK\x03\x04 hidden" + ARCHIVE_END, "file_mixed"),
        (JPEG + b"PK\x05\x06" + bytes(16) + b"\x05\x00hello", "file_mixed"),
        (media.pages() + ARCHIVE_END, "file_mixed"),
        (media.film() + ARCHIVE_END, "file_mixed"),
    ],
)
def test_what_is_no_such_file_or_two_at_once_is_refused(data: bytes, code: str) -> None:
    assert verdict(data) == code


def test_what_telephones_put_behind_a_photo_does_no_harm() -> None:
    film = media.film()
    assert verdict(with_comment(b"Modele X-12") + film) == Media("image/jpeg", "photo")
    assert verdict(JPEG + bytes(3) + b"SEFH" + bytes(40) + b"SEFT") == Media("image/jpeg", "photo")


@pytest.mark.parametrize("name", KNOWN)
def test_a_damaged_file_is_known_or_refused_and_never_more(name: str) -> None:
    data, _ = KNOWN[name]
    chances = Random(name)
    for _ in range(150):
        spoilt = bytearray(data[: chances.randint(1, len(data))])
        for _ in range(chances.randint(1, 8)):
            spoilt[chances.randrange(min(len(spoilt), 400))] = chances.randrange(256)
        assert isinstance(verdict(bytes(spoilt)), Media | str)


def test_boxes_that_never_end_are_given_up() -> None:
    empty_boxes = b"\0\0\0\x08free" * 50_000
    assert verdict(b"\0\0\0\x14ftypmp42" + bytes(8) + empty_boxes) == "file_broken"
