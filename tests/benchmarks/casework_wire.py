"""Status back on the wire: what twenty steps weigh on their way down, and what it costs to ask for none."""

from collections.abc import Iterator
from datetime import timedelta
from http.client import HTTPConnection
from random import Random
from typing import Final

import sqlalchemy as sa

from server.app import create_app
from server.domain.desk import Desk
from server.domain.permission import JOB
from server.hub import Hub
from server.services.cases import holding, moving, telling
from server.services.cases.moving import Intent
from server.store import devices, registry, timeline
from server.store.schema import received
from tests.benchmarks.figure import Figure, note
from tests.benchmarks.harness import SYNC, Address, HubProcess, Sender, Void, enrol, fresh_folder, opened
from tests.benchmarks.load import complaint_lines, require_all_stored

FIGURES: Final = ("status_20_down_bytes", "status_idle_down_bytes")
_SEED: Final = 20_261_122
_DAYS: Final = 7
_PATIENCE_S: Final = 60
_ARRIVED: Final[tuple[str, dict[str, str]]] = ("acknowledged", {})
# What a week brings to one phone: more of what comes early, and some of what says something by a code.
_TOLD: Final[tuple[tuple[str, dict[str, str]], ...]] = (
    *[_ARRIVED] * 7,
    *[("worked_on", {})] * 5,
    ("referred", {"body": "cndh"}),
    ("referred", {"body": "gendarmerie"}),
    ("question", {"question": "when"}),
    ("question", {"question": "documents"}),
    ("verifying", {}),
    ("resolved", {"outcome": "remedied"}),
    ("closed", {}),
    ("body_answered", {"body": "cndh", "programme": "commission", "outcome": "registered"}),
)
STEPS: Final = len(_TOLD)


def measure() -> Iterator[Figure]:
    """Bytes of the body of the answer that brings twenty steps of a week, and of all that answers an idle poll, its
    headers too; as a field client asks, which takes gzip."""
    with fresh_folder() as folder:
        with opened(folder) as hub:
            sender = enrol(hub)
            sent = sender.body(complaint_lines(Random(_SEED), STEPS))
            answer = create_app(hub).test_client().post(SYNC, data=sent, headers=sender.headers)
            require_all_stored(answer.status_code, answer.data, STEPS)
            before = _tell_steps(hub, sender)
        with HubProcess(folder) as process:
            body, whole = _ask(process.address, sender, f"{sender.epoch}.{before}")
            idle_body, idle = _ask(process.address, sender, f"{sender.epoch}.{before + STEPS}")
    note(f"twenty steps: {whole} bytes down with the headers; an idle poll: {idle_body} without")
    yield Figure("status_20_down_bytes", body, "bytes", "<=", 600)
    yield Figure("status_idle_down_bytes", idle, "bytes", "<=", 200)


def _tell_steps(hub: Hub, sender: Sender) -> int:
    """Tell one step of each complaint, made on several days; gives how many changes there were before."""
    dice = Random(_SEED)
    with hub.store.read() as connection:
        select = sa.select(received.c.id).where(received.c.op == "complaint").order_by(received.c.id)
        numbers = list(registry.numbers_of(connection, connection.scalars(select).all()).values())
    told = list(zip(numbers, dice.sample(_TOLD, len(_TOLD)), strict=True))
    for number, step in told:
        if step != _ARRIVED:
            moving.move(hub.store, _desk(hub), number, Intent("acknowledged"), after=0)
    telling.tell_due(hub.store, hub.clock())
    with hub.store.read() as connection:
        before = devices.lineage_of(connection, sender.lineage).changes
    for number, step in told:
        _leave(hub, _desk(hub, dice.randrange(_DAYS)), number, step)
    if telling.tell_due(hub.store, hub.clock()) != STEPS:
        raise Void("not every step was told")
    return before


def _desk(hub: Hub, days_ago: int = 0) -> Desk:
    return Desk(JOB, None, hub.clock() - timedelta(days=days_ago))


def _leave(hub: Hub, desk: Desk, number: str, step: tuple[str, dict[str, str]]) -> None:
    if step == _ARRIVED:
        moving.move(hub.store, desk, number, Intent("acknowledged"), after=0)
        return
    with hub.store.write() as connection:
        case = holding.look(connection, desk, holding.complaint_of(connection, number))
        assert case is not None
        said = {"template": step[0], "fields": step[1]}
        timeline.append(connection, holding.entry_of(desk, case, "figures", step=said, tells_at=desk.now))


def _ask(address: Address, sender: Sender, cursor: str) -> tuple[int, int]:
    """Bytes of the body of an answer as it came, and of the whole of it."""
    connection = HTTPConnection(*address, timeout=_PATIENCE_S)
    try:
        connection.request("POST", SYNC, sender.body([], cursor), sender.headers | {"Accept-Encoding": "gzip"})
        answer = connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise Void(f"the hub answered {answer.status}")
        head = [f"HTTP/1.1 200 {answer.reason}", *(f"{name}: {value}" for name, value in answer.getheaders())]
        return len(body), sum(len(line) + 2 for line in head) + 2 + len(body)
    finally:
        connection.close()
