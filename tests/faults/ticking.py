"""What hubs that die while they tick do, inside and outside, against what one does that nobody kills."""

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from random import Random
from typing import Any, Final

import sqlalchemy as sa

from server.hub import Hub
from server.scheduler import JOBS, run_if_due
from server.services import clock as clocks
from server.services import silences
from server.store import notices
from server.store.case_tables import casefile, timeline
from server.store.delivery_tables import delivery
from server.store.due_tables import notice
from server.store.figure_tables import frozen_figure
from server.store.jobs import LEASE
from server.store.schema import account, anchor, change, device, erasure, event, job_run
from tests.builders import NOW, Clock, Sender, add_person, an_id, complaint, enrolled, operation
from tests.faults.rig import opened, settings_of
from tests.faults.ticker import Kill, Tick, Ticker
from tests.receiver import Receiver

Effects = Counter[tuple[Any, ...]]

# A round ticks three times at the same due times: a run whose process died is taken up, killed again, and taken up.
# Were nobody ever left alive for a whole day, what is due once a day would rightly not be done on it.
_KILLED: Final = (True, True, False)
_ROUND: Final = timedelta(hours=6)
_INSIDE: Final = 0.9
# Jobs that have something to catch up on, whatever was done before: daily and hourly ones.
_CAUGHT_UP: Final = 9
# At last nobody is killed, until whatever depended on when a run came is over: a day later all is erased that is to be.
_LAST: Final = (*[LEASE] * 3, *[_ROUND] * 10)
# A complaint that is taken back is erased a day later.
_WITHDRAWN_EACH: Final = 4
_SETTINGS: Final[Mapping[str, Any]] = {"withdrawn_keep_days": 1, "silent_device_days": 2}


@dataclass(frozen=True)
class Deaths:
    """A run of kills: effects that hubs that died had more often, and less often, than one that nobody killed; and how
    many effects that one had."""

    kills: int
    effects: int
    twice: int
    skipped: int
    kinds: frozenset[str]


class World:
    """A hub with its people, its devices and a receiver of its notices; it can tick in this process."""

    def __init__(self, hub: Hub, clock: Clock, receiver: Receiver) -> None:
        self.hub, self.receiver, self._clock = hub, receiver, clock
        add_person(hub, "Oumou", "administrator")
        self._cheick = add_person(hub, "Cheick", teams=["gao"]).actor.id
        self._sender = enrolled(hub, "Gao 1", team="gao")
        self._silent: Sender = enrolled(hub, "Gao 2", team="gao")

    def report(self, no: int, now: datetime) -> None:
        """One more complaint, in danger now and then; now and then one that is taken back at once."""
        self._clock.now = now
        # Nothing is compared here: the word that nobody does it would depend on the hour of a tick.
        silences.note_matcher(self.hub.store, now)
        self._sender.send(complaint(no, urgency={"danger": "yes" if no % 2 else "no"}))
        if no % _WITHDRAWN_EACH == 0:
            taken_back = {"complaint": an_id(no), "scope": "all"}
            self._sender.send(operation("withdrawal", f"withdrawal {no}", taken_back))
        # As what people do to a case leaves them.
        with self.hub.store.write() as connection:
            notices.tell(connection, account=self._cheick, code="handed", key=f"handed:{no}", at=now)

    def tick(self, now: datetime) -> None:
        """Every job that is due, once."""
        self._clock.now = now
        for job in JOBS:
            run_if_due(self.hub, job)

    def effects(self) -> Effects:
        """What the hub did, by names that no chance and no clock has a part in, each as often as it did it."""
        with self.hub.store.read() as connection:
            found = (
                *_entries(connection),
                *_changes(connection),
                *_notices(connection),
                *_outside(connection, self.receiver),
                *_kept(connection),
            )
        return Counter(found)


@contextmanager
def worlds(folder: Path, database: str = "", **settings: Any) -> Iterator[World]:
    """A world in a folder, at NOW."""
    clock = Clock()
    with Receiver() as receiver, ExitStack() as stack:
        told = replace(settings_of(folder, database), notice_url=receiver.url, **(dict(_SETTINGS) | settings))
        yield World(stack.enter_context(opened(told, clock)), clock, receiver)


def deaths(kills: int, folder: Path, hubs: int = 1, database: str = "") -> Deaths:
    """Kill so many hubs that tick, `hubs` of them at a time, each at a step that is drawn, until they did all that one
    does that nobody kills. More than one take a PostgreSQL `database`."""
    chances, done, now = Random(kills + hubs), 0, NOW
    with Ticker() as ticker, worlds(folder / "sound") as sound, worlds(folder / "killed", database) as killed:
        for no in count():
            for world in (sound, killed):
                world.report(no, now)
            for is_killed in _KILLED:
                [whole] = ticker.tick(sound.hub.settings, now, [None])
                drawn = [_drawn(chances, whole) if is_killed else None for _ in range(hubs)]
                done += sum(each.was_killed for each in ticker.tick(killed.hub.settings, now, drawn))
                now += LEASE
            now += _ROUND
            if done >= kills:
                break
        for pause in _LAST:
            for world in (sound, killed):
                ticker.tick(world.hub.settings, now, [None])
            now += pause
        wanted, had = sound.effects(), killed.effects()
    twice, skipped = (had - wanted).total(), (wanted - had).total()
    return Deaths(done, wanted.total(), twice, skipped, frozenset(str(each[0]) for each in wanted))


