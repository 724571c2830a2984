"""Pieces of evidence: how a file that a complaint declares stands, and what was done with it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

State = Literal["awaited", "here", "refused"]
# `lost`: it was here, and its bytes are not any more.
Act = Literal["received", "looked", "original", "covered", "told", "exported", "lost"]


@dataclass(frozen=True)
class Limits:
    """The most bytes of one file, of all files of a complaint, of what one device and all devices have under way."""

    file: int
    complaint: int
    device_parts: int
    parts: int
    # What files leave of the disk to everything else.
    spared: int


@dataclass(frozen=True)
class Piece:
    """A file of a complaint. `no` counts within the complaint; `sha256` and `size` are those of the sealed bytes.

    `upload`: what the device that declared it calls its upload. `fault`: why it was refused, else empty.
    """

    id: int
    complaint: int
    device: str
    upload: str
    no: int
    sha256: str
    size: int
    kind: str
    role: str
    state: State
    fault: str
    settled_at: datetime | None


@dataclass(frozen=True)
class Custody:
    """Who did what with a piece, when and why; `by` as the log signs it."""

    act: Act
    at: datetime
    by: str
    reason: str
