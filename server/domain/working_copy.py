"""Working copies: what is asked of the process that makes them, and what it answers."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

# Why there is no copy: it is not what it is called, or damaged; it unfolds to more than may be looked at.
Fault = Literal["unreadable", "too_large"]
# Left, top, width and height of what is covered, in thousandths of a picture.
Rectangle = tuple[int, int, int, int]
# The longer side of a picture of a copy, in pixels: as it is read, and as it is first shown over a thin link.
LARGE: Final = 1600
SMALL: Final = 480
# By place of a picture, from 0, what of it nobody is to see.
Covered = Mapping[int, Sequence[Rectangle]]


class NotCopied(Exception):
    """There is no copy, for `fault`."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault)
        self.fault: Fault = fault


@dataclass(frozen=True)
class Made:
    """What was made of a file: its pictures as JPEG, in order, and its sound as Ogg Opus, empty where it has none."""

    pictures: Sequence[bytes]
    sound: bytes


def covered_by(areas: Iterable[Sequence[int]]) -> Covered:
    """What rows of the place of a picture, left, top, width and height cover."""
    covered: dict[int, list[Rectangle]] = {}
    for no, left, top, width, height in areas:
        covered.setdefault(no, []).append((left, top, width, height))
    return covered


def areas_of(covered: Covered) -> list[list[int]]:
    """The rows of what is covered, by the places of the pictures."""
    return [[no, *each] for no, those in sorted(covered.items()) for each in those]


def asked(data: bytes, media_type: str, covered: Covered, side: int) -> bytes:
    """What the process is given: a line of JSON, and the file."""
    return json.dumps({"covered": areas_of(covered), "side": side, "type": media_type}).encode() + b"\n" + data


def read_asked(given: bytes) -> tuple[bytes, str, Covered, int]:
    """What `asked` wrote."""
    head, _, data = given.partition(b"\n")
    told = json.loads(head)
    return data, told["type"], covered_by(told["covered"]), told["side"]


def answered(made: Made | Fault) -> bytes:
    """What the process gives: a line of JSON, and the pictures and the sound one after another."""
    if isinstance(made, str):
        return json.dumps({"fault": made}).encode() + b"\n"
    parts = [*made.pictures, made.sound]
    return json.dumps({"sizes": [len(each) for each in parts]}).encode() + b"\n" + b"".join(parts)


def read_answered(given: bytes) -> Made:
    """What `answered` wrote. Raises NotCopied, also for a process that ended before it was done."""
    head, _, rest = given.partition(b"\n")
    if not head:
        raise NotCopied("too_large")
    told: Mapping[str, Any] = json.loads(head)
    if "fault" in told:
        raise NotCopied(told["fault"])
    parts, at = [], 0
    for size in told["sizes"]:
        parts.append(rest[at : at + size])
        at += size
    return Made(parts[:-1], parts[-1])
