"""A person's private keys: made with the account, closed by the passphrase, in hand for the length of a session."""

import hashlib
import json
from collections.abc import Iterable
from datetime import datetime
from typing import Final

from nacl.exceptions import CryptoError
from nacl.public import PrivateKey
from nacl.secret import SecretBox

from client_sync.protocol.frames import to_text
from client_sync.protocol.keyring import key_id
from server.domain.errors import PassphraseWrong
from server.domain.people import NO_KEYS, HeldKeys
from server.services.accounts import passphrases
from server.store import recipients
from server.store.recipients import KnownKey

HUB: Final = "hub"
_SESSION_DOMAIN: Final = b"seere-session-1"


def new_key(account_id: str, passphrase: str, now: datetime) -> tuple[KnownKey, HeldKeys]:
    """A new key pair of an account, its private part closed by the passphrase, and the same in hand."""
    private = PrivateKey.generate()
    public = bytes(private.public_key)
    slot = passphrases.close_slot(bytes(private), passphrase)
    made = KnownKey(key_id(public), account_id, HUB, to_text(public), slot, recipients.CURRENT, now)
    return made, HeldKeys({made.kid: bytes(private)})


def unwrap(kept: Iterable[KnownKey], passphrase: str) -> HeldKeys:
    """The keys that the passphrase opens; one that it does not is left out, so that its holder still gets in."""
    private: dict[str, bytes] = {}
    for each in kept:
        if each.slot is not None:
            try:
                private[each.kid] = passphrases.open_slot(each.slot, passphrase)
            except PassphraseWrong:
                continue
    return HeldKeys(private)


def seal_for_session(keys: HeldKeys, token: str) -> bytes | None:
    """The keys as the session's row holds them, readable with its token alone; None when there are none."""
    if not keys.private:
        return None
    text = json.dumps({kid: private.hex() for kid, private in keys.private.items()})
    return SecretBox(_session_key(token)).encrypt(text.encode())


def open_for_session(sealed: bytes | None, token: str) -> HeldKeys:
    """The keys that `seal_for_session` sealed for this token; none for what was sealed for another."""
    if sealed is None:
        return NO_KEYS
    try:
        members = json.loads(SecretBox(_session_key(token)).decrypt(sealed))
    except CryptoError:
        return NO_KEYS
    return HeldKeys({kid: bytes.fromhex(private) for kid, private in members.items()})


def _session_key(token: str) -> bytes:
    return hashlib.blake2b(token.encode(), digest_size=SecretBox.KEY_SIZE, person=_SESSION_DOMAIN).digest()
