"""Which consent stands: the last word of the device that recorded the complaint; another's takes back, gives none."""

from typing import Any

import pytest
import sqlalchemy as sa

from server.hub import Hub
from server.services.intake import admission
from server.store import complaints, devices
from server.store.schema import complaint as complaint_table
from server.store.schema import received
from tests.builders import (
    NOW,
    STORED,
    Sender,
    Verdict,
    an_id,
    complaint,
    enrolled,
    facts,
    operation,
    verdicts,
)

HEARD = Verdict("conflict", "field_changed_twice", "facts.consent")


@pytest.fixture
def owner(own_hub: Hub) -> Sender:
    return enrolled(own_hub, "Gao 1", team="gao")


@pytest.fixture
def colleague(own_hub: Hub) -> Sender:
    return enrolled(own_hub, "Gao 2", team="gao")


def change(level: str, seq: int, **about: str) -> bytes:
    """A change of consent of the complaint called a."""
    told = {"complaint": an_id("a"), "consent": {"level": level}} | about
    return operation("consent_change", f"change {level} {seq} {about}", told, seq=seq)


def revised(level: str, seq: int, base: int = 1, changes: dict[str, Any] | None = None, **about: str) -> bytes:
    """A revision of the facts of the complaint called a."""
    told = {"clear": facts(consent={"level": level}, **changes or {})}
    line = {"complaint": an_id("a"), "base_revision": base, "facts": told} | about
    return operation("revision", f"revision {level} {seq} {about}", line, seq=seq)


def filed(owner: Sender) -> Any:
    """The row of the complaint called a."""
    select = sa.select(complaint_table).join(received, received.c.id == complaint_table.c.id)
    with owner.hub.store.read() as connection:
        return connection.execute(select.where(received.c.lineage == owner.lineage)).one()


def shown(owner: Sender) -> list[str]:
    """What waits for a person's word."""
    with owner.hub.store.read() as connection:
        return complaints.conflicts(connection, filed(owner).id)


@pytest.mark.parametrize("late", [change("C4", 5), revised("C4", 5)], ids=["change", "revision"])
def test_older_word_that_comes_late_changes_nothing(owner: Sender, late: bytes) -> None:
    owner.send(complaint("a", consent={"level": "C3"}))
    owner.send(change("C0", 6))
    assert verdicts(owner.send(late)) == [STORED]
    row = filed(owner)
    assert (row.consent_level, row.consent, shown(owner)) == ("C0", {"level": "C0"}, [])


def test_rest_of_a_late_revision_counts(owner: Sender) -> None:
    owner.send(complaint("a", consent={"level": "C3"}), change("C0", 6))
    owner.send(revised("C4", 5, changes={"channel": "phone"}))
    assert (filed(owner).channel, filed(owner).consent_level, filed(owner).revision) == ("phone", "C0", 2)


@pytest.mark.parametrize("later", [change("C4", 7), revised("C4", 7)], ids=["change", "revision"])
def test_later_word_of_its_own_device_stands(owner: Sender, later: bytes) -> None:
    owner.send(complaint("a", consent={"level": "C3"}), change("C0", 6))
    assert verdicts(owner.send(later)) == [STORED]
    assert (filed(owner).consent_level, shown(owner)) == ("C4", [])


def test_order_is_that_of_arrival_where_the_device_was_put_back(owner: Sender) -> None:
    owner.send(complaint("a", consent={"level": "C3"}), change("C4", 9))
    with owner.hub.store.write() as connection:
        devices.update(connection, owner.device, rolled_back_at=NOW)
    owner.send(change("C1", 2))
    assert filed(owner).consent_level == "C1"


@pytest.mark.parametrize("make", [change, revised], ids=["change", "revision"])
def test_colleague_takes_consent_back_at_once(owner: Sender, colleague: Sender, make: Any) -> None:
    owner.send(complaint("a", consent={"level": "C3"}))
    assert verdicts(colleague.send(make("C0", 1, lineage=owner.lineage))) == [STORED]
    assert (filed(owner).consent_level, shown(owner)) == ("C0", [])


@pytest.mark.parametrize("make", [change, revised], ids=["change", "revision"])
def test_what_a_colleague_gives_waits_for_a_person(owner: Sender, colleague: Sender, make: Any) -> None:
    owner.send(complaint("a", consent={"level": "C2"}), change("C0", 6))
    line = make("C4", 90, lineage=owner.lineage)
    for _ in range(2):
        assert verdicts(colleague.send(line)) == [HEARD]
    assert (filed(owner).consent_level, filed(owner).consent) == ("C0", {"level": "C0"})
    assert shown(owner) == ["facts.consent"]
    assert [(each.code, each.payload) for each in admission.list_waiting(owner.hub.store)] == [
        ("field_changed_twice", line)
    ]


def test_what_a_colleague_takes_back_stays_so_when_its_own_device_says_otherwise(
    owner: Sender, colleague: Sender
) -> None:
    owner.send(complaint("a", consent={"level": "C2"}))
    colleague.send(change("C0", 1, lineage=owner.lineage))
    assert verdicts(owner.send(change("C3", 7))) == [HEARD]
    assert filed(owner).consent_level == "C0"
    # Nor when the colleague does: who gives consent again is for a person to say.
    assert verdicts(colleague.send(change("C3", 2, lineage=owner.lineage))) == [HEARD]
    assert (filed(owner).consent_level, shown(owner)) == ("C0", ["facts.consent"] * 2)


def test_colleague_takes_back_in_a_revision_that_is_otherwise_refused(owner: Sender, colleague: Sender) -> None:
    owner.send(complaint("a", consent={"level": "C2"}))
    moved = {"place": {"id": "ml-c-mopti", "list": "2026.1"}}
    told = revised("C0", 1, changes=moved, lineage=owner.lineage)
    assert verdicts(colleague.send(told)) == [Verdict("conflict", "readers_differ", "facts.place")]
    assert (filed(owner).consent_level, filed(owner).place_id) == ("C0", "ml-c-gao")


@pytest.mark.parametrize("turn", [1, -1])
def test_order_of_arrival_makes_no_difference(owner: Sender, colleague: Sender, turn: int) -> None:
    owner.send(complaint("a", consent={"level": "C2"}))
    lines = [
        (owner, change("C4", 8)),
        (colleague, change("C1", 3, lineage=owner.lineage)),
        (owner, change("C3", 9)),
        (colleague, change("C4", 2, lineage=owner.lineage)),
    ]
    for sender, line in lines[::turn]:
        sender.send(line)
    assert filed(owner).consent_level == "C1"


def test_colleague_who_repeats_what_the_form_showed_says_nothing(owner: Sender, colleague: Sender) -> None:
    owner.send(complaint("a", consent={"level": "C1"}), change("C3", 6))
    line = revised("C1", 1, changes={"channel": "phone"}, lineage=owner.lineage)
    assert verdicts(colleague.send(line)) == [STORED]
    assert (filed(owner).consent_level, filed(owner).channel) == ("C3", "phone")
