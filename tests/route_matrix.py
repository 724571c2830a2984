"""The matrix of routes: each route × each role × one's own object, another's, one that was ended, one that never was.

It is made from the map of routes: a new route is part of it, and so is a new kind of object once OBJECTS names it.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, get_args
from uuid import uuid4

import pyotp
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.routing import Rule
from werkzeug.test import TestResponse

from server.domain.desk import Desk
from server.domain.matching import link_ids
from server.domain.packages import Number
from server.domain.people import Role
from server.domain.permission import NOTHING, OPERATOR, UNREADABLE, Action, Actor, Target, permit
from server.domain.referral import Destination
from server.domain.task import Window
from server.hub import Hub
from server.services import devices
from server.services.accounts import people, sessions
from server.services.accounts.people import Made, Post
from server.services.accounts.sessions import Claim
from server.services.cases import destinations, queues, sending, tasking
from server.services.cases.tasking import Errand
from server.services.commission import preparing, serials
from server.services.duplicates import matching
from server.services.intake import admission
from server.store import accounts, complaints, erasures, packages, pieces, registry
from server.store import devices as enrolments
from server.store.packages import Package
from server.web.auth import Guard
from tests.builders import COORDINATOR, PASSPHRASE, an_id, complaint, enrolled
from tests.decision_walks import add_link
from tests.pair_work import send

WITHOUT_ACTION = frozenset(get_args(Guard))
# Views that a library brings, which we can't decorate: endpoint, and why everybody may call it.
PUBLIC_BY_LIBRARY = {"api-docs.openapi_json": "the description of the protocol holds nothing of this hub"}
# Public pages that make or end what the others are called with.
DOORS = frozenset({"login.log_out"})
HTML = {"Accept": "text/html"}
# To the first of them somebody of the commission belongs.
BODIES = [
    Destination("cndh", "cndh", "commission", None, date(2020, 1, 1)),
    Destination("oclei", "oclei", "anticorruption", None, date(2020, 1, 1)),
]
OWN, ANOTHERS, ENDED, NEVER = "own", "another's", "ended", "never existed"


def _handlers(view: Callable[..., Any], methods: set[str]) -> list[Callable[..., Any]]:
    """The functions behind a view: itself, or the methods of its class."""
    view_class = getattr(view, "view_class", None)
    if view_class is None:
        return [view]
    return [getattr(view_class, method.lower()) for method in methods if hasattr(view_class, method.lower())]


def guards_of(app: Flask, rule: Rule) -> list[str | None]:
    handlers = _handlers(app.view_functions[rule.endpoint], rule.methods or set())
    return [getattr(handler, "guard", None) for handler in handlers]


@dataclass(frozen=True)
class Surprise:
    """A route that answered otherwise than it has to; `whose` is the object that was asked for."""

    method: str
    route: str
    whose: str
    status: int


@dataclass
class Visitor:
    """A browser, logged in as somebody of a role; None for nobody."""

    hub: Hub
    app: Flask
    role: Role | None
    is_named_reader: bool = False
    made: Made | None = None

    def __post_init__(self) -> None:
        self.client: FlaskClient = self.app.test_client()
        self._cookie = ""
        if self.role is not None:
            self._log_in(self.role)
            cookie = self.client.get_cookie("seere")
            self._cookie = cookie.value if cookie else ""

    @property
    def actor(self) -> Actor | None:
        return None if self.made is None else self.made.account.actor

    def _log_in(self, role: Role) -> None:
        name = f"{role} {uuid4()}"
        key, now = self.hub.secrets.totp, self.hub.clock()
        if role == "commission":
            destinations.add(self.hub.store, self.hub.desk(COORDINATOR), BODIES)
        post = Post(role, is_named_reader=self.is_named_reader, destination=BODIES[0].code)
        self.made = people.make(self.hub.store, key, OPERATOR, name, post, PASSPHRASE, now)
        self.call("POST", "/login", name=name, passphrase=PASSPHRASE)
        if self.made.secret is not None:
            self.call("POST", "/login/code", code=pyotp.TOTP(self.made.secret).at(now))

    def call(self, method: str, path: str, **form: str) -> TestResponse:
        """Ask for a page, or send a form with the token of one; logged in, whatever an earlier call did to that."""
        if self._cookie:
            self.client.set_cookie("seere", self._cookie)
        if method == "GET":
            return self.client.get(path, headers=HTML)
        page = self.client.get("/login", headers=HTML).text
        found = re.search(r'name="csrf_token" value="([^"]+)"', page)
        assert found is not None
        return self.client.post(path, headers=HTML, data={"csrf_token": found[1]} | form)

    def other_session(self) -> str:
        """Log in once more, elsewhere; gives the id of that session."""
        assert self.made is not None
        key, now = self.hub.secrets.totp, self.hub.clock()
        known = {each.id for each in sessions.open_sessions(self.hub.store, self.made.account.actor, now)}
        claim = Claim(self.made.account.name, PASSPHRASE, "elsewhere")
        entry = sessions.log_in(self.hub.store, key, claim, now)
        if self.made.secret is not None:
            with self.hub.store.write() as connection:
                accounts.update(connection, self.made.account.id, totp_step=0)
            code = pyotp.TOTP(self.made.secret).at(now)
            sessions.give_code(self.hub.store, key, entry.token, code, "elsewhere", now)
        opened = sessions.open_sessions(self.hub.store, self.made.account.actor, now)
        [new] = [each.id for each in opened if each.id not in known]
        return new


@dataclass(frozen=True)
class Object:
    """What a path names, and what it is to `permit`; a target of None is not there."""

    name: str
    target: Target | None


def _sessions(visitor: Visitor, whose: str) -> Object:
    if whose == NEVER:
        return Object("0123456789abcdef", None)
    if whose == ANOTHERS:
        return Object(Visitor(visitor.hub, visitor.app, "verifier").other_session(), Target(is_own=False))
    id = visitor.other_session()
    if whose == ENDED:
        assert visitor.actor is not None
        sessions.end(visitor.hub.store, visitor.actor, id, visitor.hub.clock())
        return Object(id, None)
    return Object(id, Target(is_own=True))


def _files(_: Visitor, whose: str) -> Object:
    return Object("seere.css", NOTHING) if whose == OWN else Object(f"{whose[0]}.css", None)


def _cercles(_: Visitor, whose: str) -> Object:
    return Object("ml-c-bla", NOTHING) if whose == OWN else Object(f"{whose[0]}-nowhere", None)


def _pieces(visitor: Visitor, whose: str) -> Object:
    """The piece of a complaint that whoever covers all handles, of a strict one, of one that was erased, and none."""
    made: dict[str, Object] = visitor.app.extensions.setdefault("pieces of the matrix", {})
    if whose not in made:
        made[whose] = Object("99999999", None) if whose == NEVER else _new_piece(visitor.hub, whose)
    return made[whose]


def _new_piece(hub: Hub, whose: str) -> Object:
    is_strict = whose == ANOTHERS
    sender, name = enrolled(hub, f"Calebasse of the piece {whose}"), f"piece {whose}"
    files = [{"sha256": an_id(whose).replace("-", "") * 2, "size": 9, "kind": "photo", "role": "evidence"}]
    sender.send(complaint(name, confidentiality="strict" if is_strict else "confidential", files=files))
    with hub.store.write() as connection:
        [id] = complaints.ids_of(connection, [(sender.lineage, an_id(name))]).values()
        [found] = pieces.of_complaints(connection, [id])[id]
        subject = erasures.subject_of(connection, id)
        if whose == ENDED and subject is not None:
            erasures.wipe(connection, subject, hub.clock(), hub.clock())
    return Object(str(found.id), None if whose == ENDED else Target(is_strict=is_strict))


def _uploads(_: Visitor, whose: str) -> Object:
    """Of no person: devices alone have any."""
    return Object(an_id(whose).replace("-", ""), None)


def _devices(visitor: Visitor, whose: str) -> Object:
    """No device is anybody's: one that is here, and three ids of none."""
    if whose == OWN:
        return Object(enrolled(visitor.hub, "Calebasse").device, NOTHING)
    return Object(an_id(whose), None)


