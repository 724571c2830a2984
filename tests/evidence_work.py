"""Pieces of evidence as devices make them: sealed, declared, and sent part by part to a hub of a test."""

import hashlib
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import sqlalchemy as sa

from client_sync.file_seal import Description, new_file_key, seal_file
from client_sync.protocol.frames import to_text
from client_sync.protocol.media import recognise
from server.services.evidence import receiving
from server.store import devices
from server.store.evidence_tables import piece
from tests.builders import Sender, clear_content, operation


@dataclass(frozen=True)
class SealedFile:
    """A file as its device sends it, and the key that opens it."""

    data: bytes
    key: bytes
    kind: str

    @property
    def sha256(self) -> str:
        """What it is declared by."""
        return hashlib.sha256(self.data).hexdigest()

    @property
    def declared(self) -> dict[str, Any]:
        """As facts say it."""
        return {"sha256": self.sha256, "size": len(self.data), "kind": self.kind, "role": "evidence"}


def seal_up(clear: bytes, name: str | None = None, media_type: str | None = None) -> SealedFile:
    """A file as a device seals it; `media_type` is told of it where it is no file of a type that a device takes."""
    media = None if media_type else recognise(BytesIO(clear))
    told = Description(hashlib.sha256(clear).hexdigest(), len(clear), media_type or (media and media.type) or "", name)
    key = new_file_key()
    return SealedFile(b"".join(seal_file(BytesIO(clear), told, key)), key, media.kind if media else "photo")


def complaint_with(device: Sender, name: object, *files: SealedFile, **facts: Any) -> bytes:
    """The line of a complaint that declares files, and keeps their keys in its traces."""
    content = clear_content(**facts, files=[each.declared for each in files])
    content["traces"]["clear"]["media_keys"] = {each.sha256: to_text(each.key) for each in files}
    return operation("complaint", name, device.seal(name, content))


def send_up(device: Sender, file: SealedFile) -> None:
    """All of a file, past the door: that is proved elsewhere."""
    hub = device.hub
    with hub.store.read() as connection:
        known = devices.find(connection, device.device)
    assert known is not None
    sender = receiving.Sender(hub.store, hub.depot, known, hub.clock())
    stands = receiving.begin(sender, file.sha256, len(file.data))
    receiving.add(sender, stands.upload, stands.offset, file.data[stands.offset :])


def sent(device: Sender, name: object, *files: SealedFile, **facts: Any) -> list[int]:
    """A complaint with files, all of which arrived; gives their pieces."""
    device.send(complaint_with(device, name, *files, **facts))
    for each in files:
        send_up(device, each)
    return pieces_of(device)


def pieces_of(device: Sender) -> list[int]:
    """The pieces that a device declared, in order."""
    with device.hub.store.read() as connection:
        return list(
            connection.scalars(sa.select(piece.c.id).where(piece.c.device == device.device).order_by(piece.c.id))
        )
