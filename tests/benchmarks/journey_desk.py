"""The centre of the journey: coordinators of two regions and those who read all, and what they do."""

from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

from server.domain.casework import Status
from server.domain.errors import ContactNotAllowed, TaskRefused
from server.domain.referral import PROGRAMMES, Destination
from server.domain.task import RULES, Kind, Window
from server.services import keyrings
from server.services.cases import (
    destinations,
    following,
    hearing,
    joining,
    moving,
    noting,
    queues,
    referring,
    sending,
    tasking,
    telling,
    undoing,
    verifying,
)
from server.services.cases.hearing import Hearing
from server.services.cases.moving import Intent
from server.services.cases.sending import Sheet
from server.services.cases.tasking import Errand
from server.services.cases.verifying import Concluded
from server.store import registry
from tests.benchmarks.contacts import Said
from tests.benchmarks.harness import CHECKOUT
from tests.benchmarks.journey_field import Phone, Wish
from tests.benchmarks.journey_stories import TEAMS, Affair, Story
from tests.builders import ROOT, Person, add_person, publish_keyring
from tests.case_referrals import DIGEST, FROM
from tests.case_work import at_desk
from tests.journeys.conftest import RunningHub

# Each yields what it waits for; `soon` goes on while what was done can still be taken back.
Wait = Callable[[], bool]
Course = Generator[Wait, None, None]

_DESTINATIONS: Final = CHECKOUT / "fixtures" / "destinations" / "mali-2026.csv"
# A body that answers nothing within its own term.
MUTE: Final = Destination("mute", "oclei", "anticorruption", None, FROM, answer_term="P2D")
_NOTHING: Final[Mapping[str, Any]] = {}
_TASK_DAYS: Final = 9
_PATIENCE_DAYS: Final = 4


def soon() -> bool:
    """Minutes later, on the same day."""
    return True


def tomorrow() -> bool:
    """On the next day of work."""
    return True


