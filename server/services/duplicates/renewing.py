"""Renewing: complaints that are matched again because their scheme is old, because that went wrong, or by what a
person opened of them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from uuid import uuid4

from nacl.public import PrivateKey

from client_sync.protocol.canonical import canonical
from client_sync.protocol.frames import to_text
from client_sync.protocol.linkage import SCHEME, linkage_keys
from client_sync.seal import seal_to
from server.domain.matching import profiles
from server.store import duplicates, linkages, unmatched
from server.store.engine import Store
from server.store.linkages import Linkage
from server.store.unmatched import Waiting

# Put in the list at once: few, as intake waits meanwhile.
_PAGE: Final = 500


def await_old(store: Store, after: int) -> int | None:
    """Have the next complaints whose profile is of another scheme matched again, behind whatever is new.

    `after`: 0, then what the call before gave; None where there is none left.
    """
    with store.write() as connection:
        found = unmatched.renew_old(connection, profiles.SCHEME, after, _PAGE)
    return found[-1] if found else None


def note_failure(store: Store, waiting: Waiting) -> None:
    """Count that matching a complaint went wrong."""
    with store.write() as connection:
        unmatched.note_failure(connection, waiting)


def retell(
    store: Store, linkage: bytes, complaint: int, compartment: str, clear: Mapping[str, Any], now: datetime
) -> None:
    """Have a complaint matched by a compartment that a person opened, where its profile has nothing of that one.

    So it is after a change of scheme, a failure, or a restore. `linkage`: the private linkage key of the hub.
    """
    with store.read() as connection:
        if linkages.unheard(connection, complaint, compartment) is None:
            return
    with store.write() as connection:
        origin = linkages.unheard(connection, complaint, compartment)
        if origin is not None:
            bound = {"complaint": origin.client_id, "lineage": origin.lineage}
            keys = linkage_keys({compartment: {"clear": clear}}) | bound
            box = to_text(seal_to(bytes(PrivateKey(linkage).public_key), canonical(keys)))
            told = Linkage(str(uuid4()), origin.client_id, origin.seq, SCHEME, box)
            linkages.keep(connection, origin.device, origin.lineage, told, now)
            unmatched.renew(connection, complaint)


def poor_share(store: Store) -> float:
    """Of all complaints that were matched, the share that was matched by less than its device told."""
    with store.read() as connection:
        return duplicates.poor_share(connection, profiles.SCHEME)
