"""Working copies: made anew of what can be seen and heard; what lies beside that, or is too much, stays behind."""

import struct
import zlib
from collections.abc import Callable
from io import BytesIO
from zipfile import ZipFile

import av
import pytest
from PIL import Image

from server.copyist import LARGE, PAGES_MAX
from server.domain.working_copy import NotCopied
from server.services.evidence.copies import working_copy
from tests import media

_ZIP = BytesIO()
with ZipFile(_ZIP, "w") as _archive:
    _archive.writestr("charge.exe", "MZ" * 99)


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png_bomb(side: int) -> bytes:
    """A PNG of a few hundred bytes that says to have that many pixels each way, and has the first rows of them."""
    head = _chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0))
    rows = zlib.compress(bytes((side // 8 + 1) * 100), 9)
    return b"\x89PNG\r\n\x1a\n" + head + _chunk(b"IDAT", rows) + _chunk(b"IEND", b"")


def text_bomb() -> bytes:
    """A PNG whose comment unfolds to 100 MB."""
    comment = _chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(100 * 2**20), 9))
    whole = media.photo(container="PNG")
    return whole[:33] + comment + whole[33:]


def seen(data: bytes) -> Image.Image:
    return Image.open(BytesIO(data), formats=["JPEG"])


@pytest.mark.parametrize(
    ("media_type", "made", "pictures", "has_sound"),
    [
        ("image/jpeg", media.photo, 1, False),
        ("image/png", lambda: media.photo(container="PNG"), 1, False),
        ("image/heic", lambda: media.photo(container="HEIF"), 1, False),
        ("application/pdf", media.pages, 2, False),
        ("audio/ogg", media.voice, 0, True),
        ("audio/webm", lambda: media.voice("webm"), 0, True),
        ("audio/mp4", lambda: media.voice("mp4", "aac", 44_100), 0, True),
        ("audio/amr", media.amr, 0, True),
        ("video/mp4", media.film, 2, True),
        ("video/3gpp", lambda: media.film("3gp", codec=None), 2, False),
    ],
)
def test_copy_shows_and_sounds_and_says_nothing_beside(
    media_type: str, made: Callable[[], bytes], pictures: int, has_sound: bool
) -> None:
    data = made()
    copy = working_copy(data, media_type, {})
    assert (len(copy.pictures) >= pictures, bool(copy.sound)) == (True, has_sound)
    assert all(not seen(each).getexif() and seen(each).format == "JPEG" for each in copy.pictures)
    assert all(media.BETRAYS.encode() not in each for each in (*copy.pictures, copy.sound))
    if media_type not in ("audio/amr", "application/pdf"):
        assert media.BETRAYS.encode() in data
    if copy.sound:
        with av.open(BytesIO(copy.sound), format="ogg") as heard:
            assert heard.duration is not None
            assert heard.duration / av.time_base == pytest.approx(2, abs=0.2)


def test_picture_is_turned_as_it_was_held_and_made_small() -> None:
    [picture] = working_copy(media.photo(4000, 2000, orientation=6), "image/jpeg", {}).pictures
    assert seen(picture).size == (LARGE // 2, LARGE)


def test_what_is_covered_is_gone() -> None:
    image = Image.new("RGB", (1000, 1000), "white")
    image.paste("black", (100, 100, 200, 150))
    written = BytesIO()
    image.save(written, "JPEG", quality=95)
    open_, covered = (
        seen(working_copy(written.getvalue(), "image/jpeg", {0: areas}).pictures[0])
        for areas in ([], [(50, 50, 200, 200), (990, 990, 500, 500)])
    )
    assert (open_.getpixel((150, 125)), open_.getpixel((500, 500))) == ((0, 0, 0), (255, 255, 255))
    inside = covered.crop((60, 60, 240, 240)).getextrema()
    assert all(most - least <= 4 for least, most in inside)
    assert covered.getpixel((500, 500)) == (255, 255, 255)


@pytest.mark.parametrize(
    ("media_type", "data", "fault"),
    [
        ("image/jpeg", b"", "unreadable"),
        ("image/jpeg", b"<html><script>alert(1)</script>", "unreadable"),
        ("image/jpeg", b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", "unreadable"),
        ("image/jpeg", media.photo(container="PNG"), "unreadable"),
        ("image/png", media.photo(), "unreadable"),
        ("image/jpeg", media.photo()[:200], "unreadable"),
        ("image/png", png_bomb(50_000), "too_large"),
        ("image/png", text_bomb(), "unreadable"),
        ("image/heic", media.film(), "unreadable"),
        ("application/pdf", b"%PDF-1.7\n" + bytes(999), "unreadable"),
        ("application/pdf", media.pages(PAGES_MAX + 1), "too_large"),
        ("audio/ogg", media.voice("mp4", "aac", 44_100), "unreadable"),
        ("audio/ogg", b"OggS" + bytes(500), "unreadable"),
        ("audio/mp4", media.film(codec=None), "unreadable"),
        ("video/mp4", b"#EXTM3U\nfile:///etc/passwd\n", "unreadable"),
        ("video/mp4", b"ffconcat version 1.0\nfile /etc/passwd\n", "unreadable"),
        ("image/svg+xml", b"<svg/>", "unreadable"),
    ],
)
def test_what_is_not_what_it_is_called_or_too_much_has_no_copy(media_type: str, data: bytes, fault: str) -> None:
    with pytest.raises(NotCopied) as refused:
        working_copy(data, media_type, {})
    assert refused.value.fault == fault


@pytest.mark.parametrize("tail", [_ZIP.getvalue(), b"<script>alert(1)</script>", b"\xff\xd9%PDF-1.7"])
def test_what_hangs_on_a_picture_stays_behind(tail: bytes) -> None:
    [picture] = working_copy(media.photo() + tail, "image/jpeg", {}).pictures
    assert tail not in picture


def test_small_picture_within_is_not_taken_along() -> None:
    within = media.photo(160, 120, colour="blue")
    marker = b"\xff\xe1" + struct.pack(">H", len(within) + 8) + b"Exif\0\0" + within
    whole = media.photo()
    [picture] = working_copy(whole[:2] + marker + whole[2:], "image/jpeg", {}).pictures
    assert picture.count(b"\xff\xd8") == 1
