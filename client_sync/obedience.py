"""Orders from afar: obeyed when signed for this device by whom they need, and only once (PROTOCOL §6)."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey

from client_sync.outbox import Outbox
from client_sync.protocol import keyring as keyrings
from client_sync.protocol.canonical import Unreadable, canonical
from client_sync.protocol.frames import from_text
from client_sync.protocol.keyring import KeyringRefused, key_id
from client_sync.protocol.orders import administrator_digest, order_digest
from client_sync.tables import Enrolled

REVOKE: Final = "revoke"
WIPE: Final = "wipe"
KEYRING: Final = "keyring"
# A keyring that the hub ordered and the organisation's root key did not sign, or an old one put back.
KEYRING_REFUSED: Final = "keyring_refused"
# No order of the hub: what a device does by itself once it was wiped and everything is safe elsewhere.
ERASED: Final = "erased"


def obey(outbox: Outbox, orders: Iterable[Mapping[str, Any]]) -> list[str]:
    """Obey what was ordered; gives the kinds of the orders obeyed, and `erased` when nothing of the device is left.

    A keyring is followed when the pinned root key signed it and it is newer; else `keyring_refused` is given in its
    place, and the one at hand stands.

    `wipe` takes drafts and replies at once. The outbox stays as long as anything in it may be nowhere else, and
    goes on being sent; then it goes too, and is closed. An order with a wrong signature, for another device, obeyed
    before, or of a kind that this version does not know is left alone; so is a wipe that no administrator signed.
    """
    obeyed: list[str] = []
    for signed in orders:
        enrolled = outbox.require_enrolled()
        order = _trusted(signed, enrolled)
        if order is None or order["no"] <= outbox.link.last_order:
            continue
        if order["kind"] == REVOKE:
            # Nothing else comes down from now on, not even that a task is taken back.
            outbox.tasks.forget()
            outbox.note(is_revoked=int(not outbox.link.is_wiped), last_order=order["no"])
        elif order["kind"] == WIPE and _is_by_administrator(order, _administrators(enrolled)):
            _wipe(outbox, order["no"])
        elif order["kind"] == KEYRING:
            obeyed.append(_follow(outbox, enrolled, order))
            continue
        else:
            continue
        obeyed.append(order["kind"])
    return obeyed + ([ERASED] if _let_go(outbox) else [])


def _wipe(outbox: Outbox, no: int) -> None:
    """Keys first: after a kill the order comes again, and by then nothing is left to read."""
    outbox.folder.wipe_vault()
    outbox.received.forget()
    outbox.tasks.forget()
    # A revoked device sends nothing; a wiped one brings away what only it has.
    outbox.note(is_wiped=1, is_revoked=0, last_order=no)


def _follow(outbox: Outbox, enrolled: Enrolled, order: Mapping[str, Any]) -> str:
    """Take the keyring of an order; which of the two came of it. The one at hand may come again, after an enrolment."""
    document = canonical(order.get("keyring")).decode()
    try:
        standing = keyrings.read(enrolled.keyring.encode(), enrolled.root)
        if document != enrolled.keyring:
            keyrings.read(document.encode(), enrolled.root, standing.version + 1)
    except KeyringRefused:
        outbox.note(last_order=order["no"])
        return KEYRING_REFUSED
    with outbox.writing():
        outbox.keep_keyring(document)
        outbox.note(last_order=order["no"])
    return KEYRING


def _let_go(outbox: Outbox) -> bool:
    """Erase a wiped device whose outbox is in a backup of the hub to the last record."""
    if not outbox.link.is_wiped or outbox.holds_last_copies():
        return False
    # While the file is still open: a kill after the keys leaves nothing to read.
    outbox.folder.wipe()
    outbox.close()
    return True


def _trusted(signed: Mapping[str, Any], enrolled: Enrolled) -> Mapping[str, Any] | None:
    """The order, when the hub signed it for this device."""
    order = signed.get("order")
    if not isinstance(order, dict) or order.get("device") != enrolled.device:
        return None
    no = order.get("no")
    if not isinstance(order.get("kind"), str) or not isinstance(no, int) or isinstance(no, bool):
        return None
    try:
        VerifyKey(enrolled.hub_sign_key).verify(order_digest(canonical(order)), from_text(signed.get("sig")))
    except (BadSignatureError, ValueError, Unreadable):
        return None
    return order


def _is_by_administrator(order: Mapping[str, Any], administrators: Mapping[str, bytes]) -> bool:
    """Whether an administrator of the keyring signed it as well: who holds the hub alone can't wipe devices."""
    by = order.get("by")
    if not isinstance(by, dict) or (public := administrators.get(str(by.get("kid")))) is None:
        return False
    signed = {name: value for name, value in order.items() if name != "by"}
    try:
        VerifyKey(public).verify(administrator_digest(canonical(signed)), from_text(by.get("sig")))
    except (BadSignatureError, ValueError):
        return False
    return True


def _administrators(enrolled: Enrolled) -> dict[str, bytes]:
    """The public keys of the administrators, by their ids; none without a keyring to trust."""
    keyring = enrolled.trusted_keyring
    return {} if keyring is None else {key_id(public): public for public in keyring.administrators}
