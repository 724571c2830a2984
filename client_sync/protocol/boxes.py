"""Boxes on the wire: where they stand in a content, and what opens them (PROTOCOL §4.1)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from client_sync.protocol.frames import from_text, to_text

SEAL_VERSION: Final = 1


@dataclass(frozen=True)
class Boxes:
    """The boxes of a content by member, and its record key by key id, sealed to each reader."""

    boxes: dict[str, bytes]
    keys: dict[str, bytes]


def write_boxes(content: Mapping[str, Any], boxes: Mapping[str, bytes], keys: Mapping[str, bytes]) -> dict[str, Any]:
    """The content of an operation with these boxes in place of the clear compartments of their names."""
    written = {name: {"box": to_text(box)} for name, box in boxes.items()}
    seal = {"v": SEAL_VERSION, "keys": {kid: to_text(key) for kid, key in keys.items()}}
    return {**content, **written, "seal": seal}


def read_boxes(content: Mapping[str, Any]) -> Boxes:
    """The boxes of a content that fits the shapes; without keys when its seal is of another version."""
    boxes = {name: from_text(part["box"]) for name, part in content.items() if isinstance(part, dict) and "box" in part}
    seal = content.get("seal", {})
    keys = seal["keys"] if boxes and seal["v"] == SEAL_VERSION else {}
    return Boxes(boxes, {kid: from_text(key) for kid, key in keys.items()})
