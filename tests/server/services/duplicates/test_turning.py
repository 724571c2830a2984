"""Whose linkage counts: the last word of the complaint's own lineage, of another's what that one never spoke of."""

import json
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from nacl.public import PrivateKey

from client_sync.protocol.frames import from_text, to_text
from client_sync.seal import open_envelope, seal_to
from server.domain.matching import profiles
from server.hub import Hub
from server.services import maintenance
from server.services.duplicates.turning import parts_of
from server.store import devices, duplicates
from server.store.match_tables import match_pending, match_profile, match_told
from server.store.schema import event, linkage_pending
from tests.builders import NOW, STORED, Sender, complaint, enrolled, operation, verdicts
from tests.matching import linkage, match_all, means, number_of, told

AWA, MODIBO, OUMAR = "Awa Exemple", "Modibo Inventé", "Oumar Autrement"


@pytest.fixture
def owner(own_hub: Hub) -> Sender:
    return enrolled(own_hub, "Gao 1", team="gao")


@pytest.fixture
def colleague(own_hub: Hub) -> Sender:
    return enrolled(own_hub, "Gao 2", team="gao")


def named(name: str) -> dict[str, Any]:
    """An identity of one person."""
    return {"identity": {"clear": {"persons": [{"no": 1, "name": name}]}}}


def send_names(sender: Sender, name: str, seq: int, **about: str) -> None:
    """Send what an identity says, at that counter, and have it turned."""
    assert verdicts(sender.send(linkage(sender, "a", named(name), seq=seq, **about))) == [STORED]
    match_all(sender.hub)


def profile(owner: Sender) -> profiles.Profile:
    """The profile of the complaint called a."""
    number = number_of(owner, "a")
    with owner.hub.store.read() as connection:
        kept = duplicates.kept(connection, [number])[number]
    found = means(owner.hub).features.open(number, kept.features)
    assert found is not None
    return found


def names_of(hub: Hub, *names: str) -> dict[str, tuple[int, ...]]:
    """How names of persons stand in a profile."""
    return profiles.of_identity(list(enumerate(names, 1)), [], hub.secrets.pepper).names()


def test_older_linkage_that_comes_late_changes_nothing(owner: Sender) -> None:
    owner.send(complaint("a"))
    send_names(owner, AWA, 5)
    send_names(owner, MODIBO, 2)
    assert profile(owner).names() == names_of(owner.hub, AWA)
    send_names(owner, OUMAR, 6)
    assert profile(owner).names() == names_of(owner.hub, OUMAR)


def test_counter_of_a_device_that_was_put_back_tells_no_order(owner: Sender) -> None:
    owner.send(complaint("a"))
    send_names(owner, AWA, 5)
    with owner.hub.store.write() as connection:
        devices.update(connection, owner.device, rolled_back_at=NOW)
    send_names(owner, MODIBO, 2)
    assert profile(owner).names() == names_of(owner.hub, MODIBO)


def test_successor_speaks_after_the_device_before_it(owner: Sender) -> None:
    owner.send(complaint("a"))
    send_names(owner, AWA, 50)
    successor = enrolled(owner.hub, "Gao 1 bis", team="gao", succeeds=owner)
    send_names(successor, MODIBO, 1)
    send_names(owner, OUMAR, 51)
    assert profile(owner).names() == names_of(owner.hub, MODIBO)


@pytest.mark.parametrize("emptied", [False, True])
def test_colleagues_linkage_replaces_nothing_of_the_owners(owner: Sender, colleague: Sender, emptied: bool) -> None:
    owner.send(complaint("a"), linkage(owner, "a", told(names=(AWA,))))
    match_all(owner.hub)
    before = profile(owner)
    other = told(names=(OUMAR,), narrative="Un champ fut vendu.")
    clear = {name: {"clear": {}} for name in other} if emptied else other
    colleague.send(linkage(colleague, "a", clear, seq=90, lineage=owner.lineage))
    match_all(owner.hub)
    assert profile(owner) == before