def _drawn(chances: Random, whole: Tick) -> Kill:
    """A step of a tick, more often than not of what jobs do; of the hub that was killed before it may be another."""
    if whole.inside and chances.random() < _INSIDE:
        return Kill(chances.randint(1, whole.inside), is_inside=True)
    return Kill(chances.randint(1, max(whole.steps, 1)), is_inside=False)


@dataclass(frozen=True)
class Jump:
    """What a hub did after its clock jumped, or after it was off: the most runs of one job, and what can't be undone
    that was done before anybody accepted the clock."""

    runs_most: int
    undoable_before: int
    is_doubted: bool


def jump(passed: timedelta, folder: Path, database: str = "") -> Jump:
    """Let a hub work, then let its clock be off by so much, and tick for an hour; then accept the clock if that is
    asked for, and tick until every job has caught up."""
    with worlds(folder, database) as world:
        for no in range(8):
            world.report(no, NOW + no * _ROUND)
            world.tick(NOW + no * _ROUND)
        now = NOW + 7 * _ROUND + passed
        before, ran = _timed(world), _runs(world.hub)
        world.tick(now)
        is_doubted = clocks.standing(world.hub.store).doubted is not None
        if is_doubted:
            for _ in range(12):
                now += timedelta(minutes=5)
                world.tick(now)
            undoable = (_timed(world) - before).total()
            clocks.accept(world.hub.store, now)
            ran = _runs(world.hub)
        # Within one minute no job is due twice.
        for _ in range(3):
            world.tick(now)
            now += timedelta(seconds=10)
        # As a set: of the runs from before some are forgotten by the first that is caught up.
        caught_up = Counter(name for name, _ in _runs(world.hub) - ran)
    assert len(caught_up) >= _CAUGHT_UP, caught_up
    return Jump(max(caught_up.values()), undoable if is_doubted else 0, is_doubted)


def _timed(world: World) -> Effects:
    """Effects but for those of the jobs that go on whatever the clock says, and for the word that it is doubted."""
    goes_on = {job.name for job in JOBS if not job.needs_clock}
    assert goes_on == {"acknowledge", "backup", "count", "index"}
    told = {"clock_doubted", "moved", "opened"}
    return Counter({each: times for each, times in world.effects().items() if not told & {*each}})


def _runs(hub: Hub) -> set[tuple[str, datetime]]:
    with hub.store.read() as connection:
        rows = connection.execute(sa.select(job_run.c.name, job_run.c.due_at))
        return {(name, due_at) for name, due_at in rows}


def _entries(connection: sa.Connection) -> Iterator[tuple[Any, ...]]:
    """Entries of the hub itself: what of which case, and who was told."""
    logins = _logins(connection)
    columns = (timeline.c.code, casefile.c.ref, timeline.c.fields)
    select = sa.select(*columns).join(casefile, casefile.c.id == timeline.c.casefile)
    for code, ref, fields in connection.execute(select):
        yield code, ref, fields.get("to"), fields.get("deadline"), logins.get(fields.get("account"))


def _changes(connection: sa.Connection) -> Iterator[tuple[Any, ...]]:
    """What devices are told: of which record, which words."""
    columns = (device.c.label, change.c.kind, change.c.client_id, change.c.body)
    select = sa.select(*columns).join(device, device.c.lineage == change.c.lineage)
    for label, kind, client_id, body in connection.execute(select):
        yield "change", label, kind, client_id, body.get("t"), body.get("state")


def _notices(connection: sa.Connection) -> Iterator[tuple[Any, ...]]:
    for login, code, deadline, ref, label in connection.execute(_NOTICES):
        yield "notice", login, code, deadline, ref, label


def _outside(connection: sa.Connection, receiver: Receiver) -> Iterator[tuple[Any, ...]]:
    """What people heard outside: each notice as often as a message that arrived carried it."""
    # Of one whose case was erased since, the message is all that is left.
    carried: dict[str | None, list[tuple[Any, ...]]] = {id: [] for id in connection.scalars(sa.select(delivery.c.id))}
    for *named, key in connection.execute(_NOTICES.add_columns(notice.c.delivery)):
        carried.setdefault(key, []).append(tuple(named))
    for key in receiver.effects:
        # A message that the hub knows nothing of is one too many; its key is like no other's.
        for named in carried.get(key, [("nobody", key)]):
            yield "outside", *named


def _kept(connection: sa.Connection) -> Iterator[tuple[Any, ...]]:
    """What was erased, anchored, frozen."""
    yield from (("erased", id) for id in connection.scalars(sa.select(erasure.c.client_id)))
    yield from (("anchor", day) for day in connection.scalars(sa.select(anchor.c.day)))
    for period, code in connection.execute(sa.select(frozen_figure.c.period, frozen_figure.c.code)):
        yield "frozen", period, code
    done = sa.select(event.c.action).where(event.c.action.in_(("erase", "freeze")))
    yield from (("event", action) for action in connection.scalars(done))


def _logins(connection: sa.Connection) -> dict[str, str]:
    return {row.id: row.login for row in connection.execute(sa.select(account.c.id, account.c.login))}


_NOTICES: Final = (
    sa.select(account.c.login, notice.c.code, notice.c.deadline, casefile.c.ref, device.c.label)
    .join(account, account.c.id == notice.c.account)
    .join(casefile, casefile.c.id == notice.c.casefile, isouter=True)
    .join(device, device.c.id == notice.c.device, isouter=True)
)
