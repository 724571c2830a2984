"""The journey: three weeks of two regions, six phones on a bad road and their centre, from complaint to outcome.

Real: the hub, its jobs, its HTTP, the field clients with their stores. Scripted: people, the road, and the clock.
"""

import logging
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from fixtures.bad_road import Pass, Rule
from server.config import Settings
from server.domain.errors import SeereError
from server.scheduler import JOBS, run_if_due
from server.services import devices, places
from server.services.maintenance import DONE
from tests.benchmarks import journey_look as look
from tests.benchmarks.figure import Figure, note
from tests.benchmarks.harness import CHECKOUT, Void
from tests.benchmarks.journey_courses import course_of
from tests.benchmarks.journey_desk import Course, Office, Wait, soon, tomorrow
from tests.benchmarks.journey_field import Phone, roads
from tests.benchmarks.journey_stories import TEAMS, Story, stories
from tests.builders import NOW, Clock
from tests.journeys.conftest import RunningHub

FIGURES: Final = ("journey_unfinished", "journey_leaks", "journey_unsafe_contacts")
COUNT: Final = 400
DAYS: Final = 21
# Two days without a hub; the phones come in vain.
DOWN: Final = (7, 8)
# On which day which phone is lost, to be succeeded the day after, and which is revoked.
LOST: Final = (10, 1)
REVOKED: Final = (13, 4)
_SHOWN_MOST: Final = 20
_PLACES: Final = CHECKOUT / "fixtures" / "places" / "mali-2026.1.csv"


@dataclass
class Journey:
    """All that takes part in it. `heard`: by the time of a tick, the operations that the hub had then."""

    folder: Path
    hub: RunningHub
    clock: Clock
    stories: list[Story]
    phones: list[Phone]
    office: Office
    courses: dict[int, tuple[Course, Wait]] = field(default_factory=dict)
    heard: dict[datetime, frozenset[str]] = field(default_factory=dict)
    gone: list[Phone] = field(default_factory=list)

    def live(self) -> None:
        """Three weeks, and one last contact of every phone that is in use."""
        for day in range(DAYS):
            self.clock.now = NOW + timedelta(days=day)
            self._befall(day)
            self._meet(day, {at: roads(at, day) for at in range(len(TEAMS))})
            if day not in DOWN:
                self._work()
        self.clock.pass_(hours=12)
        self._tick()
        self._meet(DAYS, {at: [Pass()] for at in range(len(TEAMS))})

    def _befall(self, day: int) -> None:
        if day == DOWN[0]:
            self.hub.stop()
        elif day == DOWN[-1] + 1:
            self.hub.start()
        elif day == LOST[0]:
            self._lose(self.phones[LOST[1]])
        elif day == LOST[0] + 1:
            self._replace(self.phones[LOST[1]])
        elif day == REVOKED[0]:
            self._revoke(self.phones[REVOKED[1]], "volé")
            self.office.hand_over(self.phones[REVOKED[1]])

    def _lose(self, phone: Phone) -> None:
        phone.is_away = True
        self.gone.append(phone)
        self._revoke(phone, "perdu")
        phone.is_revoked = False

    def _revoke(self, phone: Phone, why: str) -> None:
        device, key = phone.outbox.require_enrolled().device, self.hub.hub.identity.sign_key
        devices.revoke(self.hub.hub.store, device, self.clock(), key, reason=why)
        phone.is_revoked = True

    def _replace(self, lost: Phone) -> None:
        """Another phone in the place of the one that was lost, with nothing of what was on it."""
        found = Phone(self.hub, self.folder / f"phone-{lost.at}-again", lost.at, self.stories)
        found.begin(succeeds=lost.outbox.require_enrolled().device)
        self.phones[lost.at] = self.office.phones[lost.at] = found
        self.office.hand_over(lost)

    def _meet(self, day: int, rules: dict[int, list[Rule]]) -> None:
        settled = self.heard[max(self.heard)] if self.heard else frozenset[str]()
        for phone in self.phones:
            phone.write_of(day)
            phone.meet(rules[phone.at], settled, self.office.tasks)

    def _work(self) -> None:
        """A day at the centre: what was done is taken back in time, and told when that is over."""
        self._tick()
        self.office.number(self.stories)
        self._go_on(tomorrow)
        if any(wait is soon for _, wait in self.courses.values()):
            self.clock.pass_(minutes=4)
            self._tick()
            self._go_on(soon)
        self.clock.pass_(minutes=11)
        self._tick()

    def _tick(self) -> None:
        self.heard[self.clock()] = frozenset(self.hub.lines())
        ended = {job.name: run_if_due(self.hub.hub, job) for job in JOBS}
        self.office.surprises += [f"the job {name} {how}" for name, how in ended.items() if how not in (None, DONE)]

    def _go_on(self, since: Wait) -> None:
        """Take each course further that waits for this moment, or for nothing that is not there."""
        for story in self.stories:
            if story.at in self.courses:
                course, wait = self.courses[story.at]
                if wait is since or (wait not in (soon, tomorrow) and wait()):
                    self._walk(story, course)

    def _walk(self, story: Story, course: Course) -> None:
        try:
            for wait in course:
                self.courses[story.at] = course, wait
                if wait in (soon, tomorrow) or not wait():
                    return
            story.is_over = True
        except SeereError as error:
            self.office.surprises.append(f"{story.number} ({story.course}): {error.code} {error.values}")
        del self.courses[story.at]


