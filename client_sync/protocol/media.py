"""Types of files, found from their bytes and never from a name (PROTOCOL §9.1).

What is looked at is what tells one container from another, and what makes one file two: nothing is decoded.
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final

JPEG: Final = "image/jpeg"
PNG: Final = "image/png"
HEIC: Final = "image/heic"
PDF: Final = "application/pdf"
M4A: Final = "audio/mp4"
AMR: Final = "audio/amr"
OGG: Final = "audio/ogg"
WEBM: Final = "audio/webm"
MP4: Final = "video/mp4"
THREE_GP: Final = "video/3gpp"
TYPES: Final = frozenset({JPEG, PNG, HEIC, PDF, M4A, AMR, OGG, WEBM, MP4, THREE_GP})

EMPTY: Final = "file_empty"
UNKNOWN: Final = "file_type"
BROKEN: Final = "file_broken"
MIXED: Final = "file_mixed"

# No reader of pages looks further for a beginning, and no reader of PDF either.
_BEGINNING_BYTES: Final = 4096
_PAGE_MARKS: Final = (b"<html", b"<!doctype html", b"<script", b"<svg", b"<iframe", b"<body", b"<?php")
_PDF_MARK: Final = b"%PDF-"
# An archive is read from its end: 22 bytes and a comment, before which parts of many disks count 0.
_ARCHIVE_END: Final = b"PK\x05\x06\x00\x00\x00\x00"
_ARCHIVE_END_BYTES: Final = 22
_COMMENT_MOST_BYTES: Final = 2**16 - 1
# Far more parts than any telephone writes: what has more is made to keep us busy.
_PARTS_MOST: Final = 20_000


class NotTaken(Exception):
    """A file that no device takes in: `code` says why."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True)
class Media:
    """What a file is: one of TYPES, and a `file_kind` of the vocabulary."""

    type: str
    kind: str


def recognise(file: BinaryIO) -> Media:
    """What is in a file that can be sought in, which is left anywhere.

    Raises NotTaken: `file_empty`, `file_type` for what is not on the list, `file_broken` for what begins as one of the
    list and does not go on so, `file_mixed` for what is a page or an archive as well.
    """
    beginning = _at(file, 0, _BEGINNING_BYTES)
    if not beginning:
        raise NotTaken(EMPTY)
    for is_begun, read in _READERS:
        if is_begun(beginning):
            media = read(file)
            _refuse_mixed(file, beginning, media)
            return media
    raise NotTaken(UNKNOWN)


def _refuse_mixed(file: BinaryIO, beginning: bytes, media: Media) -> None:
    lowered = beginning.lower()
    is_page = any(mark in lowered for mark in _PAGE_MARKS)
    is_second_pdf = media.type != PDF and _PDF_MARK in beginning
    if is_page or is_second_pdf or _ends_as_archive(file):
        raise NotTaken(MIXED)


def _ends_as_archive(file: BinaryIO) -> bool:
    size = _size(file)
    tail = _at(file, max(size - _ARCHIVE_END_BYTES - _COMMENT_MOST_BYTES, 0), size)
    found = tail.find(_ARCHIVE_END)
    while found >= 0:
        comment = int.from_bytes(tail[found + 20 : found + _ARCHIVE_END_BYTES], "little")
        if found + _ARCHIVE_END_BYTES + comment <= len(tail):
            return True
        found = tail.find(_ARCHIVE_END, found + 1)
    return False


def _at(file: BinaryIO, place: int, size: int) -> bytes:
    """The bytes at a place, fewer at the end."""
    file.seek(place)
    return file.read(size)


def _size(file: BinaryIO) -> int:
    return file.seek(0, os.SEEK_END)


def _number(data: bytes) -> int:
    return int.from_bytes(data, "big")


# Pictures and pages.

_START_OF_SCAN: Final = 0xDA
_END_OF_IMAGE: Final = 0xD9
_STANDALONE: Final = frozenset({0x01, *range(0xD0, 0xD8)})
# The frame headers, without the tables that lie between their numbers.
_FRAME_HEADERS: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


def _jpeg(file: BinaryIO) -> Media:
    markers = set(_jpeg_markers(file))
    if _START_OF_SCAN not in markers or _FRAME_HEADERS.isdisjoint(markers):
        raise NotTaken(BROKEN)
    return Media(JPEG, "photo")


