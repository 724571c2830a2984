"""Verify the exported log of a Seere hub: this one file, Python 3.11 and PyNaCl are all it takes.

    python audit_verify.py LOG [--key HEX] [--witness ANCHOR]...

LOG is what `seere audit export` or `seere audit prove` wrote, ANCHOR what `carnet anchor` wrote on a device, HEX the
hub's public key (64 digits). Says one remark a line. Ends with 0 when the log is whole, 1 when it is broken, 3 when
it is whole but for what a declared restore lost, 2 when it was called wrongly.
The tree is that of RFC 9162 §2.1; what the words of the remarks mean stands in server/docs/operations.md.
"""

import argparse
import hashlib
import json
import re
import sys
from base64 import b64decode
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final

from nacl.exceptions import CryptoError
from nacl.signing import VerifyKey

EXPORT: Final = "seere-log-1"
PROOF: Final = "seere-proof-1"
BLOCK: Final = 4096
BROKEN: Final = "broken"
RESTORED: Final = "restored"
NOTE: Final = "note"
EXIT_CODES: Final = {NOTE: 0, BROKEN: 1, RESTORED: 3}
_LEAF_MEMBERS: Final = {"action", "actor", "at", "details", "object", "words"}


@dataclass(frozen=True)
class Remark:
    """One thing that was found: `place` is where, up to but without `until` when that is a stretch."""

    level: str
    code: str
    place: int | None = None
    until: int | None = None

    def __str__(self) -> str:
        numbers = [str(each) for each in (self.place, self.until) if each is not None]
        return " ".join([self.level, self.code, *numbers])


@dataclass(frozen=True)
class Witness:
    """A head of the log that somebody outside the hub saw."""

    size: int
    root: str
    epoch: str


@dataclass(frozen=True)
class Restore:
    """A declared restore: the event that says so is the first after the backup, at `place`."""

    place: int
    left: str
    entered: str


@dataclass
class Verdict:
    """What came out: `size` leaves, `events` of them no blanks; day, size and root of the last anchor that holds."""

    remarks: list[Remark] = field(default_factory=list)
    size: int = 0
    events: int = 0
    day: str = ""
    anchored: int = 0
    root: str = ""

    @property
    def level(self) -> str:
        """The worst of the remarks."""
        levels = {each.level for each in self.remarks}
        return next((level for level in (BROKEN, RESTORED) if level in levels), NOTE)


def verify(lines: Iterable[bytes], key: str | None = None, witnesses: Sequence[bytes] = ()) -> Verdict:
    """Check an export, or a single proof, line by line in memory that does not grow with it.

    `key` is the hub's public key as 64 digits; without it the key of the first witness counts, else the log's own.
    """
    verdict = Verdict()
    stream = iter(lines)
    head = _parsed(next(stream, b""))
    seen = [_parsed(each) for each in witnesses]
    trusted = key or next((each["key"] for each in seen if isinstance(each.get("key"), str)), None)
    if trusted is None:
        verdict.remarks.append(Remark(NOTE, "key_unproven"))
    trusted = trusted or head.get("key")
    if head.get("log") not in (EXPORT, PROOF) or not isinstance(trusted, str):
        verdict.remarks.append(Remark(BROKEN, "no_log"))
        return verdict
    kept = list(_witnessed(seen, trusted, head, verdict))
    if head["log"] == PROOF:
        _check_proof(head, trusted, kept, verdict)
    else:
        _Check(trusted, head, verdict).run(stream, kept)
    # Two witnesses may say the same.
    verdict.remarks = list(dict.fromkeys(verdict.remarks))
    return verdict