def _invitations(visitor: Visitor, whose: str) -> Object:
    """No code is anybody's: one that is open, by its hash, and three of none."""
    if whose != OWN:
        return Object(an_id(whose), None)
    hub = visitor.hub
    devices.invite(hub.store, hub.clock(), label="Calebasse", valid_hours=1)
    with hub.store.read() as connection:
        return Object(enrolments.open_enrolments(connection, hub.clock())[0].code_hash, NOTHING)


def _accounts(visitor: Visitor, whose: str) -> Object:
    """An account is managed by whoever manages people, whosever it is."""
    if whose in (ANOTHERS, NEVER):
        return Object(an_id(whose), None)
    hub, name = visitor.hub, f"colleague {uuid4()}"
    made = people.make(hub.store, hub.secrets.totp, OPERATOR, name, Post("monitor"), PASSPHRASE, hub.clock())
    if whose == ENDED:
        people.end(hub.store, OPERATOR, name, hub.clock())
        return Object(made.account.id, None)
    return Object(made.account.id, NOTHING)


def _cases(visitor: Visitor, whose: str) -> Object:
    """A complaint that whoever covers all handles, one for named readers alone, one that was erased, a number of none.

    Each made once for an application: what one route does to it is nothing to the next.
    """
    made: dict[str, Object] = visitor.app.extensions.setdefault("cases of the matrix", {})
    if whose not in made:
        made[whose] = Object("SRE-2026-999999", None) if whose == NEVER else _new_case(visitor.hub, whose)
    return made[whose]


