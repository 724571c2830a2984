"""Orders of the hub: obeyed when it signed them for this device, and only once (PROTOCOL §6)."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey

from client_sync.outbox import Outbox
from client_sync.protocol.canonical import Unreadable, canonical
from client_sync.protocol.frames import from_text
from client_sync.protocol.orders import order_digest
from client_sync.tables import Enrolled

REVOKE: Final = "revoke"
WIPE: Final = "wipe"


def obey(outbox: Outbox, orders: Iterable[Mapping[str, Any]]) -> list[str]:
    """Obey what the hub ordered; gives the kinds of the orders obeyed.

    After `wipe` the outbox is closed and nothing of the device is left. An order with a wrong signature, for
    another device, obeyed before, or of a kind that this version does not know is left alone.
    """
    obeyed: list[str] = []
    enrolled = outbox.require_enrolled()
    for signed in orders:
        order = _trusted(signed, enrolled)
        if order is None or order["kind"] not in (REVOKE, WIPE) or order["no"] <= outbox.link.last_order:
            continue
        obeyed.append(order["kind"])
        if order["kind"] == WIPE:
            # Keys first, while the file is still open: a kill after that leaves nothing to read.
            outbox.folder.wipe()
            outbox.close()
            break
        outbox.note(is_revoked=1, last_order=order["no"])
    return obeyed


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
