"""What a person opens lets its complaint be matched by it, once."""

from server.hub import Hub
from server.reading import read
from tests.builders import add_person, complaint, enrolled
from tests.case_work import at_desk
from tests.matching import match_all


def test_complaint_is_matched_by_what_was_opened_of_it(own_hub: Hub) -> None:
    desk = at_desk(own_hub, add_person(own_hub, "Awa"))
    enrolled(own_hub, "Gao 1", team="gao").send(complaint("a"))
    match_all(own_hub)
    opened = read(own_hub, desk, 1, "statement")
    assert opened.clear is not None
    assert match_all(own_hub) == 1
    read(own_hub, desk, 1, "statement")
    assert match_all(own_hub) == 0