def _new_case(hub: Hub, whose: str) -> Object:
    is_strict = whose == ANOTHERS
    sender = enrolled(hub, f"Calebasse {whose}")
    sender.send(complaint(whose, confidentiality="strict" if is_strict else "confidential"))
    with hub.store.write() as connection:
        [id] = complaints.ids_of(connection, [(sender.lineage, an_id(whose))]).values()
        number = registry.numbers_of(connection, [id])[id]
        subject = erasures.subject_of(connection, id)
        if whose == ENDED and subject is not None:
            erasures.wipe(connection, subject, hub.clock(), hub.clock())
    return Object(number, None if whose == ENDED else Target(is_strict=is_strict))


def _statuses(_: Visitor, whose: str) -> Object:
    return Object("in_triage", NOTHING) if whose == OWN else Object("nowhere", None)


def _tasks(visitor: Visitor, whose: str) -> Object:
    """A task of one's own case, and three ids of none; as `_cases`, one for an application."""
    return _of_own_case(visitor, whose, _new_task)


def _referrals(visitor: Visitor, whose: str) -> Object:
    """A referral that is prepared, of one's own case, and three ids of none; as `_cases`, one for an application."""
    return _of_own_case(visitor, whose, _new_referral)


def _of_own_case(visitor: Visitor, whose: str, make: Callable[[Hub, str, int], str]) -> Object:
    if whose != OWN:
        return Object(an_id(whose), None)
    made: dict[str, str] = visitor.app.extensions.setdefault("of the case of the matrix", {})
    if make.__name__ not in made:
        hub, number = visitor.hub, _cases(visitor, OWN).name
        seen = queues.show(hub.store, hub.desk(COORDINATOR), number).version
        made[make.__name__] = make(hub, number, seen)
    return Object(made[make.__name__], NOTHING)


def _new_task(hub: Hub, number: str, seen: int) -> str:
    device, today = enrolled(hub, "Calebasse of the task"), hub.clock().date()
    errand = Errand("ask", device.device, Window(today, today + timedelta(days=9)))
    return tasking.set_task(hub.store, hub.desk(COORDINATOR), number, errand, after=seen).id


def _new_referral(hub: Hub, number: str, seen: int) -> str:
    desk = hub.desk(COORDINATOR)
    destinations.add(hub.store, desk, BODIES)
    return sending.prepare(hub.store, desk, number, "oclei", after=seen).kept.id


def _pairs(visitor: Visitor, whose: str) -> Object:
    """A pair of complaints of one's own, of such that named readers alone see, of such as were erased, and none."""
    if whose == NEVER:
        return Object("00000-00000", None)
    made: dict[str, Object] = visitor.app.extensions.setdefault("pairs of the matrix", {})
    if whose not in made:
        made[whose] = _new_pair(visitor.hub, whose)
    return made[whose]


