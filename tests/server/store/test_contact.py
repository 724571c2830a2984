"""What a complaint says of reaching the person: all that its team sent counts, filed or not, and nothing else does."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from server.domain.contact import WAYS, reach
from server.hub import Hub
from server.services.intake.admission import file_held
from server.store import contact
from server.store.schema import complaint
from server.store.schema import device as device_table
from tests.builders import Clock, Sender, an_id, enrolled, facts, open_test_hub, operation, revision, verdicts
from tests.builders import complaint as complaint_line

EVERY = frozenset(WAYS)
UNSEEN = EVERY - {"verification_visit"}
# Read as a revision made on one that is not here.
LATER = 7


@pytest.fixture
def hub(hub_url: str, tmp_path: Path) -> Iterator[Hub]:
    opened = open_test_hub(hub_url, tmp_path, Clock())
    yield opened
    opened.close()


@pytest.fixture
def device(hub: Hub) -> Sender:
    return enrolled(hub, "Gao 1", team="gao")


@pytest.fixture
def colleague(hub: Hub) -> Sender:
    return enrolled(hub, "Gao 2", team="gao")


def _told(device: Sender, **changes: Any) -> None:
    """A complaint called `a`, whose person may be reached in every way but for what changes."""
    sent = device.send(complaint_line("a", **({"contact_ok": "yes"} | changes)))
    assert [each.verdict for each in verdicts(sent)] == ["stored"]


def _revised(name: str, base: int, seq: int, lineage: str | None = None, **changes: Any) -> bytes:
    told = {"clear": facts(**({"contact_ok": "yes"} | changes))}
    about = {"complaint": an_id("a"), "base_revision": base} | ({"lineage": lineage} if lineage else {})
    return operation("revision", name, about | {"facts": told}, seq)


def _ways(hub: Hub) -> frozenset[str]:
    with hub.store.read() as connection:
        newest = connection.scalar(sa.select(sa.func.max(complaint.c.id)))
        return reach(contact.wishes_of(connection, newest or 0)).ways


def test_complaint_that_is_not_here_says_nothing(hub: Hub) -> None:
    assert _ways(hub) == frozenset()


def test_complaint_allows_what_its_facts_say(hub: Hub, device: Sender) -> None:
    _told(device)
    assert _ways(hub) == EVERY
    device.send(_revised("r", 1, 2, kinds=["HR-THR", "GBV-2"]))
    assert _ways(hub) == UNSEEN


def test_revision_that_waits_for_another_counts(hub: Hub, device: Sender) -> None:
    _told(device)
    assert [each.code for each in verdicts(device.send(_revised("r", LATER, 2, contact_ok="never")))] == [
        "revision_missing"
    ]
    assert _ways(hub) == frozenset()


def test_older_revision_that_comes_late_takes_nothing_back(hub: Hub, device: Sender) -> None:
    _told(device)
    device.send(_revised("second", 1, 3, contact_ok="in_person"))
    device.send(_revised("first", 1, 2, contact_ok="yes", channel="radio"))
    assert _ways(hub) == {"at_next_meeting"}


def test_what_a_device_put_back_from_an_old_copy_sends_last_counts(hub: Hub, device: Sender) -> None:
    _told(device, contact_ok="in_person")
    device.send(_revised("before", 1, 9))
    with hub.store.write() as connection:
        connection.execute(sa.update(device_table).values(rolled_back_at=hub.clock()))
    device.send(_revised("after", 1, 2, contact_ok="never", channel="radio"))
    assert _ways(hub) == frozenset()


def test_two_answers_made_without_knowing_each_other_leave_the_careful_one(
    hub: Hub, device: Sender, colleague: Sender
) -> None:
    _told(device)
    colleague.send(_revised("no", 1, 1, device.lineage, contact_ok="never"))
    # The device counts its own revisions: number 2 is another's, which it never saw.
    device.send(_revised("own", 1, 2, channel="radio"), _revised("yes", 2, 3))
    assert _ways(hub) == frozenset()

    colleague.send(_revised("again", 2, 2, device.lineage))
    assert _ways(hub) == EVERY


def test_withdrawal_that_came_before_the_complaint_counts(hub: Hub, device: Sender, colleague: Sender) -> None:
    about = {"complaint": an_id("a"), "lineage": device.lineage}
    colleague.send(operation("withdrawal", "w", about | {"scope": "all"}))
    _told(device)
    assert _ways(hub) == frozenset()
    file_held(hub.store, hub.settings.registry_prefix, hub.clock(), None)
    assert _ways(hub) == frozenset()


def test_changed_consent_counts_with_the_last_word_of_the_device(hub: Hub, device: Sender) -> None:
    _told(device)
    for seq, level, ways in ((3, "C1", UNSEEN), (2, "C3", UNSEEN), (4, "C3", EVERY)):
        about = {"complaint": an_id("a"), "consent": {"level": level}}
        device.send(operation("consent_change", f"c{seq}", about, seq))
        assert _ways(hub) == ways


def test_what_cannot_be_read_may_be_a_withdrawal(hub: Hub, device: Sender) -> None:
    _told(device)
    device.send(_revised("r", 1, 2, channel="no such channel"))
    assert _ways(hub) == frozenset()


def test_other_content_under_the_id_of_the_complaint_counts(hub: Hub, device: Sender) -> None:
    _told(device)
    device.send(complaint_line("a", contact_ok="never"))
    assert _ways(hub) == frozenset()


def test_what_another_team_sends_keeps_nobody_from_being_reached(hub: Hub, device: Sender) -> None:
    _told(device)
    stranger = enrolled(hub, "Mopti 1", team="mopti")
    about = {"complaint": an_id("a"), "lineage": device.lineage}
    stranger.send(
        operation("withdrawal", "w", about | {"scope": "all"}),
        revision("r", "a", 1, lineage=device.lineage, facts={"clear": {}}),
    )
    assert _ways(hub) == EVERY


def test_what_a_colleague_says_of_a_complaint_with_the_same_id_counts_for_nothing(
    hub: Hub, device: Sender, colleague: Sender
) -> None:
    _told(device)
    third = enrolled(hub, "Gao 3", team="gao")
    colleague.send(_revised("r", LATER, 1, third.lineage, contact_ok="never"), complaint_line("a", channel="none"))
    assert _ways(hub) == EVERY


def test_what_a_colleague_says_without_a_readable_lineage_counts(hub: Hub, device: Sender, colleague: Sender) -> None:
    _told(device)
    whole = _revised("r", LATER, 1, device.lineage, contact_ok="never")
    colleague.send(whole.replace(b'"lineage"', b'"lineaje"'))
    assert _ways(hub) == frozenset()