def test_colleague_tells_what_the_owner_did_not_until_the_owner_does(owner: Sender, colleague: Sender) -> None:
    traces = {"traces": told()["traces"]}
    owner.send(complaint("a"), linkage(owner, "a", traces))
    send_names(colleague, MODIBO, 7, lineage=owner.lineage)
    assert profile(owner).names() == names_of(owner.hub, MODIBO)
    other = enrolled(owner.hub, "Gao 3", team="gao")
    send_names(other, OUMAR, 9, lineage=owner.lineage)
    send_names(colleague, OUMAR, 6, lineage=owner.lineage)
    assert profile(owner).names() == names_of(owner.hub, MODIBO)
    send_names(owner, AWA, 2)
    assert profile(owner).names() == names_of(owner.hub, AWA)


def test_nobody_else_speaks_where_what_was_said_is_of_another_scheme(owner: Sender, colleague: Sender) -> None:
    owner.send(complaint("a"))
    send_names(owner, AWA, 5)
    with owner.hub.store.write() as connection:
        connection.execute(sa.update(match_profile).values(scheme=0))
    send_names(colleague, OUMAR, 9, lineage=owner.lineage)
    assert profile(owner).names() == {}
    send_names(owner, MODIBO, 6)
    assert profile(owner).names() == names_of(owner.hub, MODIBO)


@pytest.mark.parametrize("is_turned", [False, True])
def test_after_three_failures_what_colleagues_said_goes_and_what_the_owner_said_stays(
    owner: Sender, colleague: Sender, is_turned: bool
) -> None:
    traces = {"traces": told()["traces"]}
    owner.send(complaint("a"), linkage(owner, "a", named(AWA)))
    colleague.send(linkage(colleague, "a", traces, seq=90, lineage=owner.lineage))
    if is_turned:
        match_all(owner.hub)
        assert profile(owner).villages()
        colleague.send(linkage(colleague, "a", traces, seq=91, lineage=owner.lineage))
    _fail(owner, 3)
    match_all(owner.hub)
    assert (profile(owner).names(), profile(owner).villages()) == (names_of(owner.hub, AWA), ())
    colleague.send(linkage(colleague, "a", traces, seq=92, lineage=owner.lineage))
    match_all(owner.hub)
    assert profile(owner).villages() == ()


def test_colleague_who_sends_another_linkage_keeps_the_owners_from_no_turn(owner: Sender, colleague: Sender) -> None:
    owner.send(complaint("a"), linkage(owner, "a", named(AWA)))
    _fail(owner, 3)
    colleague.send(linkage(colleague, "a", {"traces": told()["traces"]}, seq=90, lineage=owner.lineage))
    match_all(owner.hub)
    assert (profile(owner).names(), profile(owner).villages()) == (names_of(owner.hub, AWA), ())


def test_what_the_owner_said_goes_after_six_failures_and_comes_back_with_its_next_word(owner: Sender) -> None:
    owner.send(complaint("a"), linkage(owner, "a", named(AWA)))
    _fail(owner, 6)
    match_all(owner.hub)
    assert profile(owner).names() == {}
    send_names(owner, MODIBO, 5)
    assert profile(owner).names() == names_of(owner.hub, MODIBO)


def test_colleagues_flood_crowds_out_no_linkage_of_the_owner(owner: Sender, colleague: Sender) -> None:
    flood = [linkage(colleague, "a", named(OUMAR), seq=seq, lineage=owner.lineage) for seq in range(100, 140)]
    owner.send(complaint("a"), linkage(owner, "a", named(AWA)))
    colleague.send(*flood)
    match_all(owner.hub)
    assert profile(owner).names() == names_of(owner.hub, AWA)


def test_true_is_no_number(owner: Sender) -> None:
    said = {"identity": {"names": [[True, AWA], [2, MODIBO]]}, "statement": {"sums": [True, 7]}}
    only = {"identity": {"names": [[2, MODIBO]]}, "statement": {"sums": [7]}}
    pepper = owner.hub.secrets.pepper
    assert parts_of(said, None, pepper) == parts_of(only, None, pepper)


