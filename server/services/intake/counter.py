"""The counter: what a person writes down at the hub is filed as if a device of its own had sent it.

The entry passes the door of what comes in clear (docs/decisions/0013-clear-doors.md). One lineage holds all of them;
nobody has a token of its device, so that nothing can come under it by any other way.
"""

import hashlib
import json
import secrets
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final
from uuid import UUID, uuid4, uuid5

import sqlalchemy as sa

from client_sync.complaint import Answers, build_complaint
from client_sync.errors import ContentRefused
from client_sync.protocol.canonical import canonical
from client_sync.protocol.codes import STORED
from client_sync.protocol.frames import to_text
from client_sync.protocol.linkage import SCHEME, linkage_keys
from client_sync.protocol.receipts import new_receipt
from client_sync.protocol.records import read_time
from client_sync.seal import seal_to
from server.domain.complaint import clear_facts
from server.domain.desk import Desk
from server.domain.digests import keyed
from server.domain.errors import NotAdmissible, NotFound
from server.domain.permission import Actor, Target, case_target, permit
from server.services.intake.filing import Filing, file_lines
from server.services.intake.reading import LINKAGE, Line, read_line
from server.services.intake.sealing import Sealing, seal_line
from server.store import audit, complaints, devices, registry
from server.store.complaints import Filed, Origin
from server.store.devices import Device
from server.store.engine import Store

# What lists of complaints show beside its number, where the label of a device stands.
LABEL: Final = "centre"


@dataclass(frozen=True)
class Entry:
    """What somebody wrote down: the id of the form on which it stands, a UUID, and the answers."""

    form: str
    answers: Answers = field(repr=False)


@dataclass(frozen=True)
class Recorded:
    """A complaint that stands: the code that its complainant takes home, and its registry number."""

    receipt: str
    number: str


class FormUsed(Exception):
    """Another complaint was written down on this form; `recorded` is that one."""

    def __init__(self, recorded: Recorded) -> None:
        super().__init__(recorded.number)
        self.recorded = recorded


def record(store: Store, desk: Desk, registry_prefix: str, entry: Entry, sealing: Sealing) -> Recorded:
    """File a complaint from what was answered; the same form sent again with the same answers gives what stands.

    Raises NotFound where the actor records none, FormUsed, and NotAdmissible for answers that no form allows.
    """
    _check_recorder(desk.actor)
    id = _id_of(desk.actor, entry.form)
    with store.write() as connection:
        counter = _locked(connection, desk.now)
        standing = _standing(connection, counter.lineage, id)
        if standing is not None:
            return _again(connection, standing, id, entry, sealing)
        content = _content(_scoped(entry.answers, desk.actor), desk.now, new_receipt(secrets.choice))
        received = _file(connection, counter, id, content, desk, sealing)
        object = f"complaint:{received}"
        audit.record(connection, at=desk.now, actor=desk.actor.signature, action="record_complaint", object=object)
        registry.assign(connection, registry_prefix, desk.now.year, [received])
        return _recorded(connection, received, content)


def alike(store: Store, desk: Desk, entry: Entry) -> list[str]:
    """Registry numbers, a few at most, of what was written down here on other forms and may be the same sheet.

    That is: told on the same day, of the same cercle, kind and first day, and such that the actor may find it. None for
    a form that was filed already. Raises NotFound where the actor records none.
    """
    _check_recorder(desk.actor)
    answers = entry.answers
    # What is told today has no other moment than that it is written down.
    told_on = read_time(answers.collected_at or "") or desk.now
    with store.read() as connection:
        counter = devices.counter(connection)
        if counter is None or answers.cercle is None:
            return []
        if _standing(connection, counter.lineage, _id_of(desk.actor, entry.form)) is not None:
            return []
        day = told_on.replace(hour=0, minute=0, second=0, microsecond=0)
        about = answers.cercle, answers.kinds[0], answers.incident_from, day
        found = complaints.told_alike(connection, counter.lineage, *about)
        seen = [each.id for each in found if permit(desk.actor, "find_complaint", _target(desk, each))]
        return sorted(registry.numbers_of(connection, seen).values())


def recorded(store: Store, desk: Desk, form: str) -> Recorded | None:
    """What the actor wrote down on a form; None where that is nothing. Raises NotFound."""
    _check_recorder(desk.actor)
    with store.read() as connection:
        counter = devices.counter(connection)
        standing = counter and _standing(connection, counter.lineage, _id_of(desk.actor, form))
        return _recorded(connection, standing.id, standing.content) if standing else None


@dataclass(frozen=True)
class _Standing:
    """A complaint of the counter as it is kept: its id here, its content and the keyed hash of what came."""

    id: int
    content: dict[str, Any]
    hash: str


def _target(desk: Desk, filed: Filed) -> Target:
    return case_target(desk.places, filed.place_id, filed.team, filed.partner, filed.confidentiality)


def _check_recorder(actor: Actor) -> None:
    if not permit(actor, "record_complaint"):
        raise NotFound(object="entry")


