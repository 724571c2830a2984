"""Looking: who else has a case open now; it tells, and keeps nobody from anything."""

from collections.abc import Collection, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Final

from server.domain.desk import Desk
from server.domain.errors import Busy
from server.store import looks
from server.store.engine import Store
from server.store.looks import Look

# Whoever asked for no page of it for so long has turned to something else.
_LASTS: Final = timedelta(minutes=5)
# A page that is read again within a minute costs no write.
_AGAIN: Final = timedelta(minutes=1)


def others(store: Store, desk: Desk, complaints: Collection[int], *, is_writing: bool = False) -> list[Look]:
    """Who else has the case of these complaints open; that the actor has is noted for them.

    `complaints`: all of a case that the actor handles. `is_writing`: a form of it is open.
    """
    with store.read() as connection:
        found = looks.of(connection, complaints, desk.now - _LASTS)
    own = [each for each in found if each.account == desk.actor.id]
    if not any(each.is_writing == is_writing and desk.now - each.at < _AGAIN for each in own):
        # Others are told a minute later rather than this one be kept waiting.
        with suppress(Busy):
            _note(store, desk, min(complaints), own, is_writing=is_writing)
    return [each for each in found if each.account != desk.actor.id]


def _note(store: Store, desk: Desk, complaint: int, own: Sequence[Look], *, is_writing: bool) -> None:
    since = own[0].since if own else desk.now
    with store.write() as connection:
        looks.drop(connection, desk.now - _LASTS)
        looks.keep(connection, complaint, Look(desk.actor.id, "", since, desk.now, is_writing))