def _jpeg_markers(file: BinaryIO) -> Iterator[int]:
    """The markers up to the first scan, or up to what is none."""
    place = 2
    for _ in range(_PARTS_MOST):
        mark, marker, *length = _at(file, place, 4).ljust(4, b"\0")
        if mark != 0xFF or marker == _END_OF_IMAGE:
            return
        if marker == 0xFF or marker in _STANDALONE:
            place += 1 if marker == 0xFF else 2
            continue
        yield marker
        if marker == _START_OF_SCAN or _number(bytes(length)) < 2:
            return
        place += 2 + _number(bytes(length))


def _png(file: BinaryIO) -> Media:
    header = _at(file, 8, 16)
    if header[:8] != b"\0\0\0\rIHDR" or 0 in (_number(header[8:12]), _number(header[12:16])):
        raise NotTaken(BROKEN)
    return Media(PNG, "photo")


def _pdf(file: BinaryIO) -> Media:
    if not _at(file, len(_PDF_MARK), 1).isdigit():
        raise NotTaken(BROKEN)
    return Media(PDF, "document")


# ISO base media (ISO/IEC 14496-12): HEIC, M4A, MP4 and 3GP are boxes in boxes.

_BRANDS_MOST_BYTES: Final = 1024
_HEIC_BRANDS: Final = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx"})
_IMAGE_BRANDS: Final = _HEIC_BRANDS | {b"mif1", b"msf1"}
_FILM_BRANDS: Final = frozenset({b"isom", b"mp41", b"mp42", b"avc1", b"M4A ", b"M4B ", b"M4V ", b"dash", b"MSNV"})
_TO_TRACKS: Final = (b"moov", b"trak", b"mdia", b"hdlr")


@dataclass(frozen=True)
class _Box:
    name: bytes
    start: int
    end: int


def _boxes(file: BinaryIO, start: int, end: int) -> Iterator[_Box]:
    """The boxes between two places, up to the first that is none or goes beyond the end."""
    for _ in range(_PARTS_MOST):
        head = _at(file, start, 16)
        size, name, content = _number(head[:4]), head[4:8], start + 8
        if size == 1:
            size, content = _number(head[8:16]), start + 16
        close = end if size == 0 else start + size
        if len(head) < 8 or close < content or close > end:
            return
        yield _Box(name, content, close)
        start = close


def _iso_media(file: BinaryIO) -> Media:
    size = _size(file)
    first, *rest = [*_boxes(file, 0, size)] or [_Box(b"", 0, 0)]
    if first.name != b"ftyp" or not 8 <= first.end - first.start <= _BRANDS_MOST_BYTES:
        raise NotTaken(BROKEN)
    told = _at(file, first.start, first.end - first.start)
    major, others = told[:4], {told[at : at + 4] for at in range(8, len(told), 4)}
    if major in _IMAGE_BRANDS:
        return _heic(major, others, rest)
    if not (major.startswith((b"3gp", b"iso")) or major in _FILM_BRANDS):
        raise NotTaken(UNKNOWN)
    return _recording(major, set(_tracks(file, rest)))


def _heic(major: bytes, others: set[bytes], rest: list[_Box]) -> Media:
    if major not in _HEIC_BRANDS and others.isdisjoint(_HEIC_BRANDS):
        raise NotTaken(UNKNOWN)
    if b"meta" not in {box.name for box in rest}:
        raise NotTaken(BROKEN)
    return Media(HEIC, "photo")


def _recording(major: bytes, tracks: set[bytes]) -> Media:
    is_film = b"vide" in tracks
    if not is_film and b"soun" not in tracks:
        raise NotTaken(BROKEN)
    if major.startswith(b"3gp"):
        return Media(THREE_GP, "video" if is_film else "audio")
    return Media(MP4, "video") if is_film else Media(M4A, "audio")


def _tracks(file: BinaryIO, boxes: list[_Box]) -> Iterator[bytes]:
    """What the tracks of a recording hold: `vide`, `soun` and others."""
    found = boxes
    for name in _TO_TRACKS[:-1]:
        inner = (_boxes(file, box.start, box.end) for box in found if box.name == name)
        found = [box for some in inner for box in some]
    # The handler follows a version and a number that say nothing.
    return (_at(file, box.start + 8, 4) for box in found if box.name == _TO_TRACKS[-1])


# Voices.

_OGG_VOICES: Final = (b"OpusHead", b"\x01vorbis", b"Speex   ", b"\x7fFLAC", b"fishead\0")
_AMR_MARKS: Final = (b"#!AMR\n", b"#!AMR-WB\n")


