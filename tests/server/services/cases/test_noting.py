"""Notes: for the team, sealed, gone with their complaint; and what erasure leaves of a case."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from server.domain.errors import NoteRefused, NotFound
from server.hub import Hub
from server.services import keyrings
from server.services.cases import noting, queues
from server.store import erasures, registry
from server.store.case_tables import case_complaint, casefile, note, timeline, waiting
from tests.builders import Person, add_person
from tests.case_walks import is_replayed
from tests.case_work import Numbers, at_desk, attach, detach, move

TEXT = "Le commerçant du coin a tout vu ; ne pas l'appeler."


def write(hub: Hub, person: Person, number: str, text: str = TEXT) -> None:
    noting.write(hub.store, at_desk(hub, person), keyrings.current(hub.store), number, text)


def texts(hub: Hub, person: Person, number: str) -> list[str | None]:
    return [each.text for each in noting.read(hub.store, at_desk(hub, person), number)]


def erase(hub: Hub, number: str) -> None:
    with hub.store.write() as connection:
        complaint = registry.complaint_numbered(connection, number)
        assert complaint is not None
        subject = erasures.subject_of(connection, complaint)
        assert subject is not None
        erasures.wipe(connection, subject, hub.clock(), hub.clock() + timedelta(days=35))


def count(hub: Hub, table: sa.Table) -> int:
    with hub.store.read() as connection:
        return connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0


def test_note_is_read_by_its_writer_and_opens_the_case(hub: Hub, awa: Person, numbers: Numbers) -> None:
    write(hub, awa, numbers[0])
    [read] = noting.read(hub.store, at_desk(hub, awa), numbers[0])
    assert (read.number, read.name, read.at, read.text) == (numbers[0], "Awa", hub.clock(), TEXT)
    assert queues.show(hub.store, at_desk(hub, awa), numbers[0]).version == 1


def test_note_is_sealed_to_the_readers_of_its_complaint(
    hub: Hub, awa: Person, binta: Person, numbers: Numbers
) -> None:
    [national] = [each for each in keyrings.current(hub.store).recipients if not each.is_recovery]
    write(hub, awa, numbers[0])
    with hub.store.read() as connection:
        row = connection.execute(sa.select(note)).one()
    assert national.kid in row.keys
    assert TEXT.encode() not in row.box
    assert texts(hub, binta, numbers[0]) == [None]


def test_note_of_a_case_out_of_scope_is_not_there(hub: Hub, gao: Person, awa: Person, numbers: Numbers) -> None:
    write(hub, awa, numbers[2])
    for doing in (lambda: write(hub, gao, numbers[2]), lambda: texts(hub, gao, numbers[2])):
        with pytest.raises(NotFound):
            doing()
    assert count(hub, note) == 1


@pytest.mark.parametrize(("text", "fault"), [(" \n", "empty"), ("é" * (noting.TEXT_MAX_CHARS + 1), "long")])
def test_note_of_no_use_is_refused(hub: Hub, awa: Person, numbers: Numbers, text: str, fault: str) -> None:
    with pytest.raises(NoteRefused) as refused:
        write(hub, awa, numbers[0], text)
    assert refused.value.values["fault"] == fault
    assert count(hub, casefile) == 0


def test_notes_of_all_complaints_of_a_case_are_read_together(hub: Hub, awa: Person, numbers: Numbers) -> None:
    write(hub, awa, numbers[0], "un")
    write(hub, awa, numbers[1], "deux")
    attach(hub, awa, numbers[1], numbers[0])
    assert sorted(map(str, texts(hub, awa, numbers[0]))) == ["deux", "un"]
    detach(hub, awa, numbers[1])
    assert texts(hub, awa, numbers[0]) == ["un"]


def test_nothing_is_left_of_the_case_of_an_erased_complaint(hub: Hub, awa: Person, numbers: Numbers) -> None:
    write(hub, awa, numbers[0])
    move(hub, awa, numbers[0], "acknowledged")
    erase(hub, numbers[0])
    assert [count(hub, table) for table in (casefile, case_complaint, timeline, note)] == [0, 0, 0, 0]
    assert count(hub, waiting) == len(numbers) - 1


def test_case_goes_on_without_an_erased_complaint(hub: Hub, awa: Person, numbers: Numbers) -> None:
    write(hub, awa, numbers[0])
    move(hub, awa, numbers[0], "acknowledged")
    attach(hub, awa, numbers[1], numbers[0])
    attach(hub, awa, numbers[2], numbers[0])
    erase(hub, numbers[0])
    shown = queues.show(hub.store, at_desk(hub, awa), numbers[0])
    assert shown.file is not None
    assert (shown.file.ref, list(shown.reports)) == (numbers[0], [numbers[1], numbers[2]])
    assert numbers[0] in {each.ref for each in queues.waiting(hub.store, at_desk(hub, awa), 10)}
    assert count(hub, note) == 0
    assert is_replayed(hub)
    detach(hub, awa, numbers[2])
    assert list(queues.show(hub.store, at_desk(hub, awa), numbers[0]).reports) == [numbers[1]]


def test_erasing_what_joined_leaves_the_case_that_it_joined(hub: Hub, awa: Person, numbers: Numbers) -> None:
    attach(hub, awa, numbers[1], numbers[0])
    erase(hub, numbers[1])
    assert list(queues.show(hub.store, at_desk(hub, awa), numbers[0]).reports) == [numbers[0]]
    assert count(hub, casefile) == 1


def test_strict_note_is_for_named_readers(hub: Hub, awa: Person, numbers: Numbers) -> None:
    everything = add_person(hub, "Drissa")
    write(hub, awa, numbers[3])
    with pytest.raises(NotFound):
        texts(hub, everything, numbers[3])
    assert texts(hub, awa, numbers[3]) == [TEXT]