@dataclass(frozen=True)
class Outcome:
    """What a journey came to, each fault in words without any of a person; `lived`: what there was to go wrong."""

    unfinished: list[str]
    leaks: list[str]
    unsafe: list[str]
    lived: Mapping[str, int]


def measure(count: int = COUNT) -> Iterator[Figure]:
    """The three counts of the whole journey. Raises Void where there was nothing to count."""
    with TemporaryDirectory(prefix="journey-") as folder:
        outcome = travel(Path(folder), count)
    note(f"journey of {count}: {dict(outcome.lived)}")
    if not all(outcome.lived.values()):
        raise Void("on the journey nothing could go wrong")
    for name, found in zip(FIGURES, (outcome.unfinished, outcome.leaks, outcome.unsafe), strict=True):
        for each in found[:_SHOWN_MOST]:
            note(f"{name}: {each}")
        yield Figure(name, len(found), "complaints" if name == FIGURES[0] else "times", "=", 0)


def travel(folder: Path, count: int) -> Outcome:
    """Live through a journey of so many complaints in an empty folder, and look at what it came to."""
    with _noted(folder / "log") as log, _begun(folder, count) as journey:
        journey.live()
        trip = look.Trip(journey.hub, journey.stories, journey.phones, journey.gone, journey.office, journey.heard, log)
        return Outcome(look.unfinished(trip), look.leaks(trip), look.unsafe(trip), look.lived(trip))


@contextmanager
def _begun(folder: Path, count: int) -> Iterator[Journey]:
    clock = Clock()
    hub = RunningHub(Settings(data=folder / "hub"), clock)
    try:
        known = places.read_list_file(_PLACES, places.version_in(_PLACES))
        places.import_list(hub.hub.store, known, _PLACES.name, clock())
        told = stories(count)
        phones = [Phone(hub, folder / f"phone-{at}", at, told) for at in range(len(TEAMS))]
        office = Office(hub, phones)
        journey = Journey(folder, hub, clock, told, phones, office)
        for phone in phones:
            phone.begin()
        for story in told:
            course = course_of(office, story)
            journey.courses[story.at] = course, next(course)
        yield journey
        for phone in (*journey.phones, *journey.gone):
            phone.outbox.close()
    finally:
        hub.stop()


class _Whole(logging.Formatter):
    """All that a record has, whatever a hub would write of it."""

    def format(self, record: logging.LogRecord) -> str:
        return repr(vars(record))


@contextmanager
def _noted(file: Path) -> Iterator[Path]:
    """All that anybody logs meanwhile, with everything that goes along with it."""
    handler = logging.FileHandler(file, encoding="utf-8")
    handler.setFormatter(_Whole())
    root, level = logging.getLogger(), logging.getLogger().level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    try:
        yield file
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
        handler.close()


if __name__ == "__main__":
    for figure in measure(int(sys.argv[1])):
        sys.stdout.write(figure.line() + "\n")