def _amr(file: BinaryIO) -> Media:
    if _size(file) <= max(map(len, _AMR_MARKS)):
        raise NotTaken(BROKEN)
    return Media(AMR, "audio")


def _ogg(file: BinaryIO) -> Media:
    streams = [*_ogg_streams(file)]
    if not streams:
        raise NotTaken(BROKEN)
    if not all(stream.startswith(_OGG_VOICES) for stream in streams):
        raise NotTaken(UNKNOWN)
    return Media(OGG, "audio")


def _ogg_streams(file: BinaryIO) -> Iterator[bytes]:
    """The beginning of each stream: they all begin before any goes on (RFC 3533)."""
    place = 0
    for _ in range(_PARTS_MOST):
        head = _at(file, place, 27)
        if head[:4] != b"OggS" or len(head) < 27 or not head[5] & 0x02:
            return
        lengths = _at(file, place + 27, head[26])
        place += 27 + len(lengths)
        yield _at(file, place, 16)
        place += sum(lengths)


# Matroska (RFC 8794, RFC 9559): WebM is a document type of it.

_EBML: Final = 0x1A45DFA3
_DOCUMENT_TYPE: Final = 0x4282
_SEGMENT: Final = 0x18538067
_CLUSTER: Final = 0x1F43B675
_TRACKS: Final = 0x1654AE6B
_TRACK: Final = 0xAE
_TRACK_TYPE: Final = 0x83
_SOUND: Final = b"\x02"


@dataclass(frozen=True)
class _Element:
    id: int
    start: int
    end: int


def _webm(file: BinaryIO) -> Media:
    top = {element.id: element for element in _elements(file, 0, _size(file))}
    if _EBML not in top or _SEGMENT not in top:
        raise NotTaken(BROKEN)
    if _told(file, top[_EBML], _DOCUMENT_TYPE) != [b"webm"]:
        raise NotTaken(UNKNOWN)
    segment = top[_SEGMENT]
    tracks = [each for each in _elements(file, segment.start, segment.end) if each.id == _TRACKS]
    entries = [entry for each in tracks for entry in _elements(file, each.start, each.end) if entry.id == _TRACK]
    if not entries:
        raise NotTaken(BROKEN)
    if any(_told(file, entry, _TRACK_TYPE) != [_SOUND] for entry in entries):
        raise NotTaken(UNKNOWN)
    return Media(WEBM, "audio")


def _told(file: BinaryIO, element: _Element, id: int) -> list[bytes]:
    """What the members with this id hold."""
    members = _elements(file, element.start, element.end)
    return [_at(file, each.start, min(each.end - each.start, 16)) for each in members if each.id == id]


def _elements(file: BinaryIO, start: int, end: int) -> Iterator[_Element]:
    """The elements between two places, up to the first cluster: by then a recorder has said all that we ask."""
    for _ in range(_PARTS_MOST):
        id, after = _variable(file, start, keeps_mark=True)
        length, content = _variable(file, after, keeps_mark=False)
        if id is None or id == _CLUSTER or content > end:
            return
        # Who records live does not know the length of what is to come.
        close = end if length is None else content + length
        if close > end:
            return
        yield _Element(id, content, close)
        start = close


def _variable(file: BinaryIO, place: int, *, keeps_mark: bool) -> tuple[int | None, int]:
    """A number of EBML and the place after it; None for one that is none, and for a length not known."""
    head = _at(file, place, 8)
    width = 9 - head[0].bit_length() if head else 9
    if width > len(head):
        return None, place
    value = _number(head[:width])
    bits = 7 * width
    if keeps_mark:
        return value, place + width
    value &= (1 << bits) - 1
    return (None if value == (1 << bits) - 1 else value), place + width


_READERS: Final[tuple[tuple[Callable[[bytes], bool], Callable[[BinaryIO], Media]], ...]] = (
    (lambda beginning: beginning.startswith(b"\xff\xd8\xff"), _jpeg),
    (lambda beginning: beginning.startswith(b"\x89PNG\r\n\x1a\n"), _png),
    (lambda beginning: beginning.startswith(_PDF_MARK), _pdf),
    (lambda beginning: beginning[4:8] == b"ftyp", _iso_media),
    (lambda beginning: beginning.startswith(_AMR_MARKS), _amr),
    (lambda beginning: beginning.startswith(b"OggS"), _ogg),
    (lambda beginning: beginning.startswith(_EBML.to_bytes(4, "big")), _webm),
)
