"""What a hub signs: orders to a device, and replies that a carrier brings (PROTOCOL §6)."""

import hashlib
from typing import Final

ORDER_DOMAIN: Final = b"seere-order-1\n"
REPLY_DOMAIN: Final = b"seere-reply-1\n"


def order_digest(canonical_order: bytes) -> bytes:
    """What the hub signs of an order: 32 bytes."""
    return hashlib.sha256(ORDER_DOMAIN + canonical_order).digest()


def reply_digest(box: bytes) -> bytes:
    """What the hub signs of a sealed reply: 32 bytes."""
    return hashlib.sha256(REPLY_DOMAIN + box).digest()
