"""Where the entries of a case lead, and what devices are told of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.domain.calendar import MALI
from server.domain.case import Step, step
from server.domain.casework import CASEWORK, Status, Transition
from server.domain.errors import TimelineBroken
from server.domain.timeline import (
    TEMPLATES,
    PublicStep,
    is_last_move,
    public_steps,
    quieted,
    standing,
    step_of,
    to_tell,
    window,
)

# A Monday, without a feast near it.
START = datetime(2026, 11, 2, 10, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@dataclass(frozen=True)
class Made:
    """An entry, as the store keeps it."""

    no: int
    at: datetime
    fields: Mapping[str, Any] = field(default_factory=dict)
    step: Mapping[str, Any] | None = None
    tells_at: datetime | None = None
    undoes: int | None = None
    complaint: int | None = None


def _said(transition: Transition) -> dict[str, str]:
    return {name: CASEWORK.reasons[name][0] for name in transition.asks}


def _at(no: int) -> datetime:
    """One entry every hour: long after the one before can be taken back."""
    return START + timedelta(hours=no)


def _move(no: int, source: Status, to: Status, *, is_strict: bool = False, **more: Any) -> Made:
    transition = CASEWORK.transitions[(source, to)]
    given = _said(transition) | more
    told = step(transition, given, is_strict=is_strict)
    at = _at(no)
    return Made(
        no,
        at,
        {"from": source, "to": to, "given": given},
        None if told is None else {"template": told.template, "fields": dict(told.fields)},
        None if told is None else at + transition.undo,
    )


def _walk(*path: Status) -> list[Made]:
    pairs = zip(path, path[1:], strict=False)
    return [Made(1, _at(1)), *(_move(no, *pair) for no, pair in enumerate(pairs, 2))]


TO_PROGRESS: tuple[Status, ...] = ("received", "acknowledged", "in_triage", "in_progress")


def _steps(entries: Sequence[Made], *, is_strict: bool = False, complaint: int = 7) -> list[PublicStep]:
    return public_steps(entries, complaint, MALI, is_strict=is_strict)


def _templates(entries: Sequence[Made], *, is_strict: bool = False) -> list[str]:
    return [each.said.template for each in _steps(entries, is_strict=is_strict)]


def test_what_was_taken_back_does_not_stand_nor_what_took_it_back() -> None:
    assert [each.no for each in standing([*_walk(*TO_PROGRESS), Made(5, _at(5), undoes=4)])] == [1, 2, 3]


def test_complaints_come_and_go_while_a_case_stays_what_it_is() -> None:
    joined = Made(5, _at(5), {"from": "in_progress", "to": "in_progress", "complaints": [8]})
    entries = [*_walk(*TO_PROGRESS), joined]
    assert is_last_move(entries, 4)
    assert not is_last_move([*entries, _move(6, "in_progress", "referred", body="cndh")], 4)
    assert is_last_move([*entries, Made(6, _at(6), undoes=4)], 3)


@given(st.lists(st.integers(min_value=0), max_size=30))
def test_no_walk_of_the_machine_tells_of_a_duplicate(choices: list[int]) -> None:
    entries, status, left = [Made(1, _at(1))], "received", ""
    for choice in choices:
        known = [each for each in CASEWORK.transitions.values() if each.source == status]
        known = [each for each in known if status != "duplicate" or each.to == left]
        if not known:
            break
        taken = known[choice % len(known)]
        entries.append(_move(len(entries) + 1, taken.source, taken.to))
        status, left = taken.to, taken.source
    assert all(each.said.template in TEMPLATES and "duplicate" not in str(each) for each in _steps(entries))


def test_a_step_is_told_once_it_can_not_be_taken_back() -> None:
    entries = _walk(*TO_PROGRESS)
    steps = _steps(entries)
    assert [(each.no, each.code, each.said.template) for each in steps] == [
        (2, "acknowledged", "acknowledged"),
        (4, "worked_on", "worked_on"),
    ]
    assert to_tell(steps, None, _at(4) + 9 * MINUTE) == steps[:1]
    assert to_tell(steps, None, _at(4) + 10 * MINUTE) == steps
    assert to_tell(steps[1:], steps[0].said, _at(9)) == steps[1:]


def test_what_was_taken_back_is_never_told() -> None:
    assert _templates([*_walk(*TO_PROGRESS), Made(5, _at(5), undoes=4)]) == ["acknowledged"]


def test_no_step_overtakes_one_that_may_still_be_taken_back() -> None:
    entries = _walk(*TO_PROGRESS)
    waits = replace(entries[1], tells_at=_at(9))
    assert to_tell(_steps([entries[0], waits, *entries[2:]]), None, _at(5)) == []


def test_what_says_nothing_new_is_not_said_again() -> None:
    entries = [
        *_walk(*TO_PROGRESS, "referred"),
        _move(6, "referred", "in_progress"),
        _move(7, "in_progress", "duplicate"),
    ]
    joined = _walk("received", "acknowledged", "in_triage", "duplicate")
    assert [each.no for each in to_tell(_steps(entries), None, _at(9))] == [2, 4, 5, 6]
    assert to_tell(_steps(joined)[1:], Step("worked_on", {}), _at(9)) == []


def test_a_duplicate_hears_that_somebody_is_working_on_it_as_any_other_does() -> None:
    duplicate = _steps(_walk("received", "acknowledged", "in_triage", "duplicate"))
    other = _steps(_walk(*TO_PROGRESS))
    assert duplicate == other


def test_of_a_strict_case_no_body_is_named() -> None:
    entries = [*_walk(*TO_PROGRESS), _move(5, "in_progress", "referred", body="one_stop")]
    assert _steps(entries)[-1].said == Step("referred", {"body": "one_stop"})
    assert _steps(entries, is_strict=True)[-1].said == Step("referred_unnamed", {})


def test_what_a_body_answered_says_of_a_strict_case_neither_which_nor_what() -> None:
    answer = {"body": "one_stop", "programme": "one_stop", "outcome": "cared_for"}
    assert step_of("body_answered", answer, is_strict=False) == Step("body_answered", answer)
    assert step_of("body_answered", answer, is_strict=True) == Step("body_answered_unnamed", {})
    assert quieted(Step("body_silent", {"body": "cndh"})) == Step("body_silent_unnamed", {})


def test_a_complaint_that_did_not_go_along_is_not_told_that_it_did() -> None:
    referred = _move(5, "in_progress", "referred", body="cndh")
    sent = replace(referred, fields={**referred.fields, "sent": [7]})
    entries = [*_walk(*TO_PROGRESS), sent]
    assert _steps(entries)[-1].said == Step("referred", {"body": "cndh"})
    assert [each.said for each in _steps(entries, complaint=8)][-1] == Step("worked_on", {})
    assert _steps(entries, complaint=8)[-1].code == "worked_on"
    for template in ("body_answered", "body_answered_unnamed", "body_silent", "body_silent_unnamed"):
        came = replace(_verifying(6), fields={"sent": [7]}, step={"template": template, "fields": {}})
        assert _steps([*entries, came])[-1].said.template == template
        assert _steps([*entries, came], complaint=8)[-1].said == Step("worked_on", {})


def test_a_complaint_does_not_hear_what_is_anothers_alone() -> None:
    entries = [*_walk(*TO_PROGRESS), replace(_verifying(5), complaint=7)]
    assert [each.no for each in _steps(entries)] == [2, 4, 5]
    assert [each.no for each in _steps(entries, complaint=8)] == [2, 4]


def test_what_a_destination_says_of_a_line_leaves_the_complaint_what_it_is() -> None:
    answered = _answered(5)
    for path in (TO_PROGRESS, (*TO_PROGRESS, "resolved")):
        before = _steps(_walk(*path))[-1].code
        assert _steps([*_walk(*path), replace(answered, no=9)])[-1].code == before
    assert [each.code for each in _steps([answered, replace(answered, no=6)])] == ["received", "received"]


def test_what_a_destination_says_of_a_strict_complaint_is_that_there_is_an_answer() -> None:
    for name in ("package_accepted", "package_rejected"):
        said = step_of(name, {"body": "cndh", "file_number": "CNDH/2027/0114"}, is_strict=True)
        assert said == Step("package_answered_unnamed", {})
    assert _steps([_answered(2)], is_strict=True)[-1].said == Step("package_answered_unnamed", {})


@pytest.mark.parametrize("number", ["Awa Exemple", "voir 12 au greffe", "", "GREFFE", "1" * 41, "12  13", "A 1\n"])
def test_what_is_no_number_of_a_file_never_leaves(number: str) -> None:
    with pytest.raises(TimelineBroken) as error:
        _steps([_answered(2, number)])
    assert error.value.values["fault"] == "words"


@pytest.mark.parametrize("words", ["Allez voir Awa", "", 7, "x" * 41])
def test_words_never_leave(words: object) -> None:
    with pytest.raises(TimelineBroken) as error:
        _steps([*_walk("received"), replace(_verifying(2), step={"template": "verifying", "fields": {"note": words}})])
    assert error.value.values["fault"] == "words"


def test_each_step_says_what_comes_next_and_between_which_working_days() -> None:
    opened = window("acknowledged", START, MALI)
    assert opened is not None
    assert (opened.step, opened.opens_on, opened.closes_on) == ("worked_on", date(2026, 11, 5), date(2026, 11, 17))
    # A Sunday, and New Year with the weekend after it.
    sunday, october = datetime(2026, 11, 29, tzinfo=UTC), datetime(2026, 10, 1, tzinfo=UTC)
    assert _days("resolved", sunday) == (date(2026, 12, 2), date(2026, 12, 29))
    assert _days("worked_on", october) == (date(2026, 11, 2), date(2027, 1, 4))


@pytest.mark.parametrize("template", ["closed", "withdrawn", "inadmissible"])
def test_after_the_last_step_nothing_is_promised(template: str) -> None:
    assert window(template, START, MALI) is None


def test_the_window_of_a_strict_case_tells_nothing_more() -> None:
    for template in ("referred", "body_answered", "body_silent"):
        assert window(template, START, MALI) == window(f"{template}_unnamed", START, MALI)


def test_what_comes_next_is_a_step_that_there_is() -> None:
    following = [window(template, START, MALI) for template in sorted(TEMPLATES)]
    assert {each.step for each in following if each is not None} <= TEMPLATES
    assert all(each.opens_on <= each.closes_on for each in following if each is not None)


def _days(template: str, at: datetime) -> tuple[date, date]:
    found = window(template, at, MALI)
    assert found is not None
    return found.opens_on, found.closes_on


def _verifying(no: int) -> Made:
    told = step_of("verifying", {}, is_strict=False)
    return Made(no, _at(no), step={"template": told.template, "fields": told.fields}, tells_at=_at(no) + 10 * MINUTE)


def _answered(no: int, file_number: str = "RG 114/26") -> Made:
    told = step_of("package_accepted", {"body": "cndh", "file_number": file_number}, is_strict=False)
    said = {"template": told.template, "fields": told.fields}
    return Made(no, _at(no), {"sent": [7]}, said, _at(no) + 10 * MINUTE, complaint=7)
