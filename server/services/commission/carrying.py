"""Carrying: names of a package are opened where their key is, on no hub, and come back for this package alone.

Out go sealed identities, with a key that the hub drew for this once; back come the names, which nobody but who has the
other key can have made, and nobody but the hub opens. Neither file shows anything to who finds it.
"""

import hashlib
import hmac
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

import sqlalchemy as sa
from nacl.exceptions import CryptoError
from nacl.public import Box, PrivateKey, PublicKey
from nacl.secret import SecretBox

from client_sync.protocol.canonical import Unreadable, canonical, parse
from client_sync.protocol.frames import from_text, to_text
from client_sync.protocol.keyring import key_id
from client_sync.protocol.words import to_words
from client_sync.seal import Binding, Unopenable, open_part, open_record_key
from server.domain.desk import Desk
from server.domain.errors import PackageRefused
from server.domain.packages import Number
from server.services.commission import preparing
from server.services.commission.preparing import Package, Prepared
from server.store import packages, recipients
from server.store.engine import Store
from server.store.recipients import REMOVED

# For this long names may come back.
VALID: Final = timedelta(hours=72)
_OUT: Final = "seere package identities 1"
_BACK: Final = "seere package names 1"
_PURPOSE: Final = b"package names\0"
# 64 bits: what a person types tells this file from any that somebody else can make.
_FINGERPRINT_BYTES: Final = 8
# Of a person, no more than stands in a line.
_MEMBERS: Final = ("name", "no", "phone")


class Carried(Protocol):
    """A sealed identity as the vault gives it, with the keys that open it elsewhere."""

    @property
    def record(self) -> str:
        """The id of the operation that carries it."""

    @property
    def lineage(self) -> str:
        """Which lineage made that."""

    @property
    def box(self) -> bytes:
        """What is sealed."""

    @property
    def keys(self) -> Mapping[str, bytes]:
        """By key id, the record key; empty where the person has none."""


# Sealed identities of those complaints that don't open here, for a package by its number; logs that they go.
Carry = Callable[[Sequence[int], str], Mapping[int, Carried]]


@dataclass(frozen=True)
class Handed:
    """A file for the machine where the key is: `words` tell it from any other; `names`: how many it has."""

    file: bytes = field(repr=False)
    words: str
    until: datetime
    names: int


@dataclass(frozen=True)
class Names:
    """Names as they come back, in a file for the hub, and of which package they are."""

    file: bytes = field(repr=False)
    package: str
    names: int


def hand_over(store: Store, desk: Desk, pepper: bytes, prepared: Prepared, carry: Carry) -> Handed:
    """The sealed identities that a package needs and that don't open here, for a key that this person has elsewhere.

    It takes the place of what was handed over of this package before. Raises PackageRefused: `unopenable` where there
    is one for which this person has no key anywhere, `names_here` where all of them open here.
    """
    package, named = prepared.package, {each.complaint: each for each in prepared.choice.named}
    found = carry(list(named), package.number.text)
    for id, each in found.items():
        if not each.keys:
            raise PackageRefused(fault="unopenable", ref=named[id].ref)
    if not found:
        raise PackageRefused(fault="names_here", number=package.number.text)
    private, until = PrivateKey.generate(), desk.now + VALID
    with store.write() as connection:
        people = packages.people_named(connection, list(found))
        _keep(connection, pepper, package.number, private, _Bound(desk.actor.id, prepared.choice.digest(), until))
        preparing.note(connection, desk, "package_hand_over", package, {"names": len(found)})
    said = {
        "choice": prepared.choice.digest(),
        "kind": _OUT,
        "lines": [_line(named[id].ref, each, people.get(id, frozenset())) for id, each in found.items()],
        "package": package.number.text,
        "to": to_text(bytes(private.public_key)),
        "until": until.isoformat(),
    }
    file = canonical(said)
    return Handed(file, words_of(file), until, len(found))


def words_of(file: bytes) -> str:
    """What the hub shows of a file that it hands over, and a person types where it is opened: eight words."""
    return " ".join(to_words(hashlib.sha256(file).digest()[:_FINGERPRINT_BYTES]))


def open_names(file: bytes, private: bytes, typed: str) -> Names:
    """What a hub handed over, opened by an X25519 private key of 32 bytes; needs no hub.

    `typed` are the words that the hub showed: else somebody on the way could have names sealed to a key of their own.
    Raises PackageRefused: `names_unreadable`, `names_words`, `names_key` where it is for another key, `unopenable`.
    """
    said = _read(file, _OUT)
    if typed.lower().split() != words_of(file).split():
        raise PackageRefused(fault="names_words")
    try:
        names = dict(_opened(said["lines"], private))
        clear = {name: said[name] for name in ("choice", "package", "until")} | {"names": names}
        to = PublicKey(from_text(said["to"]))
    except (KeyError, TypeError, ValueError, AttributeError):
        raise PackageRefused(fault="names_unreadable") from None
    key = PrivateKey(private)
    back = {
        "box": to_text(bytes(Box(key, to).encrypt(canonical(clear)))),
        "kid": key_id(bytes(key.public_key)),
        "kind": _BACK,
        "package": said["package"],
        "to": said["to"],
    }
    return Names(canonical(back), said["package"], len(names))


