"""Somebody who holds the hub rewrites its log: random edits, clumsy or signed again, and whether it shows."""

import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any, Final

from nacl.signing import SigningKey

from client_sync.protocol.anchors import Anchor
from client_sync.protocol.frames import to_text
from server.commands.audit_verify import NOTE, Frontier, Verdict, leaf_hash, verify
from server.hub import Hub
from server.services import audit
from server.store import audit as log
from tests.builders import Clock, open_test_hub

DAYS: Final = 4
EVENTS_A_DAY: Final = 25

Days = list[list[str]]
Members = dict[str, Any]


@dataclass(frozen=True)
class Rewriter:
    """What it takes: the export line by line, the leaves of each day, and the hub's own signing key."""

    hub: str
    epoch: str
    key: SigningKey
    lines: list[Members]
    days: Days

    def signed_again(self, days: Days) -> list[Members]:
        """An export of other days, in which every place, anchor and signature is right."""
        lines, tree = self.lines[:1], Frontier()
        anchors = [line["anchor"] for line in self.lines if "anchor" in line]
        for leaves, before in zip(days, anchors, strict=False):
            lines += [{"leaf": leaf, "place": place} for place, leaf in enumerate(leaves, tree.size)]
            for leaf in leaves:
                tree.push(leaf_hash(leaf.encode()))
            tree.pad(tree.size + -tree.size % log.BLOCK)
            anchor = Anchor(before["day"], self.epoch, self.hub, tree.root().hex(), tree.size)
            lines.append({"anchor": asdict(anchor), "sig": to_text(self.key.sign(anchor.digest()).signature)})
        return [lines[0] | {"size": tree.size}, *lines[1:]]

    @property
    def witness(self) -> bytes:
        """The newest anchor, as a device keeps it."""
        [*_, newest] = (line for line in self.lines if "anchor" in line)
        return written([newest | {"key": bytes(self.key.verify_key).hex()}])[0]


def rewriter(folder: Path) -> Rewriter:
    """A hub with some days of events, its log exported, and its key stolen."""
    clock = Clock()
    hub = open_test_hub("sqlite", folder / "hub", clock)
    for day in range(DAYS):
        for no in range(EVENTS_A_DAY):
            note(hub, f"device:{day}.{no}")
        anchor(hub)
        clock.now += timedelta(days=1)
    lines = exported(hub)
    hub.close()
    days: Days = [[]]
    for line in lines[1:]:
        if "anchor" in line:
            days.append([])
        else:
            days[-1].append(line["leaf"])
    return Rewriter(hub.identity.id, hub.epoch(), hub.identity.sign_key, lines, days[:-1])


def note(hub: Hub, object: str, reason: str = "") -> None:
    """One transaction that does nothing but say so."""
    with hub.store.write() as connection:
        log.record(connection, at=hub.clock(), actor="operator", action="tell", object=object, reason=reason)


def anchor(hub: Hub) -> log.Anchored | None:
    """The day's anchor."""
    return audit.anchor_day(hub.store, hub.identity.id, hub.identity.sign_key, hub.clock())


def exported(hub: Hub) -> list[Members]:
    """The lines of an export."""
    lines = audit.export(hub.store, hub.identity.id, hub.identity.sign_key)
    return [json.loads(line) for line in lines]


def written(lines: Iterable[Members]) -> list[bytes]:
    """Lines as they stand in a file."""
    return [json.dumps(line).encode() for line in lines]


def edits(made: Rewriter, count: int, seed: int) -> Iterable[tuple[str, list[Members]]]:
    """`count` edits before the witness, of every kind in turn, each other one signed again by the hub's own key."""
    chances = Random(seed)
    kinds = list(_KINDS)
    for no in range(count):
        kind = kinds[no % len(kinds)]
        clumsy, skilled = _KINDS[kind]
        if no // len(kinds) % 2:
            yield f"{kind}, signed again", made.signed_again(skilled([list(day) for day in made.days], chances))
        else:
            yield kind, [made.lines[0], *clumsy([dict(line) for line in made.lines[1:]], chances)]


def is_caught(made: Rewriter, lines: list[Members]) -> bool:
    """Whether the verifier says that something is wrong."""
    return checked(made, lines).level != NOTE


