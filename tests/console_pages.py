"""Every page of the console, from the map of routes: a new page is one of them once EXAMPLES has its arguments.

Where an object is named in the path, the demonstration's hub has one; what else a page can look like is among MORE.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import sqlalchemy as sa
from flask import Flask
from playwright.sync_api import Browser
from werkzeug.routing import Rule

from server.domain.matching import link_ids
from server.domain.packages import Number
from server.domain.people import ROLES, Role
from server.domain.permission import OPERATOR, Action, Actor, may_ever
from server.hub import Hub
from server.services.accounts import demonstration, people
from server.services.accounts.people import Post
from server.store import accounts
from server.store.case_tables import case_complaint, casefile, waiting
from server.store.evidence_tables import piece
from server.store.match_tables import link
from server.store.package_tables import package
from server.store.referral_tables import referral
from server.store.schema import account, device, quarantine
from server.store.task_tables import task
from tests.console_story import WORDS, log_in
from tests.console_tab import Look, Tab, Trouble, open_tab
from tests.route_matrix import guards_of

# Whoever answers for everything, and for two regions; of the other roles one each is made.
HEAD: Final = "fanta"
REGIONAL: Final = "awa"
NOBODY: Final = "nobody"
_COORDINATOR: Final = "coordinator"
# The role, and the destination for which its account speaks.
_CLERK: Final = "commission"
_COMMISSION: Final = "cndh"
# What answers with something else than a page.
NO_PAGES: Final = frozenset(
    {
        "api-docs.openapi_json",
        "assets.static",
        # Shown by its scripts alone, and walked through by tests/journeys/carnet.
        "carnet.file",
        "carnet.places",
        "carnet.without_slash",
        "figures.statistics_table",
        "package.download",
        "status.health",
    }
)
# Bytes on the link: of the first page with all its files, and of a later one.
FIRST_MAX: Final = 40_000
LATER_MAX: Final = 10_000
_REFUSED: Final = 400
_FAILED: Final = 500

_Examples = Callable[[sa.Connection], Sequence[tuple[str, ...]]]


def _columns(table: sa.Table, *names: str, **where: str) -> _Examples:
    """The last row of a table where these columns have these values."""
    chosen = sa.select(*(table.c[name] for name in names)).where(*(table.c[n] == value for n, value in where.items()))
    last = chosen.order_by(table.c[names[-1]].desc()).limit(1)
    return lambda connection: [tuple(map(str, row)) for row in connection.execute(last)]


def _referrals(connection: sa.Connection) -> Sequence[tuple[str, ...]]:
    """One of which a letter can still be written: it was taken back."""
    joined = sa.select(casefile.c.ref, referral.c.id).join(casefile, casefile.c.id == referral.c.casefile)
    last = joined.where(referral.c.state == "recalled").order_by(casefile.c.ref.desc()).limit(1)
    return [tuple(row) for row in connection.execute(last)]


def _tasks(connection: sa.Connection) -> Sequence[tuple[str, ...]]:
    """One that a verifier had, of a case."""
    joined = sa.select(casefile.c.ref, task.c.id).join(case_complaint, case_complaint.c.casefile == casefile.c.id)
    last = joined.join(task, task.c.complaint == case_complaint.c.complaint).limit(1)
    return [tuple(row) for row in connection.execute(last)]


def _pairs(connection: sa.Connection) -> Sequence[tuple[str, ...]]:
    """The likeliest that nobody decided."""
    proposed = sa.select(link.c.id).where(link.c.state == "proposed").order_by(link.c.weight.desc()).limit(1)
    return [(link_ids.written(id),) for id in connection.scalars(proposed)]


def _packages(*states: str) -> _Examples:
    """The last of each state to the commission."""
    columns = package.c

    def find(connection: sa.Connection) -> Sequence[tuple[str, ...]]:
        number = columns.prefix, columns.quarter, sa.func.max(columns.no)
        chosen = sa.select(*number).where(columns.state.in_(states), columns.destination == _COMMISSION)
        found = connection.execute(chosen.group_by(columns.state, columns.prefix, columns.quarter))
        return [(Number(*row).text,) for row in found]

    return find


_NUMBER: Final = _columns(casefile, "ref", status="in_progress")
# By the names of the arguments in a path, what is there under such names.
EXAMPLES: Final[Mapping[tuple[str, ...], _Examples]] = {
    (): lambda _: [()],
    ("aside",): _columns(quarantine, "id", state="waiting"),
    # Of somebody who logs in no more once forms were tried on the account.
    ("account",): _columns(account, "id", login="commission"),
    ("device",): _columns(device, "id", state="ready"),
    ("delivery",): _packages("closed"),
    ("number",): _NUMBER,
    ("number", "referral"): _referrals,
    ("number", "task"): _tasks,
    ("package",): _packages("prepared", "closed"),
    ("pair",): _pairs,
    ("piece",): _columns(piece, "id", kind="photo"),
    ("number", "to"): lambda connection: [(number, "resolved") for (number,) in _NUMBER(connection)],
}


# When a page has come: with what it names, or once half a second went by in which it asked for nothing more.
Until = Literal["load", "networkidle"]


@dataclass(frozen=True)
class Shown:
    """A page: where it is, and for whom; everybody where the action is None. `is_there`: whether it refuses nobody."""

    path: str
    action: Action | None
    is_there: bool = True

    def is_for(self, role: Role | None) -> bool:
        """Whether somebody of that role, None for nobody, is ever shown it."""
        return self.action is None or (role is not None and may_ever(Actor("", role), self.action))


def pages(hub: Hub, app: Flask) -> list[Shown]:
    """Every page that there is, with its examples, and what else some of them can look like."""
    found = [page for rule in page_rules(app) for page in _pages_of(hub, app, rule)]
    return [*found, *(each for each in more(hub) if each not in found)]


def _pages_of(hub: Hub, app: Flask, rule: Rule) -> Iterator[Shown]:
    with hub.store.read() as connection:
        examples = EXAMPLES[arguments_of(rule)](connection)
    for values in examples:
        yield Shown(path_of(app, rule, values), action_of(app, rule))


def path_of(app: Flask, rule: Rule, values: tuple[str, ...]) -> str:
    """Where the page of these arguments is, in the order of their names."""
    with app.test_request_context():
        named = dict(zip(arguments_of(rule), values, strict=True))
        return app.url_map.bind("localhost").build(rule.endpoint, named)


def action_of(app: Flask, rule: Rule) -> Action | None:
    """What somebody must ever be allowed to do who is shown the page."""
    [guard] = guards_of(app, rule)
    return guard.removeprefix("permit:") if guard and ":" in guard else None  # type: ignore[return-value]


def arguments_of(rule: Rule) -> tuple[str, ...]:
    """The names under which EXAMPLES has what a route takes."""
    return tuple(sorted(rule.arguments))


def page_rules(app: Flask) -> list[Rule]:
    """The routes that a browser opens."""
    rules = app.url_map.iter_rules()
    return [each for each in rules if "GET" in (each.methods or ()) and each.endpoint not in NO_PAGES]


def more(hub: Hub) -> Iterator[Shown]:
    """What shows more of a page than its route: a case of each status, a list that is empty, what is not there."""
    case = casefile.c
    with hub.store.read() as connection:
        for number in connection.scalars(sa.select(sa.func.max(case.ref)).group_by(case.status)):
            yield Shown(f"/console/cases/{number}", "handle_case")
        waits = sa.select(case.ref).join(waiting, waiting.c.casefile == case.id).where(case.status == "acknowledged")
        waiting_numbers = list(connection.scalars(waits.order_by(case.ref).limit(1)))
    for number in waiting_numbers:
        for step in ("", "ask", "refuse", "join"):
            yield Shown(f"/console/inbox?sel={number}&step={step}", "handle_case")
    for path in ("inbox?view=asked", "inbox?view=mine", "cases?q=rien+de+tel"):
        yield Shown(f"/console/{path}", "handle_case")
    for words in ("argent", "rien+de+tel"):
        yield Shown(f"/console/search?q={words}", "handle_case")
    yield Shown("/console/quarantine?view=dismissed", "settle_set_aside")
    yield Shown("/console/cases/SRE-2020-000001", "handle_case", is_there=False)


def visit(tab: Tab, address: str, page: Shown, looks: Sequence[Look], until: Until = "networkidle") -> list[Trouble]:
    """Everything that is wrong with a page that somebody opens who has been here before."""
    before = tab.bytes_down
    answer = tab.page.goto(f"{address}{page.path}", wait_until=until)
    status, found = answer.status if answer else _FAILED, tab.look(page.path, looks)
    if (weight := tab.bytes_down - before) > LATER_MAX:
        found.append(Trouble("heavy", page.path, f"{weight} bytes"))
    # Who answers for everything is refused nothing; others are not told what there is.
    if status >= (_REFUSED if page.is_there and tab.who == HEAD else _FAILED):
        found.append(Trouble("status", page.path, str(status)))
    return found


def tab_of(browser: Browser, address: str, hub: Hub, who: str, **options: Any) -> Tab:
    """A tab in which this person has logged in, or nobody has; `options` of the browser."""
    tab = open_tab(browser, who, **options)
    if who == NOBODY:
        # The next page is a later one for anybody.
        tab.page.goto(f"{address}/login", wait_until="networkidle")
    else:
        log_in(tab.page, address, hub, who)
    # The doors open for a browser that showed their key.
    tab.page.goto(f"{address}/demo?key={demonstration.read(hub.store).key}")
    return tab


def people_of(hub: Hub) -> dict[str, Role | None]:
    """Who looks at the pages: the coordinators of the demonstration, one of each other role, and nobody."""
    with hub.store.read() as connection:
        known = {each.login for each in accounts.listed(connection)}
    for role in set(ROLES) - {_COORDINATOR} - known:
        post = Post(role, destination=_COMMISSION if role == _CLERK else "")
        people.make(hub.store, hub.secrets.totp, OPERATOR, role, post, WORDS, hub.clock())
    others = {role: role for role in ROLES if role != _COORDINATOR}
    return {HEAD: _COORDINATOR, REGIONAL: _COORDINATOR} | others | {NOBODY: None}
