"""What is signed from afar: orders to a device, by the hub and by an administrator; replies (PROTOCOL §6)."""

import hashlib
from datetime import datetime
from typing import Any, Final

from nacl.signing import SigningKey

from client_sync.protocol.canonical import canonical
from client_sync.protocol.frames import to_text
from client_sync.protocol.keyring import key_id

ORDER_DOMAIN: Final = b"seere-order-1\n"
ADMINISTRATOR_DOMAIN: Final = b"seere-administrator-1\n"
REPLY_DOMAIN: Final = b"seere-reply-1\n"


def order_digest(canonical_order: bytes) -> bytes:
    """What the hub signs of an order: 32 bytes."""
    return hashlib.sha256(ORDER_DOMAIN + canonical_order).digest()


def order_number(last: int, at: datetime) -> int:
    """The number of a new order to a device whose last was `last` (0 for none).

    The minutes since 1970, at least: a hub put back from a backup does not know of the last orders it gave, and a
    device obeys none that is not above its last.
    """
    return max(last + 1, int(at.timestamp()) // 60)


def order_body(kind: str, device: str, no: int, at: datetime, **members: Any) -> dict[str, Any]:
    """An order to a device, its `no`th, as it is signed; `members` are those of its kind. `at` is UTC."""
    return {"at": f"{at:%Y-%m-%dT%H:%M:%SZ}", "device": device, "kind": kind, "no": no} | members


def sign_order(body: dict[str, Any], hub_key: SigningKey) -> str:
    """The hub's signature of an order, as it goes on the wire."""
    return to_text(hub_key.sign(order_digest(canonical(body))).signature)


def administrator_signature(body: dict[str, Any], administrator: SigningKey) -> dict[str, str]:
    """The member `by` of an order: what an administrator signs of it, and with which key."""
    signature = administrator.sign(administrator_digest(canonical(body))).signature
    return {"kid": key_id(bytes(administrator.verify_key)), "sig": to_text(signature)}


def administrator_digest(canonical_order: bytes) -> bytes:
    """What an administrator signs of an order, as it is without the member `by`: 32 bytes."""
    return hashlib.sha256(ADMINISTRATOR_DOMAIN + canonical_order).digest()


def reply_digest(box: bytes) -> bytes:
    """What the hub signs of a sealed reply: 32 bytes."""
    return hashlib.sha256(REPLY_DOMAIN + box).digest()