def _new_pair(hub: Hub, whose: str) -> Object:
    matching.keep_models(hub.store, hub.clock())
    is_strict = whose == ANOTHERS
    sender = enrolled(hub, f"Calebasse of the pair {whose}")
    level = "strict" if is_strict else "confidential"
    ends = send(sender, f"{whose} one", f"{whose} other", confidentiality=level)
    name = link_ids.written(add_link(hub, *ends))
    if whose == ENDED:
        with hub.store.write() as connection:
            for each in ends:
                subject = erasures.subject_of(connection, each)
                assert subject is not None
                erasures.wipe(connection, subject, hub.clock(), hub.clock())
    return Object(name, None if whose == ENDED else Target(is_strict=is_strict))


def _asides(visitor: Visitor, whose: str) -> Object:
    """What was set aside: of a complaint that whoever covers all handles, of a strict one, and two ids of none."""
    if whose in (ENDED, NEVER):
        return Object("99999999" if whose == ENDED else "88888888", None)
    made: dict[str, Object] = visitor.app.extensions.setdefault("set aside of the matrix", {})
    if whose not in made:
        made[whose] = _new_aside(visitor.hub, whose)
    return made[whose]


def _new_aside(hub: Hub, whose: str) -> Object:
    level = "strict" if whose == ANOTHERS else "confidential"
    sender = enrolled(hub, f"Calebasse set aside {whose}")
    sender.send(complaint(f"ahead {whose}", entered_at="2036-10-06T18:40:12Z", confidentiality=level))
    kept = max(admission.list_waiting(hub.store, "clock_ahead"), key=lambda each: each.id)
    return Object(str(kept.id), Target(is_strict=whose == ANOTHERS))


def _packages(visitor: Visitor, whose: str) -> Object:
    """No package is anybody's, and in it may be anything: one that is prepared, and three numbers of none."""
    if whose != OWN:
        return Object(f"OCLEI-2026-T3-000{[OWN, ANOTHERS, ENDED, NEVER].index(whose) + 1}", None)
    hub = visitor.hub
    made: dict[str, str] = visitor.app.extensions.setdefault("packages of the matrix", {})
    if not made:
        desk = _with_series(hub)
        made[OWN] = preparing.prepare(hub.store, desk, hub.secrets.pepper, "oclei", "2026-T3").number.text
    return Object(made[OWN], UNREADABLE)


def _deliveries(visitor: Visitor, whose: str) -> Object:
    """A package that was sent to the visitor's body, one to another, one that did not leave, and a number of none."""
    to, no, state = {
        OWN: ("CNDH", 1, "transmitted"),
        ANOTHERS: ("OCLEI", 9, "transmitted"),
        ENDED: ("CNDH", 2, "cancelled"),
        NEVER: ("CNDH", 7, None),
    }[whose]
    number = Number(to, "2026-T2", no)
    hub = visitor.hub
    _with_series(hub)
    with hub.store.write() as connection:
        if state is not None and packages.find(connection, number) is None:
            packages.add(connection, _sent(hub, number, state))
    return Object(number.text, Target(is_own=whose == OWN) if state == "transmitted" else None)


def _with_series(hub: Hub) -> Desk:
    """The desk of a coordinator, once packages may go to each of BODIES."""
    desk = hub.desk(COORDINATOR)
    destinations.add(hub.store, desk, BODIES)
    known = {each.destination for each in serials.listed(hub.store, desk)}
    for each in BODIES:
        if each.code not in known:
            serials.add(hub.store, desk, each.code, each.code.upper(), date(2026, 1, 1), "folder")
    return desk


def _sent(hub: Hub, number: Number, state: Any) -> Package:
    digests = dict.fromkeys(("manifest", "zip", "file"), "ab" * 32)
    return Package(
        id=0,
        destination=number.prefix.lower(),
        prefix=number.prefix,
        quarter=number.quarter,
        no=number.no,
        state=state,
        as_of=hub.clock(),
        prepared_by=COORDINATOR.signature,
        counts={},
        choice="",
        sealed_at=hub.clock(),
        sealed_by=COORDINATOR.signature,
        transmitted_at=hub.clock(),
        **digests,
    )


# By the name of the argument in a path, how such an object is had.
OBJECTS: Mapping[str, Callable[[Visitor, str], Object]] = {
    "own_session": _sessions,
    "name": _files,
    "cercle": _cercles,
    "upload": _uploads,
    "piece": _pieces,
    "device": _devices,
    "account": _accounts,
    "invitation": _invitations,
    "number": _cases,
    "to": _statuses,
    "task": _tasks,
    "referral": _referrals,
    "pair": _pairs,
    "aside": _asides,
    "package": _packages,
    "delivery": _deliveries,
}
# What is asked for where a path names nothing: one's own, but for what may be anybody's.
WHOLE: Mapping[str, Target] = {"prepare_export": UNREADABLE, "approve_export": UNREADABLE}


