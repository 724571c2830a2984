"""Noticing: what somebody is to hear, by what it is about; whoever was shown it has heard it."""

from dataclasses import dataclass

from server.domain.desk import Desk
from server.store import cases, devices, notices
from server.store.engine import Store
from server.store.notices import Notice


@dataclass(frozen=True)
class Heard:
    """A notice with the reference of its case and the label of its device, each empty where it is about none."""

    notice: Notice
    ref: str
    label: str


def hear(store: Store, desk: Desk, limit: int, *, with_read: bool = False) -> list[Heard]:
    """At most `limit` notices for the actor, the last first, which are read from now on; `with_read`: also those that
    were before."""
    with store.write() as connection:
        found = notices.of_account(connection, desk.actor.id, limit, with_read=with_read)
        notices.read(connection, desk.actor.id, [each.id for each in found], desk.now)
        files = cases.find(connection, {each.casefile for each in found if each.casefile is not None})
        labels = {each.id: each.label for each in devices.listed(connection)}
    return [
        Heard(each, files[each.casefile].ref if each.casefile in files else "", labels.get(each.device or "", ""))
        for each in found
    ]
