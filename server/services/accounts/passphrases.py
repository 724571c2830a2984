"""Passphrases: hashed to be compared with, stretched to close a private key; a few at a time."""

import json
import secrets
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from threading import BoundedSemaphore, Lock
from typing import Final

from nacl import pwhash
from nacl.exceptions import InvalidkeyError as KeyDiffers

from client_sync.protocol.words import to_words
from server import slots
from server.domain.errors import Busy
from server.domain.passphrase import is_too_long, normal_bytes
from server.slots import Hardness

# OWASP, Password Storage Cheat Sheet: argon2id with 19 MiB and 2 passes.
HARDNESS: Final = Hardness(passes=2, memory_bytes=19 * 2**20)
# Logins must take neither the memory of the machine nor all of its threads.
AT_ONCE: Final = 4
_PATIENCE_S: Final = 2.0
# Half the threads of a hub: who floods the login from one address leaves the others theirs.
TRIES_FROM_ONE: Final = 4
# A byte each: 64 bits that are stretched, wait for each other and run out within days.
_SIGN_UP_WORDS: Final = 8

# Of words that nobody knows: what is compared with where there is no account, at the same cost.
NOBODYS: Final = "$argon2id$v=19$m=19456,t=2,p=1$EURABTTMjEh01pp2/WGnWA$I4MzoFBoEQ0A/oE7ubcpa9jttDey+VJHmsXg49r3k40"

_hashings = BoundedSemaphore(AT_ONCE)
_tries: Final[Counter[str]] = Counter()
_counting: Final = Lock()


def sign_up_words() -> str:
    """A passphrase of sign-up words, drawn at random, for somebody who is to choose one."""
    return " ".join(to_words(secrets.token_bytes(_SIGN_UP_WORDS)))


def hashed(passphrase: str) -> str:
    """The passphrase as it is kept: an argon2id text with its own salt. Raises Busy when too many are at it."""
    with _hashing():
        kept = pwhash.argon2id.str(normal_bytes(passphrase), opslimit=HARDNESS.passes, memlimit=HARDNESS.memory_bytes)
    return kept.decode("ascii")


def is_right(kept: str | None, passphrase: str) -> bool:
    """Whether it is the passphrase that was kept; never where none is (None), which costs as much to find out.

    One that is too long to have been accepted is not hashed, whoever it is for. Raises Busy as `hashed` does.
    """
    if is_too_long(passphrase):
        return False
    with _hashing():
        try:
            pwhash.argon2id.verify((kept or NOBODYS).encode("ascii"), normal_bytes(passphrase))
        except KeyDiffers:
            return False
    return kept is not None


def close_slot(private: bytes, passphrase: str) -> bytes:
    """A private key that only the passphrase opens. Raises Busy as `hashed` does."""
    with _hashing():
        return json.dumps(slots.close_slot(private, passphrase, HARDNESS)).encode()


def open_slot(slot: bytes, passphrase: str) -> bytes:
    """The private key in a slot. Raises PassphraseWrong, and Busy as `hashed` does."""
    with _hashing():
        return slots.open_slot(json.loads(slot), passphrase)


@contextmanager
def in_turn(origin: str) -> Iterator[None]:
    """A try that comes from there. Raises Busy, without waiting, when too many from there are at it."""
    with _counting:
        if _tries[origin] >= TRIES_FROM_ONE:
            raise Busy
        _tries[origin] += 1
    try:
        yield
    finally:
        with _counting:
            _tries[origin] -= 1
            if not _tries[origin]:
                del _tries[origin]


@contextmanager
def _hashing() -> Iterator[None]:
    if not _hashings.acquire(timeout=_PATIENCE_S):
        raise Busy
    try:
        yield
    finally:
        _hashings.release()