def checked(made: Rewriter, lines: list[Members]) -> Verdict:
    """What the verifier says of an export, given what a device saw."""
    return verify(written(lines), witnesses=[made.witness])


def _event_places(lines: list[Members]) -> list[int]:
    return [at for at, line in enumerate(lines) if "leaf" in line]


def _altered(leaf: str, chances: Random) -> str:
    """Another object, an older time, or another action: JSON all the same."""
    members = json.loads(leaf)
    name = chances.choice(("object", "actor", "action", "at"))
    return json.dumps(members | {name: members[name] + "0"}, sort_keys=True, separators=(",", ":"))


def _change_line(lines: list[Members], chances: Random) -> list[Members]:
    at = chances.choice(_event_places(lines))
    lines[at]["leaf"] = _altered(lines[at]["leaf"], chances)
    return lines


def _delete_line(lines: list[Members], chances: Random) -> list[Members]:
    del lines[chances.randrange(len(lines))]
    return lines


def _insert_line(lines: list[Members], chances: Random) -> list[Members]:
    at = chances.choice(_event_places(lines))
    leaf = _altered(lines[at]["leaf"], chances)
    lines.insert(at, {"leaf": leaf, "place": lines[at]["place"]})
    return lines


def _move_line(lines: list[Members], chances: Random) -> list[Members]:
    origin, target = chances.sample(range(len(lines)), 2)
    lines.insert(target, lines.pop(origin))
    return lines


def _swap_leaves(lines: list[Members], chances: Random) -> list[Members]:
    one, other = chances.sample(_event_places(lines), 2)
    lines[one]["leaf"], lines[other]["leaf"] = lines[other]["leaf"], lines[one]["leaf"]
    return lines


def _cut_lines(lines: list[Members], chances: Random) -> list[Members]:
    return lines[: chances.randrange(len(lines))]


def _old_lines(lines: list[Members], chances: Random) -> list[Members]:
    ends = [at for at, line in enumerate(lines) if "anchor" in line]
    return lines[: chances.choice(ends[:-1]) + 1]


def _pick(days: Days, chances: Random) -> tuple[list[str], int]:
    day = chances.choice([day for day in days if day])
    return day, chances.randrange(len(day))


def _change(days: Days, chances: Random) -> Days:
    day, at = _pick(days, chances)
    day[at] = _altered(day[at], chances)
    return days


def _delete(days: Days, chances: Random) -> Days:
    day, at = _pick(days, chances)
    del day[at]
    return days


def _insert(days: Days, chances: Random) -> Days:
    day, at = _pick(days, chances)
    day.insert(at, _altered(day[at], chances))
    return days


def _move(days: Days, chances: Random) -> Days:
    day, origin = _pick(days, chances)
    target = chances.choice([at for at in range(len(day)) if at != origin])
    day.insert(target, day.pop(origin))
    return days


def _swap(days: Days, chances: Random) -> Days:
    (one, here), (other, there) = _pick(days, chances), _pick(days, chances)
    while one[here] == other[there]:
        other, there = _pick(days, chances)
    one[here], other[there] = other[there], one[here]
    return days


def _cut(days: Days, chances: Random) -> Days:
    """The last event of some day, and all that follows."""
    keep = chances.randrange(len(days))
    return [*days[:keep], days[keep][: chances.randrange(len(days[keep]))]]


def _old_copy(days: Days, chances: Random) -> Days:
    """An earlier state, which went on in another way."""
    keep = chances.randrange(1, len(days))
    return [*days[:keep], *([_altered(leaf, chances) for leaf in day] for day in days[keep:])]


_Clumsy = Callable[[list[Members], Random], list[Members]]
_Skilled = Callable[[Days, Random], Days]
_KINDS: Final[dict[str, tuple[_Clumsy, _Skilled]]] = {
    "change": (_change_line, _change),
    "delete": (_delete_line, _delete),
    "insert": (_insert_line, _insert),
    "reorder": (_move_line, _move),
    "truncate": (_cut_lines, _cut),
    "swap": (_swap_leaves, _swap),
    "old copy put back": (_old_lines, _old_copy),
}
