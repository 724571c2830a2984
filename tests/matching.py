"""Complaints as devices report them with their linkage, and the matcher run in this process."""

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from nacl.public import PrivateKey

from client_sync.protocol.canonical import canonical
from client_sync.protocol.frames import to_text
from client_sync.protocol.linkage import SCHEME, linkage_keys
from client_sync.seal import seal_to
from server.hub import Hub
from server.services.duplicates import matching, turning
from server.services.duplicates.turning import Means
from server.store.match_tables import link
from server.store.schema import received
from server.store.unmatched import Waiting
from tests.builders import Sender, an_id, content, operation

NARRATIVE = (
    "Samedi au marché, les gendarmes du poste ont pris le mouton de Fanta Exemplaire parce qu'elle ne pouvait pas"
    " payer les quinze mille francs. Modibo Inventé a tout vu."
)
ENGLISH = (
    "On market day the gendarmes took the sheep of Fanta Exemplaire because she could not pay fifteen thousand"
    " francs. Modibo Invente saw everything."
)


def told(
    *,
    names: Sequence[str] = ("Fanta Exemplaire",),
    phone: str = "",
    narrative: str = NARRATIVE,
    said: str = "Kouakourou, près du marché",
    place: str = "",
) -> dict[str, Any]:
    """Clear compartments of a complaint: persons by number from 1, what happened and where."""
    persons = [{"no": number, "name": name} for number, name in enumerate(names, 1)]
    if phone:
        persons[0]["phone"] = phone
    traces: dict[str, Any] = {"said": said} | ({"place": {"id": place}} if place else {})
    return {
        "identity": {"clear": {"persons": persons}},
        "statement": {"clear": {"narrative": narrative, "lang": "fra"}},
        "traces": {"clear": traces},
    }


def linkage(sender: Sender, of: object, clear: Mapping[str, Any], *, seq: int = 1, **members: Any) -> bytes:
    """The line of the linkage that goes along with what a device says of the complaint called `of`."""
    bound = {"complaint": an_id(of), "lineage": sender.lineage}
    told = linkage_keys(clear) | bound | members.pop("inside", {})
    public = bytes(PrivateKey(sender.hub.secrets.linkage).public_key)
    whole = {"complaint": an_id(of), "v": SCHEME, "box": to_text(seal_to(public, canonical(told)))} | members
    return operation("linkage", f"linkage of {of} {seq} {sorted(clear)}", whole, seq=seq)


def report(sender: Sender, name: object, facts: Mapping[str, Any] | None = None, **clear: Any) -> int:
    """Send a complaint with its linkage; gives its id at the hub."""
    sender.send(operation("complaint", name, content(**(facts or {}))), linkage(sender, name, told(**clear)))
    return number_of(sender, name)


def number_of(sender: Sender, name: object) -> int:
    """The hub's id of a complaint."""
    select = sa.select(received.c.id).where(received.c.lineage == sender.lineage, received.c.client_id == an_id(name))
    with sender.hub.store.read() as connection:
        return connection.scalars(select).one()


def means(hub: Hub) -> Means:
    """What turning takes."""
    return Means(hub.secrets.pepper, hub.secrets.linkage, hub.gazetteer())


def match_all(hub: Hub, by: str = "1") -> int:
    """Match in this process, page by page, until nothing waits; gives how many complaints that were."""
    matching.keep_models(hub.store, hub.clock())
    done = 0
    while matching.is_any_waiting(hub.store, hub.clock()):
        done += len(match_page(hub, matching.claim(hub.store, by, hub.clock())))
    return done


def match_page(hub: Hub, page: Sequence[Waiting], by: Means | None = None) -> list[Waiting]:
    """Both steps for a page that was claimed; `by` other means than those of the hub."""
    kept = turn_page(hub, page, by)
    find_links(hub, kept, by)
    return kept


def turn_page(hub: Hub, page: Sequence[Waiting], by: Means | None = None) -> list[Waiting]:
    """The first step."""
    with hub.store.read() as connection:
        turned = turning.turn(connection, page, by or means(hub))
    return turning.keep(hub.store, turned, hub.clock())


def find_links(hub: Hub, page: Sequence[Waiting], by: Means | None = None) -> None:
    """The second step."""
    with hub.store.read() as connection:
        matched = matching.match(connection, page, matching.models_of(connection), by or means(hub))
    matching.keep(hub.store, matched, hub.clock())


def links(hub: Hub) -> dict[tuple[int, int, str], Any]:
    """Every link but those of a sample that nobody is shown for itself, by its complaints and relation."""
    with hub.store.read() as connection:
        rows = connection.execute(sa.select(link).where(link.c.band != "silent")).all()
    return {(row.a, row.b, row.relation): row for row in rows}