def _id_of(actor: Actor, form: str) -> str:
    """The id of the complaint on a form: whoever learns a form of somebody else's finds nothing by it."""
    try:
        return str(uuid5(UUID(actor.id), str(UUID(form))))
    except ValueError:
        raise NotFound(object="form") from None


def _scoped(answers: Answers, actor: Actor) -> Answers:
    """The answers under the team and the partner of who writes them down, where that is one."""
    [team] = actor.teams if len(actor.teams) == 1 else [None]
    [partner] = actor.partners if len(actor.partners) == 1 else [None]
    return replace(answers, team=team, partner=partner)


def _locked(connection: sa.Connection, now: datetime) -> Device:
    """The counter, set up when it is first used, and its lineage locked: one entry at a time."""
    known = devices.counter(connection)
    if known is None:
        _set_up(connection, now)
        known = devices.counter(connection)
        assert known is not None
    devices.lock_lineage(connection, known.lineage)
    # As the one before left it.
    fresh = devices.find(connection, known.id)
    assert fresh is not None
    return fresh


def _set_up(connection: sa.Connection, now: datetime) -> None:
    devices.lock_registry(connection)
    # Somebody else may have done so meanwhile.
    if devices.counter(connection) is None:
        id = str(uuid4())
        devices.add_lineage(connection, id, None)
        devices.add(connection, _device(id, now))


def _device(id: str, now: datetime) -> dict[str, Any]:
    keyless = {"sign_key": "", "box_key": "", "token_hash": secrets.token_hex(hashlib.sha256().digest_size)}
    allowance = {"records_left": 0.0, "bytes_left": 0.0, "refilled_at": now}
    about = {"id": id, "lineage": id, "label": LABEL, "state": devices.COUNTER, "enrolled_at": now}
    return about | keyless | allowance


def _standing(connection: sa.Connection, lineage: str, id: str) -> _Standing | None:
    hashes = complaints.known_hashes(connection, lineage, [id])
    filed = complaints.find(connection, lineage, id) if hashes else None
    if filed is None:
        return None
    return _Standing(filed.id, json.loads(complaints.line_of(connection, filed.id))["content"], hashes[id])


def _again(connection: sa.Connection, standing: _Standing, id: str, entry: Entry, sealing: Sealing) -> Recorded:
    """What stands, where the same was answered: written at the same moment, under the same code, it has its hash."""
    facts = clear_facts(standing.content)
    entered_at = read_time(facts["entered_at"])
    assert entered_at is not None
    answers = replace(entry.answers, team=facts.get("team"), partner=facts.get("partner"))
    content = _content(answers, entered_at, facts["receipt"])
    found = _recorded(connection, standing.id, standing.content)
    if keyed(read_line(_line("complaint", id, 0, content)).hash, sealing.pepper) != standing.hash:
        raise FormUsed(found)
    return found


def _content(answers: Answers, now: datetime, receipt: str) -> dict[str, Any]:
    try:
        return build_complaint(answers, now=now, receipt=receipt)
    except ContentRefused as refused:
        raise NotAdmissible(reason=refused.details["why"], field=refused.details["field"]) from None


def _file(
    connection: sa.Connection, counter: Device, id: str, content: dict[str, Any], desk: Desk, sealing: Sealing
) -> int:
    """File the complaint and what its duplicates are searched by; gives the id that it has here."""
    # Two operations of each entry; their place tells the order of what was written down.
    seq = counter.last_frame + 1
    devices.update(connection, counter.id, last_frame=seq + 1)
    bound = {"complaint": id, "lineage": counter.lineage}
    box = seal_to(sealing.keyring.linkage, canonical(linkage_keys(content) | bound))
    linkage = {"complaint": id, "v": SCHEME, "box": to_text(box)}
    lines = [
        _sealed("complaint", id, seq, content, counter, sealing),
        _sealed(LINKAGE, str(uuid5(UUID(id), LINKAGE)), seq + 1, linkage, counter, sealing),
    ]
    origin = Origin(counter.lineage, counter.id, None, desk.now)
    outcome, _ = file_lines(Filing(connection, origin, desk.places), lines)
    if outcome.verdict != STORED or outcome.received is None:
        raise NotAdmissible(reason=outcome.code, field=outcome.field)
    return outcome.received


def _sealed(op: str, id: str, seq: int, content: dict[str, Any], counter: Device, sealing: Sealing) -> Line:
    # Neither speaks of another complaint: whether that is strict is asked of none.
    return seal_line(read_line(_line(op, id, seq, content)), counter, sealing, lambda _: True)


def _line(op: str, id: str, seq: int, content: dict[str, Any]) -> bytes:
    return canonical({"content": content, "id": id, "op": op, "seq": seq})


def _recorded(connection: sa.Connection, id: int, content: dict[str, Any]) -> Recorded:
    facts = clear_facts(content)
    return Recorded(facts["receipt"], registry.numbers_of(connection, [id])[id])