def test_colleagues_linkage_under_the_same_id_takes_no_place(owner: Sender, colleague: Sender) -> None:
    line = linkage(owner, "a", named(AWA))
    theirs = json.loads(linkage(colleague, "a", named(OUMAR), lineage=owner.lineage))
    owner.send(complaint("a"), line)
    colleague.send(operation("linkage", "linkage of a 1 ['identity']", theirs["content"]))
    match_all(owner.hub)
    assert profile(owner).names() == names_of(owner.hub, AWA)


@pytest.mark.parametrize("whose", ["replayed", "unbound"])
def test_box_says_nothing_under_another_lineage(owner: Sender, colleague: Sender, whose: str) -> None:
    content = json.loads(linkage(owner, "a", named(AWA)))["content"]
    if whose == "unbound":
        inside = json.loads(open_envelope(from_text(content["box"]), owner.hub.secrets.linkage))
        del inside["lineage"]
        public = bytes(PrivateKey(owner.hub.secrets.linkage).public_key)
        content["box"] = to_text(seal_to(public, json.dumps(inside).encode()))
    colleague.send(complaint("a"), operation("linkage", "l", content))
    match_all(owner.hub)
    assert profile(colleague).names() == {}
    with owner.hub.store.read() as connection:
        said = connection.scalars(sa.select(event.c.canonical).where(event.c.action == "linkage_dropped")).one()
    assert colleague.lineage.encode() in said


def test_linkage_without_a_complaint_goes_after_a_day_and_is_counted(owner: Sender) -> None:
    owner.send(linkage(owner, "none", named(AWA)), complaint("a"), linkage(owner, "a", named(AWA)))
    assert _upkeep(owner.hub, hours=23) == (2, [])
    assert _upkeep(owner.hub, hours=25) == (1, [1])
    match_all(owner.hub)
    assert profile(owner).names() == names_of(owner.hub, AWA)


def test_linkage_of_what_is_set_aside_waits_for_the_repair_and_not_for_ever(owner: Sender) -> None:
    ahead = complaint("a", entered_at="2029-10-06T18:40:12Z")
    assert [each.verdict for each in verdicts(owner.send(ahead, linkage(owner, "a", named(AWA))))] == [
        "quarantined", "stored",
    ]  # fmt: skip
    assert _upkeep(owner.hub, hours=29 * 24) == (1, [])
    owner.send(complaint("b"), linkage(owner, "b", named(AWA)))
    assert _upkeep(owner.hub, hours=31 * 24) == (1, [1])


def test_linkage_comes_with_its_complaint_once_that_is_put_right(owner: Sender) -> None:
    ahead = complaint("a", entered_at="2029-10-06T18:40:12Z")
    owner.send(ahead, linkage(owner, "a", named(AWA)))
    _upkeep(owner.hub, hours=48)
    assert verdicts(owner.send(complaint("a"))) == [STORED]
    match_all(owner.hub)
    assert profile(owner).names() == names_of(owner.hub, AWA)


def test_erased_complaint_leaves_nobodys_word(owner: Sender) -> None:
    owner.send(complaint("a"))
    send_names(owner, AWA, 5)
    with owner.hub.store.write() as connection:
        duplicates.remove(connection, number_of(owner, "a"))
    assert _count(owner.hub, match_told) == 0


def _fail(owner: Sender, count: int) -> None:
    """Have matching the complaint called a go wrong so often."""
    number = number_of(owner, "a")
    with owner.hub.store.write() as connection:
        where = match_pending.c.complaint == number
        connection.execute(sa.update(match_pending).where(where).values(attempts=count))


def _upkeep(hub: Hub, *, hours: int) -> tuple[int, list[int]]:
    """What waits after the upkeep of so many hours later, and how many linkages it said to have dropped."""
    maintenance.upkeep(hub.store, NOW + timedelta(hours=hours), 60)
    with hub.store.read() as connection:
        said = [json.loads(each) for each in connection.scalars(sa.select(event.c.canonical)) if b'"upkeep"' in each]
    dropped = [each["details"]["linkages"] for each in said if each["details"]["linkages"]]
    return _count(hub, linkage_pending), dropped


def _count(hub: Hub, table: sa.Table) -> int:
    with hub.store.read() as connection:
        return connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0