class Office:
    """Whoever works at the centre. `tasks`: whose each is; `refused`: tasks that could not be set; `surprises`: what a
    service refused, or let happen, against the script."""

    def __init__(self, hub: RunningHub, phones: Sequence[Phone]) -> None:
        self.hub = hub
        self.phones = list(phones)
        self.tasks: dict[str, Story] = {}
        self.surprises: list[str] = []
        self.refused = 0
        self._people = {
            "gao": add_person(hub.hub, "Awa", regions=["ml-r-gao"]),
            "mopti": add_person(hub.hub, "Sekou", regions=["ml-r-mopti"]),
            "all": add_person(hub.hub, "Fanta", is_named_reader=True),
            "second": add_person(hub.hub, "Kadia", is_named_reader=True),
        }
        publish_keyring(hub.hub, bytes(ROOT))
        known = destinations.read_list(_DESTINATIONS.read_text("utf-8"))
        destinations.add(hub.hub.store, at_desk(hub.hub, self._people["all"]), [*known, MUTE])

    def number(self, stories: Collection[Story]) -> None:
        """Learn the registry numbers of what has come."""
        new = {each.id: each for each in stories if not each.number}
        with self.hub.hub.store.read() as connection:
            rows = connection.exec_driver_sql("SELECT id, client_id FROM received WHERE op = 'complaint'").all()
            came = {id: new[client_id] for id, client_id in rows if client_id in new}
            for id, number in registry.numbers_of(connection, came).items():
                came[id].number = number

    def shown(self, affair: Affair) -> queues.Shown:
        """The case as its coordinator sees it."""
        return queues.show(self.hub.hub.store, self._desk(affair), affair.number)

    def status(self, affair: Affair) -> str:
        """Where the hub says that a case stands."""
        file = self.shown(affair).file
        return "" if file is None else file.status

    def move(
        self, affair: Affair, to: Status, who: str = "", settled: Mapping[str, Any] = _NOTHING, **given: str
    ) -> None:
        """Bring a case to a status as its coordinator, or somebody else."""
        desk = self._desk(affair, who)
        seen = queues.show(self.hub.hub.store, desk, affair.number).version
        moving.move(self.hub.hub.store, desk, affair.number, Intent(to, given, **settled), after=seen)
        affair.status = to

    def take_up(self, affair: Affair) -> None:
        """Triage ends: somebody works on it."""
        file = self.shown(affair).file
        assert file is not None
        settled = {"owner": self._login(affair), "kind": affair.members[0].facts["kinds"][0], "urgency": file.urgency}
        self.move(affair, "in_progress", settled=settled)
        affair.say("worked_on")

    def undo(self, affair: Affair, status: str) -> None:
        """Take back what was done last."""
        undoing.undo(self.hub.hub.store, self._desk(affair), affair.number)
        affair.status = status

    def note(self, story: Story) -> None:
        """Write down for the team what nobody else may read."""
        store, ring = self.hub.hub.store, keyrings.current(self.hub.hub.store)
        noting.write(store, self._desk(story.affair), ring, story.number, f"Ne pas nommer {story.canary('g')}.")

    def join(self, story: Story, into: Story) -> None:
        """The case of one is that of the other."""
        gone, affair = story.affair, into.affair
        desk, store = self._desk(story.affair, "all"), self.hub.hub.store
        seen = {"after": self._version(story, "all"), "into_after": self._version(into, "all")}
        joining.attach(store, desk, story.number, into.number, **seen)
        gone.say("worked_on")
        affair.members = [*affair.members, *gone.members]
        for each in gone.members:
            each.affair = affair

    def part(self, story: Story) -> None:
        """Take a complaint out of the case of another."""
        desk = self._desk(story.affair, "all")
        joining.detach(self.hub.hub.store, desk, story.number, after=self._version(story, "all"))
        story.affair.members = [each for each in story.affair.members if each is not story]
        story.affair = story.own

    def set_task(self, story: Story, kind: Kind, phone: Phone) -> str | None:
        """Set a task where the script knows of a way to the person; what the hub lets pass beyond that is unsafe."""
        allowed = story.ways(self.hub.lines().keys(), of_task=True) & set(RULES[kind].ways)
        today = self.hub.clock().date()
        parts = {"identity": story.content["identity"]["clear"]} if "identity" in story.content else {}
        window = Window(today, today + timedelta(days=_TASK_DAYS))
        errand = Errand(kind, phone.label, window, words=f"Voir {story.canary('w')}.", parts=parts)
        desk = self._desk(story.affair)
        try:
            id = tasking.set_task(self.hub.hub.store, desk, story.number, errand, after=self._version(story)).id
        except (ContactNotAllowed, TaskRefused) as refused:
            if allowed and (kind == "choice" or not story.is_gbv):
                self.surprises.append(f"{kind} of {story.number} ({story.course}): refused as {refused}")
            self.refused += 1
            return None
        self.tasks[id] = story
        return id

    def task(self, id: str) -> tasking.Shown:
        """A task as it stands."""
        return tasking.show(self.hub.hub.store, self._desk(self.tasks[id].affair), id)

    def errand(self, story: Story, kind: Kind, phones: Sequence[Phone]) -> Course:
        """A task until it is done, by the next phone where one is gone; nothing where nobody may go."""
        for phone in phones:
            id = self.set_task(story, kind, phone)
            if id is None:
                return
            story.tasks.add(id)
            while self.task(id).task.state in ("set", "told"):
                yield tomorrow
            if self.task(id).task.state == "done":
                return
            story.tasks.discard(id)

    def teams(self, story: Story, *, is_own: bool) -> list[Phone]:
        """Phones of the region that are in use: the one that brought the complaint first, or those of other teams."""
        here = [each for each in self.phones if each.own and each.own[0].region == story.region]
        ordered = sorted(here, key=lambda each: (each.at != story.phone, (each.at - story.phone) % len(self.phones)))
        usable = [each for each in ordered if not (each.is_revoked or each.is_away)]
        return usable if is_own else [each for each in usable if each.team != TEAMS[story.phone][0]]

    def verify(self, story: Story) -> None:
        """Begin to look into what was told."""
        act = story.facts["kinds"][0]
        seen = self._version(story)
        verifying.begin(self.hub.hub.store, self._desk(story.affair), story.number, act, after=seen)
        story.affair.say("verifying", only=story)

    def conclude(self, story: Story) -> None:
        """What those found who went there; of whom nobody came back, what the centre itself has."""
        devices = [label for id in story.tasks for label, _ in self.task(id).results]
        today = self.hub.clock().date()
        said = Concluded("inconclusive", "document", 1, "none", today)
        if devices:
            said = Concluded("corroborated", "visit", 2, "reasonable_grounds", today, devices[0])
        desk, seen = self._desk(story.affair), self._version(story)
        verifying.conclude(self.hub.hub.store, desk, story.number, story.facts["kinds"][0], said, after=seen)

    def refer(self, affair: Affair, to: Destination | None = None) -> Destination | None:
        """Send what may go of a case to a body, the first that takes it where none is named."""
        store, desk = self.hub.hub.store, self._desk(affair)
        offers = [each for each in sending.offers(store, desk, affair.number) if each.is_open]
        chosen = next((each for each in offers if _suits(each.destination, to)), None)
        if chosen is None:
            return None
        body = chosen.destination
        planned = sending.plan(store, desk, affair.number, body.code)
        sheets = [Sheet(each.complaint, each.parts, each.revision) for each in planned.going]
        sending.send(store, desk, affair.number, body.code, sheets, DIGEST, after=planned.version)
        affair.status = "referred"
        for each in affair.members:
            went = each.number in {going.number for going in planned.going}
            affair.say("referred" if went else "worked_on", only=each, **({"body": body.body} if went else {}))
        return body

    def answer(self, affair: Affair, body: Destination, sent: Collection[str]) -> None:
        """A body answered for good, and the hub takes the case up again."""
        outcomes = PROGRAMMES[body.programme].outcomes
        outcome = next(name for name, weight in outcomes.items() if weight == "final")
        store, desk = self.hub.hub.store, self._desk(affair)
        seen = queues.show(store, desk, affair.number).version
        referring.answer(store, desk, affair.number, body.code, outcome, after=seen)
        self.came_back(affair, sent, "body_answered", body=body.body, programme=body.programme, outcome=outcome)

    def came_back(self, affair: Affair, sent: Collection[str], template: str, **fields: str) -> None:
        """The hub takes up a case again of which no body has anything more to say."""
        for each in affair.members:
            if each.number in sent:
                affair.say(template, only=each, **fields)
            else:
                affair.say("worked_on", only=each)
        affair.say("worked_on")
        affair.status = "in_progress"

    def sent(self, affair: Affair) -> set[str]:
        """Which complaints of a case a body has."""
        found = referring.listed(self.hub.hub.store, self._desk(affair), affair.number)
        return {number for each in found for number in each.sent}

    def end(self, affair: Affair, closure: str) -> Generator[Wait, None, bool]:
        """Wait until all have heard what became of it, by a phone or by coming with the receipt; then close it.

        Gives whether everybody has.
        """
        waited = 0
        while (unheard := self._unheard(affair)) and waited < _PATIENCE_DAYS:
            waited += 1
            yield tomorrow
        for each in unheard:
            if each.at % 2:
                self._tell(each)
        untold = {} if all(each.at % 2 for each in unheard) else {"untold": "unreachable"}
        self.move(affair, "closed", "second" if affair.is_strict else "", closure=closure, **untold)
        affair.say("closed")
        return not untold

    def follow_up(self, affair: Affair) -> None:
        """Note how the person is, weeks before anybody has to ask."""
        seen = self.shown(affair).version
        following.follow_up(self.hub.hub.store, self._desk(affair), affair.number, "better", after=seen)

    def by_receipt(self, story: Story) -> list[tuple[str, dict[str, str]]]:
        """What whoever comes with the receipt of a complaint is read."""
        desk = at_desk(self.hub.hub, self._people["all"])
        found = hearing.by_receipt(self.hub.hub.store, desk, story.facts["receipt"])
        [answer] = [each for each in found if each.number == story.number]
        return [(each.template, dict(each.fields)) for each in answer.steps]

    def wish(self, story: Story, op: str, content: dict[str, Any], said: Said) -> Wait:
        """Somebody says this to the phone of a complaint, or to a colleague's where that is revoked; gives what to wait
        for until the hub has it."""
        wish = Wish(story, op, content, said)
        self._hear(wish)
        return lambda: wish.id in self.hub.lines()

    def hand_over(self, phone: Phone) -> None:
        """What a phone heard that is gone, and the hub did not, is said once more."""
        held = self.hub.lines()
        lost, phone.wishes = [each for each in phone.wishes if each.id not in held], []
        for wish in lost:
            wish.id = ""
            self._hear(wish)

    def _hear(self, wish: Wish) -> None:
        phone = self.phones[wish.story.phone]
        if phone.is_revoked:
            wish.content["lineage"] = phone.outbox.require_enrolled().lineage
            phone = next(each for each in self.phones if each.team == phone.team and not each.is_revoked)
        phone.wishes.append(wish)

    def _tell(self, story: Story) -> None:
        desk, seen = self._desk(story.affair), self._version(story)
        telling.by_word(self.hub.hub.store, desk, story.number, telling.BY_RECEIPT, after=seen)

    def _unheard(self, affair: Affair) -> list[Story]:
        """Those of a case of which nobody is known to have heard what the script said last."""
        found = self.shown(affair).hearings
        return [each for each in affair.members if not _has_heard(found[each.number], each)]

    def _version(self, story: Story, who: str = "") -> int:
        return queues.show(self.hub.hub.store, self._desk(story.affair, who), story.number).version

    def _desk(self, affair: Affair, who: str = "") -> Any:
        return at_desk(self.hub.hub, self._person(affair, who))

    def _person(self, affair: Affair, who: str = "") -> Person:
        if who:
            return self._people[who]
        [*regions] = affair.regions
        return self._people["all" if affair.is_strict or len(regions) > 1 else regions[0]]

    def _login(self, affair: Affair) -> str:
        known = {"gao": "awa", "mopti": "sekou", "all": "fanta"}
        person = self._person(affair)
        return next(known[name] for name, each in self._people.items() if each is person)


def _suits(found: Destination, wanted: Destination | None) -> bool:
    """The one that is wanted; else any whose answer is not due before somebody is at work again."""
    if wanted is not None:
        return found.code == wanted.code
    return found.code != MUTE.code and PROGRAMMES[found.programme].answer == "referral_answer"


def _has_heard(found: Hearing, story: Story) -> bool:
    is_last = found.told is not None and found.told.template == story.expected[-1][0]
    return found.by_word is not None or (is_last and found.seen_at is not None)
