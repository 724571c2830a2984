"""The one checker of all fault runs: what was promised to the devices against what the hub holds.

The method is Jepsen's set test: clients note what they tried and what they were told, and after the faults
every acknowledged record must be found once, while one of unknown outcome may be there or not, but never
twice.
"""

import json
import os
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self


@dataclass(frozen=True)
class Findings:
    """What a run broke, offenders by name in a stable order; a sound run's findings equal `Findings()`."""

    lost: tuple[str, ...] = ()
    """Records acknowledged, and neither stored nor set aside."""
    doubled: tuple[str, ...] = ()
    """Records held more than once."""
    half: tuple[tuple[str, ...], ...] = ()
    """The parts found of each unit that is there in part only."""
    missed_changes: tuple[tuple[str, str], ...] = ()
    """(device, change) skipped, pulled twice, out of order, or never made."""
    unexpected: tuple[str, ...] = ()
    """Records held that no device ever offered."""


class History:
    """An append-only file of JSON lines in which devices note what they did and were told.

    Safe for any number of threads and processes: a line is one write at the end of the file. It outlives the
    kill of whoever writes it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def invoke(self, record: str) -> None:
        """Noted before the record leaves the device."""
        self._append({"event": "invoke", "record": record})

    def acknowledged(self, record: str) -> None:
        """The device read a verdict by which the hub keeps the record: stored, or set aside."""
        self._append({"event": "acknowledged", "record": record})

    def unknown(self, record: str) -> None:
        """No answer came; a record that was invoked and has no other line counts the same."""
        self._append({"event": "unknown", "record": record})

    def pulled(self, device: str, change: str) -> None:
        """Noted once the device has committed the change and its cursor."""
        self._append({"event": "pulled", "device": device, "change": change})

    def close(self) -> None:
        os.close(self._file)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[dict[str, str]]:
        """Every whole line so far, oldest first; one that a kill cut short is left out."""
        with self.path.open("rb") as lines:
            for line in lines:
                if line.endswith(b"\n"):
                    yield json.loads(line)

    def _append(self, event: dict[str, str]) -> None:
        os.write(self._file, json.dumps(event).encode() + b"\n")


def check(
    history: Iterable[Mapping[str, str]],
    stored: Mapping[str, int],
    set_aside: Collection[str] = (),
    *,
    units: Iterable[Collection[str]] = (),
    changes: Mapping[str, Sequence[str]] | None = None,
) -> Findings:
    """Compare a history with what stands in the hub after the run.

    `stored`: how often each record id is stored. `set_aside`: ids in quarantine or held; each appearance
    counts, so a record both stored and set aside is doubled. `units`: sets of ids of which the hub must hold
    all or none. `changes`: by device, what it should have pulled by now, in the hub's order; devices not
    named are not judged.
    """
    invoked: set[str] = set()
    acknowledged: set[str] = set()
    pulled: dict[str, list[str]] = defaultdict(list)
    for event in history:
        match event["event"]:
            case "invoke":
                invoked.add(event["record"])
            case "acknowledged":
                acknowledged.add(event["record"])
            case "pulled":
                pulled[event["device"]].append(event["change"])
            case "unknown":
                pass
            case other:
                raise ValueError(f"not an event of a history: {other!r}")
    held = Counter(stored) + Counter(set_aside)
    return Findings(
        lost=tuple(sorted(acknowledged - held.keys())),
        doubled=tuple(sorted(record for record, count in held.items() if count > 1)),
        half=_half(units, held),
        missed_changes=_missed(pulled, changes or {}),
        unexpected=tuple(sorted(held.keys() - invoked)),
    )


def _half(units: Iterable[Collection[str]], held: Mapping[str, int]) -> tuple[tuple[str, ...], ...]:
    found = [(unit, tuple(sorted(part for part in unit if part in held))) for unit in units]
    return tuple(parts for unit, parts in found if 0 < len(parts) < len(unit))


def _missed(pulled: Mapping[str, Sequence[str]], changes: Mapping[str, Sequence[str]]) -> tuple[tuple[str, str], ...]:
    return tuple(
        (device, change)
        for device, expected in sorted(changes.items())
        for change in _out_of_step(pulled.get(device, ()), expected)
    )


def _out_of_step(pulled: Sequence[str], expected: Sequence[str]) -> Iterator[str]:
    """Expected changes that were skipped, then pulled ones that repeat, run backward or never were."""
    seen = set(pulled)
    yield from (change for change in expected if change not in seen)
    place = {change: index for index, change in enumerate(expected)}
    last = -1
    for change in pulled:
        if place.get(change, -1) <= last:
            yield change
        else:
            last = place[change]