def take_in(store: Store, desk: Desk, pepper: bytes, prepared: Prepared, file: bytes) -> dict[int, Mapping[str, Any]]:
    """The identities that came back for a package, by complaint: of each those alone whom a line names.

    Raises PackageRefused: `names_unreadable`; `names_other` for those of another package; `names_old` where they were
    handed over to somebody else, or too long ago, or the package says something else since, or was handed over again;
    `names_altered` for what this person's key did not seal.
    """
    said, package = _read(file, _BACK), prepared.package
    number = package.number.text
    if said.get("package") != number:
        raise PackageRefused(fault="names_other", number=number, other=str(said.get("package")))
    with store.read() as connection:
        private, bound = _kept(connection, pepper, package.number)
        public = {each.kid: each.public for each in recipients.listed(connection) if _is_own(each, desk)}
    is_it = (bound.account, bound.choice) == (desk.actor.id, prepared.choice.digest()) and desk.now <= bound.until
    if not is_it or said.get("to") != to_text(bytes(private.public_key)):
        raise PackageRefused(fault="names_old", number=number)
    try:
        box = Box(private, PublicKey(from_text(public[said["kid"]])))
        names: dict[str, Any] = parse(box.decrypt(from_text(said["box"])))["names"]
    except (CryptoError, Unreadable, KeyError, TypeError, ValueError):
        raise PackageRefused(fault="names_altered", number=number) from None
    refs = {each.ref: each.complaint for each in prepared.choice.named}
    return {refs[ref]: {"persons": persons} for ref, persons in names.items() if ref in refs}


def forget_old(store: Store, now: datetime) -> int:
    """Forget what opens names that may not come back any more; gives of how many packages."""
    with store.write() as connection:
        old = _old(connection, now)
        for each in old:
            packages.drop_names_key(connection, each.number)
    return len(old)


def is_any_old(store: Store, now: datetime) -> bool:
    """Whether there is something to forget."""
    with store.read() as connection:
        return bool(_old(connection, now))


@dataclass(frozen=True)
class _Bound:
    """To whom something was handed over, of which choice, and until when the names may come back."""

    account: str
    choice: str
    until: datetime


def _keep(connection: sa.Connection, pepper: bytes, number: Number, private: PrivateKey, bound: _Bound) -> None:
    box = SecretBox(_key(pepper, number)).encrypt(bytes(private))
    said = {"account": bound.account, "choice": bound.choice, "until": bound.until.isoformat(), "box": to_text(box)}
    packages.keep_names_key(connection, number, json.dumps(said))


def _kept(connection: sa.Connection, pepper: bytes, number: Number) -> tuple[PrivateKey, _Bound]:
    """Raises PackageRefused (`names_old`) where nothing of it is out."""
    kept = packages.names_key(connection, number)
    if kept is None:
        raise PackageRefused(fault="names_old", number=number.text)
    said = json.loads(kept)
    private = PrivateKey(SecretBox(_key(pepper, number)).decrypt(from_text(said["box"])))
    return private, _Bound(said["account"], said["choice"], datetime.fromisoformat(said["until"]))


def _old(connection: sa.Connection, now: datetime) -> list[Package]:
    """Packages that are prepared, of which names may not come back any more."""
    made = [each for each in packages.listed(connection) if each.state == "prepared"]
    kept = {each.id: packages.names_key(connection, each.number) for each in made}
    ends = {id: datetime.fromisoformat(json.loads(text)["until"]) for id, text in kept.items() if text is not None}
    return [each for each in made if each.id in ends and ends[each.id] < now]


def _key(pepper: bytes, number: Number) -> bytes:
    return hmac.digest(pepper, _PURPOSE + number.text.encode(), "sha256")


def _is_own(key: recipients.KnownKey, desk: Desk) -> bool:
    return key.account == desk.actor.id and key.state != REMOVED


def _line(ref: str, each: Carried, persons: frozenset[int]) -> dict[str, Any]:
    return {
        "box": to_text(each.box),
        "keys": {kid: to_text(box) for kid, box in each.keys.items()},
        "lineage": each.lineage,
        "persons": sorted(persons),
        "record": each.record,
        "ref": ref,
    }


def _opened(lines: Sequence[Mapping[str, Any]], private: bytes) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """By reference, those of an identity whom a line names. Raises PackageRefused: `names_key`, `unopenable`."""
    kid = key_id(bytes(PrivateKey(private).public_key))
    for each in lines:
        if kid not in each["keys"]:
            raise PackageRefused(fault="names_key")
        binding = Binding(each["record"], each["lineage"])
        try:
            record_key = open_record_key(from_text(each["keys"][kid]), private)
            clear = parse(open_part(from_text(each["box"]), record_key, "identity", binding))
        except (Unopenable, Unreadable):
            raise PackageRefused(fault="unopenable", ref=each["ref"]) from None
        known = clear.get("persons") if isinstance(clear, dict) else None
        told = known if isinstance(known, list) else []
        persons = [one for one in told if isinstance(one, dict) and one.get("no") in each["persons"]]
        yield each["ref"], [{name: one[name] for name in _MEMBERS if name in one} for one in persons]


def _read(file: bytes, kind: str) -> dict[str, Any]:
    try:
        said = parse(file)
    except Unreadable:
        raise PackageRefused(fault="names_unreadable") from None
    if not isinstance(said, dict) or said.get("kind") != kind:
        raise PackageRefused(fault="names_unreadable")
    return said