class _Check:
    """A walk through the lines of an export."""

    def __init__(self, key: str, head: dict[str, Any], verdict: Verdict) -> None:
        self._key = key
        self._head = head
        self._verdict = verdict
        self._tree = Frontier()
        self._epoch: str | None = None
        self._anchors: dict[int, Witness] = {}
        self._restores: list[Restore] = []
        self._told: list[tuple[int, Witness]] = []

    def run(self, lines: Iterable[bytes], witnesses: Sequence[Witness]) -> None:
        """Walk, then compare with what others saw."""
        for line in lines:
            members = _parsed(line)
            if "anchor" in members:
                self._take_anchor(members)
            else:
                self._take_event(members)
        if self._head.get("size") != self._tree.size:
            self._say(BROKEN, "cut_short", self._tree.size)
        self._compare(witnesses)
        self._verdict.size = self._tree.size

    def _say(self, level: str, code: str, place: int | None = None, until: int | None = None) -> None:
        self._verdict.remarks.append(Remark(level, code, place, until))

    def _take_event(self, members: dict[str, Any]) -> None:
        place, text = members.get("place"), members.get("leaf")
        if type(place) is not int or not isinstance(text, str):
            self._say(BROKEN, "line_unreadable", self._tree.size)
            return
        if place < self._tree.size:
            self._say(BROKEN, "out_of_order", place)
            return
        if place > self._tree.size:
            self._say(BROKEN, "missing", self._tree.size, place)
            self._tree.pad(place)
        leaf = text.encode(errors="surrogatepass")
        self._tree.push(leaf_hash(leaf))
        self._verdict.events += 1
        self._read_leaf(place, _parsed(leaf), members)

    def _read_leaf(self, place: int, leaf: dict[str, Any], members: dict[str, Any]) -> None:
        if leaf.keys() != _LEAF_MEMBERS or not isinstance(leaf["details"], dict):
            self._say(BROKEN, "leaf_unreadable", place)
            return
        if "row" in members:
            self._say(BROKEN, "row_differs", place)
        if "has_other_words" in members:
            self._say(BROKEN, "words_differ", place)
        details = leaf["details"]
        if leaf["action"] == "restore":
            self._restores.append(Restore(place, str(details.get("from_epoch")), str(details.get("epoch"))))
            self._epoch = str(details.get("epoch"))
        strange = details.get("strange_anchors")
        for told in strange if isinstance(strange, list) else ():
            witness = _genuine(told, self._key, self._head.get("hub"))
            if witness is None:
                self._say(NOTE, "anchor_made_up", place)
            else:
                self._told.append((place, witness))

    def _take_anchor(self, members: dict[str, Any]) -> None:
        anchor = members["anchor"] if isinstance(members["anchor"], dict) else {}
        size = anchor.get("size")
        if type(size) is not int or size % BLOCK or not 0 <= size - self._tree.size < BLOCK:
            self._say(BROKEN, "anchor_misplaced", self._tree.size)
            return
        self._tree.pad(size)
        is_right = self._tree.root().hex() == anchor.get("root")
        if not is_right:
            self._say(BROKEN, "root_differs", size)
        if not _is_signed(members, self._key) or anchor.get("hub") != self._head.get("hub"):
            self._say(BROKEN, "signature_differs", size)
        if self._epoch not in (None, anchor.get("epoch")):
            self._say(BROKEN, "epoch_differs", size)
        self._epoch = str(anchor.get("epoch"))
        self._anchors[size] = Witness(size, self._tree.root().hex(), self._epoch)
        if is_right:
            self._verdict.day, self._verdict.anchored, self._verdict.root = _day(anchor), size, self._anchors[size].root

    def _compare(self, witnesses: Sequence[Witness]) -> None:
        """Hold the log against what was seen of it: shown to us now, or told to the hub by its devices."""
        if not witnesses:
            self._say(NOTE, "no_witness")
        for place, told in self._told:
            self._hold_against(told, [each for each in self._restores if each.place <= place])
        for witness in witnesses:
            self._hold_against(witness, self._restores)
        last = max(self._anchors, default=0)
        if last < self._tree.size:
            self._say(NOTE, "not_anchored", last, self._tree.size)
        for restore in self._restores:
            self._say(NOTE, "restore", restore.place)

    def _hold_against(self, witness: Witness, restores: Sequence[Restore]) -> None:
        if self._anchors.get(witness.size) == witness:
            return
        epochs = {each.entered for each in restores} | {each.left for each in restores}
        lost = [
            each.place
            for each in restores
            if each.place < witness.size and (each.left == witness.epoch or witness.epoch not in epochs)
        ]
        if lost:
            self._say(RESTORED, "lost", max(lost), witness.size)
        elif witness.size > self._tree.size:
            self._say(BROKEN, "witness_ahead", self._tree.size, witness.size)
        else:
            self._say(BROKEN, "witness_differs", witness.size)


class Frontier:
    """The tree of the leaves so far, kept as the roots of its perfect subtrees, the largest first."""

    def __init__(self) -> None:
        self.size = 0
        self._peaks: list[tuple[int, bytes]] = []

    def push(self, hash: bytes, level: int = 0) -> None:
        """Append a leaf, or a perfect subtree of 2**level leaves where the size is a multiple of that."""
        self.size += 1 << level
        while self._peaks and self._peaks[-1][0] == level:
            hash = node_hash(self._peaks.pop()[1], hash)
            level += 1
        self._peaks.append((level, hash))

    def pad(self, size: int) -> None:
        """Append blanks up to `size`, by whole subtrees of them."""
        while self.size < size:
            level = (size - self.size).bit_length() - 1
            while self.size % (1 << level):
                level -= 1
            self.push(_blank(level), level)

    def root(self) -> bytes:
        """The root over all leaves."""
        if not self._peaks:
            return hashlib.sha256().digest()
        found = self._peaks[-1][1]
        for _, peak in reversed(self._peaks[:-1]):
            found = node_hash(peak, found)
        return found


