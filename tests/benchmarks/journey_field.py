"""Six phones of the journey over a bad road: they write complaints, do tasks, show what came, get lost and revoked."""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any, Final

from client_sync.client import SyncClient, SyncReport
from client_sync.outbox import Finished
from client_sync.protocol.coding import Coding
from client_sync.protocol.steps import KIND
from client_sync.protocol.tasks import OUTCOMES
from client_sync.stores import Folder
from client_sync.tasks import Task
from client_sync.transport import Answer, HttpTransport
from client_sync.vault import Vault
from fixtures.bad_road import BadRoad, Cut, Pass, Rule
from fixtures.generate import PARTNER
from tests.benchmarks.contacts import Said
from tests.benchmarks.journey_stories import TEAMS, Story
from tests.client_sync.builders import SOFT, WORDS
from tests.journeys.conftest import FieldDevice, RunningHub

# By place among the phones: how far its clock is off.
_SKEWS: Final[Mapping[int, timedelta]] = {2: timedelta(days=-3650), 5: timedelta(hours=7)}
_SOFTWARE: Final = "journey"


@dataclass(frozen=True)
class Heard:
    """A whole answer of the hub, and the operations that it had when it gave it."""

    members: Mapping[str, Any]
    known: frozenset[str]


@dataclass(frozen=True)
class Contact:
    """Somebody went to a person, or called: for which complaint, by which way, and what the hub had heard by then."""

    story: Story
    way: str
    known: frozenset[str]


@dataclass(frozen=True)
class Held:
    """A task as a phone opened it: its id, the ways that it may take, and what is said in it."""

    id: str
    ways: tuple[str, ...]
    details: str


@dataclass
class Wish:
    """What somebody comes and says to a phone: it goes with its next contact. `id`: of its operation, once written."""

    story: Story
    op: str
    content: dict[str, Any] = field(repr=False)
    said: Said
    id: str = ""


