"""What the centre does with a complaint, day by day: one course for each thing that may become of it."""

from collections.abc import Callable, Mapping
from typing import Final

from tests.benchmarks.contacts import Said
from tests.benchmarks.journey_desk import MUTE, Course, Office, soon, tomorrow
from tests.benchmarks.journey_stories import Story

_LEAST: Final = "C1"


def course_of(office: Office, story: Story) -> Course:
    """The course of a complaint, from the day on which the hub has its number."""
    yield lambda: bool(story.number)
    story.affair.say("acknowledged")
    story.affair.status = "acknowledged"
    yield lambda: office.status(story.affair) == "acknowledged"
    yield from _COURSES[story.course](office, story)


def _worked_on(office: Office, story: Story) -> Course:
    office.move(story.affair, "in_triage")
    office.note(story)
    yield tomorrow
    office.take_up(story.affair)
    yield tomorrow


def _resolved(office: Office, story: Story, outcome: str = "remedied", closure: str = "") -> Course:
    office.move(story.affair, "resolved", outcome=outcome)
    story.affair.say("resolved", outcome=outcome)
    yield tomorrow
    yield from office.end(story.affair, closure or outcome)


def _remedied(office: Office, story: Story) -> Course:
    yield from _worked_on(office, story)
    yield from _resolved(office, story)


def _unfounded(office: Office, story: Story) -> Course:
    yield from _worked_on(office, story)
    yield from _resolved(office, story, "unfounded")


def _visited(office: Office, story: Story) -> Course:
    yield from _worked_on(office, story)
    office.verify(story)
    yield tomorrow
    yield from office.errand(story, "visit", office.teams(story, is_own=False))
    office.conclude(story)
    yield from _resolved(office, story, "mediated")


def _asked(office: Office, story: Story) -> Course:
    office.move(story.affair, "in_triage")
    yield tomorrow
    office.move(story.affair, "needs_information", question="documents")
    story.affair.say("question", question="documents")
    yield from office.errand(story, "ask", office.teams(story, is_own=True))
    words = {"clear": {"narrative": f"Voici le papier, {story.canary('s')}.", "lang": "fra"}}
    answered = Said("", "answer", "own", 1, b"")
    yield office.wish(story, "answer", {"question": story.id, "statement": words}, answered)
    story.affair.status = "in_triage"
    yield lambda: office.status(story.affair) == "in_triage"
    office.take_up(story.affair)


def _informed(office: Office, story: Story) -> Course:
    yield from _worked_on(office, story)
    office.move(story.affair, "resolved", outcome="partly_remedied")
    story.affair.say("resolved", outcome="partly_remedied")
    yield tomorrow
    yield from office.errand(story, "inform", office.teams(story, is_own=True))
    if (yield from office.end(story.affair, "remedied")):
        yield tomorrow
        office.follow_up(story.affair)


def _referred(office: Office, story: Story) -> Course:
    yield from _worked_on(office, story)
    body = office.refer(story.affair)
    yield tomorrow
    if body is not None:
        office.answer(story.affair, body, office.sent(story.affair))
        yield tomorrow
    yield from _resolved(office, story, "transferred")


def _silent(office: Office, story: Story) -> Course:
    yield from _worked_on(office, story)
    if office.refer(story.affair, MUTE) is not None:
        sent = office.sent(story.affair)
        yield lambda: office.status(story.affair) == "in_progress"
        office.came_back(story.affair, sent, "body_silent", body=MUTE.body)
        yield tomorrow
    yield from _resolved(office, story, "no_remedy", "unreachable")


def _undone(office: Office, story: Story) -> Course:
    office.move(story.affair, "in_triage")
    yield tomorrow
    office.move(story.affair, "inadmissible", inadmissible="out_of_mandate")
    yield soon
    office.undo(story.affair, "in_triage")
    yield tomorrow
    office.take_up(story.affair)


def _inadmissible(office: Office, story: Story) -> Course:
    office.move(story.affair, "in_triage")
    yield tomorrow
    office.move(story.affair, "inadmissible", inadmissible="already_judged")
    story.affair.say("inadmissible", inadmissible="already_judged")
    yield tomorrow
    yield from office.end(story.affair, "out_of_mandate")


def _reopened(office: Office, story: Story) -> Course:
    yield from _remedied(office, story)
    yield tomorrow
    office.move(story.affair, "reopened", reopening="new_facts")
    story.affair.say("reopened")
    yield tomorrow
    yield from _worked_on(office, story)


def _narrowed(office: Office, story: Story) -> Course:
    """Consent is taken back while somebody is on the way: nobody goes there to verify any more."""
    yield from _worked_on(office, story)
    phones = office.teams(story, is_own=False)
    office.set_task(story, "visit", phones[0])
    yield tomorrow
    consent = {**story.facts["consent"], "level": _LEAST}
    consent.pop("bodies", None)
    yield office.wish(story, "consent_change", {"consent": consent}, Said("", "", "own", 1, b"", level=_LEAST))
    yield tomorrow
    if office.refer(story.affair) is not None:
        office.surprises.append(f"{story.number} went to a body without consent")


def _withdrawn(office: Office, story: Story) -> Course:
    """It is all taken back while a task lies on a phone."""
    yield from _worked_on(office, story)
    kind = "choice" if story.is_gbv else "inform"
    office.set_task(story, kind, office.teams(story, is_own=True)[-1])
    yield tomorrow
    yield office.wish(story, "withdrawal", {"scope": "all"}, Said("", "withdrawal", "own", 1, b"", scope="all"))
    story.affair.status = "withdrawn"
    yield lambda: office.status(story.affair) == "withdrawn"
    story.affair.say("withdrawn")


def _joined(office: Office, story: Story) -> Course:
    office.move(story.affair, "in_triage")
    yield tomorrow
    if story.twin is not None:
        yield lambda: story.twin is not None and story.twin.is_over
        office.join(story.twin, story)
        yield soon
        yield tomorrow
    office.take_up(story.affair)
    yield tomorrow
    body = office.refer(story.affair)
    yield tomorrow
    if body is not None:
        office.answer(story.affair, body, office.sent(story.affair))
    yield from _resolved(office, story, "judicial_action")


def _detached(office: Office, story: Story) -> Course:
    yield from _worked_on(office, story)
    if story.twin is not None:
        yield lambda: story.twin is not None and story.twin.is_over
        office.join(story.twin, story)
        yield tomorrow
        office.part(story.twin)
        yield tomorrow
        yield from _worked_on(office, story.twin)
    yield from _resolved(office, story)


def _survivor(office: Office, story: Story) -> Course:
    yield from _worked_on(office, story)
    yield from office.errand(story, "choice" if story.is_gbv else "ask", office.teams(story, is_own=True))
    body = office.refer(story.affair)
    yield tomorrow
    if body is not None:
        office.answer(story.affair, body, office.sent(story.affair))
        yield tomorrow
    yield from _resolved(office, story)


def _left(_office: Office, _story: Story) -> Course:
    yield tomorrow


_COURSES: Final[Mapping[str, Callable[[Office, Story], Course]]] = {
    "remedied": _remedied,
    "unfounded": _unfounded,
    "visited": _visited,
    "asked": _asked,
    "informed": _informed,
    "referred": _referred,
    "silent": _silent,
    "undone": _undone,
    "inadmissible": _inadmissible,
    "reopened": _reopened,
    "narrowed": _narrowed,
    "withdrawn": _withdrawn,
    "joined": _joined,
    "detached": _detached,
    "survivor": _survivor,
    "left": _left,
    "twin": _left,
}
