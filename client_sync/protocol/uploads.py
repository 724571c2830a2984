"""Uploads: what a file is called on its way to the hub, and which goes first (PROTOCOL §9)."""

import hashlib
from typing import Final

FILES_PATH: Final = "/api/v1/files"
TUS_VERSION: Final = "1.0.0"
CHUNK_TYPE: Final = "application/offset+octet-stream"
# Codes that a device acts on.
UNWANTED: Final = "file_unwanted"
OFFSET_DIFFERS: Final = "offset_differs"
CHECKSUM_DIFFERS: Final = "checksum_differs"
DIFFERS: Final = "file_differs"
BUSY: Final = "file_busy"
TOO_LARGE: Final = "file_too_large"
# Said by the device itself: the file that is here is not the one that was sealed, and nobody could ever open it.
DAMAGED: Final = "file_damaged"
_DOMAIN: Final = b"seere-upload-1\n"
_ID_DIGITS: Final = 32
# What was said goes before what was seen; what is of no kind of these comes last.
KINDS: Final = ("audio", "photo", "document", "video", "other")


def upload_id(device: str, sha256: str) -> str:
    """The name of the upload of one file by one device: the same request made again is the same upload."""
    return hashlib.sha256(_DOMAIN + device.encode() + b"\n" + sha256.encode()).hexdigest()[:_ID_DIGITS]


def turn(kind: str, size: int) -> tuple[int, int]:
    """What files are sorted by: voices first, then photos, documents, films and the rest, the smallest first."""
    return KINDS.index(kind) if kind in KINDS else len(KINDS), size