class Phone(FieldDevice):
    """One device. `heard`: every whole answer; `contacts`: whom its holder went to; `opened`: its tasks as read there;
    `cuts`: sessions that broke off. `known`: what the hub had when its jobs last ran before the last whole session."""

    def __init__(self, hub: RunningHub, folder: Path, at: int, stories: Sequence[Story]) -> None:
        super().__init__(hub, Folder(folder), f"{TEAMS[at][0]} {at}")
        self.at = at
        self.team = TEAMS[at][0]
        self.own = [each for each in stories if each.phone == at]
        self.heard: list[Heard] = []
        self.contacts: list[Contact] = []
        self.opened: dict[str, Held] = {}
        self.wishes: list[Wish] = []
        self.known: frozenset[str] = frozenset()
        self.cuts = 0
        self.is_away = False
        self.is_revoked = False
        self._rng = Random(at)

    def begin(self, succeeds: str | None = None) -> None:
        """Be enrolled, and have somebody's vault."""
        self.join(team=self.team, partner=PARTNER, succeeds=succeeds)
        Vault.create(self.outbox.folder, WORDS, SOFT).close()

    def write_of(self, day: int) -> None:
        """Finalise what is told on a day."""
        told = [each for each in self.own if each.day == day]
        self.outbox.finalise_all(
            [Finished("complaint", each.content, each.id, receipt=each.facts["receipt"]) for each in told]
        )

    def meet(self, rules: Sequence[Rule], settled: frozenset[str], tasks: Mapping[str, Story]) -> None:
        """Come to the network: do first what was to be done and say what people said, then sync, and show what came.

        `settled`: operations that the hub had when its jobs last ran. `tasks`: whose each task is.
        """
        if self.is_away:
            return
        self.clock.now = self.hub.clock() + _SKEWS.get(self.at, timedelta(0))
        with closing(Vault.open(self.outbox.folder, WORDS)) as vault:
            self._do_tasks(vault, tasks)
            self._say_wishes(vault)
            if any(self.sync(rule).is_whole for rule in rules):
                self.known = settled
                self._note_tasks(vault)
                self._show(vault)
                if self.outbox.waiting():
                    self.sync()

    def sync(self, *script: Rule) -> SyncReport:
        """One session, over a road with this script; whole answers are noted."""
        with BadRoad(self.hub.address, script) as road, closing(_Ear(road.address, self._hear)) as ear:
            report = SyncClient(self.outbox, ear, now=self.clock, rng=self._rng, version=_SOFTWARE).sync()
        self.cuts += report.cut
        return report

    def steps(self) -> dict[str, list[Mapping[str, Any]]]:
        """What lies on the phone, as its vault shows it: steps by the beginning of a complaint's id, in order."""
        found: defaultdict[str, list[Mapping[str, Any]]] = defaultdict(list)
        rows = list(self.outbox._database.query("SELECT record, body FROM reply ORDER BY change"))
        with closing(Vault.open(self.outbox.folder, WORDS)) as vault:
            for row in rows:
                found[row["record"]].append(json.loads(vault.unseal(row["body"])))
        return found

    def steps_of(self, story: Story) -> list[tuple[str, Mapping[str, str]]]:
        """What the phone says of one complaint, template and fields."""
        said = [each for id, found in self.steps().items() if story.id.startswith(id) for each in found]
        return [(each["t"], each.get("f", {})) for each in said if each["kind"] == KIND]

    def _hear(self, answer: Answer) -> None:
        self.heard.append(Heard(answer.members or {}, frozenset(self.hub.lines())))

    def _do_tasks(self, vault: Vault, tasks: Mapping[str, Story]) -> None:
        for task in self.outbox.tasks.listed(vault):
            story = tasks[task.id]
            self.contacts.append(Contact(story, task.ways[0], self.known))
            content = self._result(task, story)
            self.outbox.finalise("task_done", content, scope=task.scope)

    def _result(self, task: Task, story: Story) -> dict[str, Any]:
        found: dict[str, Any] = {"task": task.id, "outcome": OUTCOMES[task.kind][0]}
        if task.kind == "visit":
            found |= {"method": "visit", "sources": 2, "certainty": "reasonable_grounds", "finding": "corroborated"}
        return found | {"report": {"clear": {"note": f"Vu avec {story.canary('r')}."}}}

    def _say_wishes(self, vault: Vault) -> None:
        for wish in (each for each in self.wishes if not each.id):
            scope = self.outbox.scope(wish.story.id, vault)
            wish.id = self.outbox.finalise(wish.op, {"complaint": wish.story.id, **wish.content}, scope=scope)
            wish.story.spoken.append((wish.id, wish.said))

    def _note_tasks(self, vault: Vault) -> None:
        for task in self.outbox.tasks.listed(vault):
            details = json.dumps(dict(task.details), ensure_ascii=False)
            self.opened[f"{task.id} {task.ways}"] = Held(task.id, task.ways, details)

    def _show(self, vault: Vault) -> None:
        """Go and tell whoever may be told, and show it to those who come by themselves."""
        for story in self.own:
            replies = self.outbox.received.replies(story.id, vault)
            if replies and (not replies[-1].body.get("wait") or story.comes):
                self.outbox.mark_seen(story.id)


class _Ear(HttpTransport):
    """The road to the hub, with every whole answer told to somebody."""

    def __init__(self, address: tuple[str, int], hear: Any) -> None:
        super().__init__("http://{}:{}".format(*address))
        self._hear = hear

    def sync(self, body: bytes, coding: Coding, token: str) -> Answer:
        answer = super().sync(body, coding, token)
        self._hear(answer)
        return answer


def roads(at: int, day: int) -> list[Rule]:
    """What the road does to a phone on a day, session by session; nothing where there is none. Each third is good."""
    if (day + at) % 3 == 0:
        return [Pass()]
    rng = Random(100 * day + at)
    return list(rng.choice(_WEATHER)(rng))


def _cut_up(rng: Random) -> Iterator[Rule]:
    yield Cut(after_up=rng.randrange(1, 4_000))
    yield Pass()


def _cut_down(rng: Random) -> Iterator[Rule]:
    yield Cut(after_down=rng.randrange(500))
    yield Pass(duplicate=True)


def _never_whole(rng: Random) -> Iterator[Rule]:
    yield Cut(refuse=True)
    yield Cut(after_down=rng.randrange(60))


_WEATHER: Final = (
    lambda _: (),
    lambda _: (Pass(),),
    lambda _: (Pass(duplicate=True),),
    lambda _: (Cut(refuse=True), Pass()),
    _cut_up,
    _cut_down,
    _never_whole,
)