def leaf_hash(leaf: bytes) -> bytes:
    """The hash of one leaf."""
    return hashlib.sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of a node over two subtrees."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def root_along(hash: bytes, place: int, size: int, path: Sequence[bytes]) -> bytes | None:
    """The root of a tree of `size` leaves that an inclusion proof leads to (RFC 9162 §2.1.3.2); None for no proof."""
    first, last = place, size - 1
    for each in path:
        if last == 0:
            return None
        if first & 1 or first == last:
            hash = node_hash(each, hash)
            while first and not first & 1:
                first, last = first >> 1, last >> 1
        else:
            hash = node_hash(hash, each)
        first, last = first >> 1, last >> 1
    return hash if last == 0 and place < size else None


@cache
def _blank(level: int) -> bytes:
    return node_hash(_blank(level - 1), _blank(level - 1)) if level else leaf_hash(b"")


def _check_proof(members: dict[str, Any], key: str, witnesses: Sequence[Witness], verdict: Verdict) -> None:
    """One event, its path and the anchor that it leads to."""
    head, place = _witness(members.get("anchor")), members.get("place")
    try:
        leaf = leaf_hash(members["leaf"].encode(errors="surrogatepass"))
        path = [bytes.fromhex(each) for each in members["path"]]
    except (KeyError, TypeError, ValueError, AttributeError):
        head = None
    if head is None or type(place) is not int or place < 0:
        verdict.remarks.append(Remark(BROKEN, "line_unreadable", 0))
        return
    found = root_along(leaf, place, head.size, path)
    if found is None or found.hex() != head.root:
        verdict.remarks.append(Remark(BROKEN, "root_differs", place))
    if not _is_signed(members, key):
        verdict.remarks.append(Remark(BROKEN, "signature_differs", head.size))
    same = [each for each in witnesses if each.size == head.size]
    verdict.remarks += [Remark(BROKEN, "witness_differs", each.size) for each in same if each != head]
    verdict.remarks += [] if same else [Remark(NOTE, "no_witness")]
    verdict.size, verdict.events = head.size, 1
    verdict.day, verdict.anchored, verdict.root = _day(members["anchor"]), head.size, head.root


def _witnessed(seen: Iterable[dict[str, Any]], key: str, head: dict[str, Any], verdict: Verdict) -> Iterator[Witness]:
    anchor = head.get("anchor")
    hub = anchor.get("hub") if isinstance(anchor, dict) else head.get("hub")
    for each in seen:
        witness = _genuine(each, key, hub)
        if witness is not None:
            yield witness
        else:
            verdict.remarks.append(Remark(BROKEN, "witness_invalid"))


def _genuine(members: object, key: str, hub: object) -> Witness | None:
    """The head in a signed anchor, when this hub signed it."""
    anchor = members.get("anchor") if isinstance(members, dict) else None
    if not isinstance(members, dict) or not isinstance(anchor, dict) or anchor.get("hub") != hub:
        return None
    return _witness(anchor) if _is_signed(members, key) else None


def _witness(anchor: object) -> Witness | None:
    """The head in an anchor, of whatever else it is made; None for what has none."""
    if not isinstance(anchor, dict):
        return None
    size, root, epoch = anchor.get("size"), anchor.get("root"), anchor.get("epoch")
    if type(size) is not int or not isinstance(root, str) or not isinstance(epoch, str):
        return None
    return Witness(size, root, epoch)


def _day(anchor: dict[str, Any]) -> str:
    day = str(anchor.get("day"))
    return day if re.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}", day) else "?"


def _is_signed(members: dict[str, Any], key: str) -> bool:
    """Whether the hub signed the anchor: Ed25519 over SHA-256 of `seere-anchor-1`, a newline, and its members."""
    try:
        text = json.dumps(members["anchor"], ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
        digest = hashlib.sha256(b"seere-anchor-1\n" + text).digest()
        signature = b64decode(members["sig"] + "==", altchars=b"-_", validate=True)
        VerifyKey(bytes.fromhex(key)).verify(digest, signature)
    except (CryptoError, ValueError, KeyError, TypeError):
        return False
    return True


def _parsed(line: bytes) -> dict[str, Any]:
    """The members in a line; none for what is no object."""
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def main(arguments: Sequence[str]) -> int:
    """Verify, write the remarks, give the exit code."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("log", type=Path)
    parser.add_argument("--key")
    parser.add_argument("--witness", type=Path, action="append", default=[])
    asked = parser.parse_args(arguments)
    witnesses = [line for path in asked.witness for line in path.read_bytes().splitlines()]
    with asked.log.open("rb") as lines:
        verdict = verify(lines, asked.key, witnesses)
    for remark in verdict.remarks:
        sys.stdout.write(f"{remark}\n")
    sys.stdout.write(f"size {verdict.size} events {verdict.events}\n")
    sys.stdout.write(f"anchor {verdict.day} {verdict.anchored} {verdict.root}\n" if verdict.root else "")
    return EXIT_CODES[verdict.level]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