def routes(app: Flask) -> list[tuple[Rule, str, str]]:
    """Each route with a guard of ours, by method."""
    return [
        (rule, method, str(guards_of(app, rule)[0]))
        for rule in app.url_map.iter_rules()
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})
        if rule.endpoint not in PUBLIC_BY_LIBRARY
    ]


def _path(app: Flask, rule: Rule, visitor: Visitor, whose: str, action: str = "") -> tuple[str, Target | None]:
    made = {name: OBJECTS[name](visitor, whose) for name in rule.arguments}
    with app.test_request_context():
        path = app.url_map.bind("localhost").build(rule.endpoint, {name: each.name for name, each in made.items()})
    targets = [each.target for each in made.values()]
    return path, None if None in targets else (targets[0] if targets else WHOLE.get(action, Target(is_own=True)))


def asked(answer: TestResponse) -> tuple[int, bytes]:
    """What tells one answer from another: its status, and its body but for the token of its forms."""
    # Where a redirect leads to the login, it repeats the path that was asked for.
    body = b"" if answer.status_code == 303 else answer.data
    answer.close()
    return answer.status_code, re.sub(rb'csrf_token" value="[^"]+"', b"", body)


def surprises(hub: Hub, app: Flask, role: Role | None, *, is_named_reader: bool = False) -> list[Surprise]:
    """Where somebody of a role, None for nobody, is not answered as `permit` says; and where one object that is
    not to be seen, absent or another's, does not look like the next.
    """
    visitor = Visitor(hub, app, role, is_named_reader)
    someone = visitor if role is not None else Visitor(hub, app, "verifier")
    permitted = [each for each in routes(app) if each[2].startswith("permit:")]
    found = [each for route in permitted for each in _unlike_permit(visitor, someone, *route)]
    return found + [
        Surprise(method, rule.rule, "look different", 404)
        for rule, method, guard in permitted
        if len({asked(visitor.call(method, path)) for path in _hidden(visitor, someone, rule, guard)}) > 1
    ]


def differences(hub: Hub, app: Flask, role: Role) -> list[Surprise]:
    """Where a guard without an action answers somebody who is logged in otherwise than anybody."""
    known, unknown = Visitor(hub, app, role), Visitor(hub, app, None)
    found = []
    for rule, method, guard in routes(app):
        if guard in WITHOUT_ACTION and rule.endpoint not in DOORS:
            path, _ = _path(app, rule, known, OWN)
            answer, other = known.call(method, path), unknown.call(method, path)
            if asked(answer) != asked(other):
                found.append(Surprise(method, rule.rule, "logged in", answer.status_code))
    return found


def _unlike_permit(visitor: Visitor, someone: Visitor, rule: Rule, method: str, guard: str) -> list[Surprise]:
    action = _action(guard)
    found = []
    for whose in (OWN, ANOTHERS, ENDED, NEVER) if rule.arguments else (OWN,):
        path, target = _path(visitor.app, rule, someone, whose, action)
        answer = visitor.call(method, path)
        if _kind(answer) != _expected(visitor.actor, action, target):
            found.append(Surprise(method, rule.rule, whose, answer.status_code))
    return found


def _hidden(visitor: Visitor, someone: Visitor, rule: Rule, guard: str) -> list[str]:
    """Where objects are that the visitor is not to see."""
    whose = (ANOTHERS, ENDED, NEVER) if rule.arguments else ()
    found = (_path(visitor.app, rule, someone, each) for each in whose)
    return [path for path, target in found if _expected(visitor.actor, _action(guard), target) != "answered"]


def _action(guard: str) -> Action:
    return guard.removeprefix("permit:")  # type: ignore[return-value]


def _kind(answer: TestResponse) -> str:
    if answer.status_code == 303 and (answer.location or "").startswith("/login"):
        return "log in"
    return "absent" if answer.status_code == 404 else "answered"


def _expected(actor: Actor | None, action: Action, target: Target | None) -> str:
    if actor is None:
        return "log in"
    return "answered" if target is not None and permit(actor, action, target) else "absent"
