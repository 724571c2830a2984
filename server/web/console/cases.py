"""S5, cases: what somebody looks through, by filters that stand in the address, and many given to one owner."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

from flask import Blueprint, request, url_for
from werkzeug.wrappers import Response

from client_sync.protocol.vocabulary import label
from server.domain.casework import STATUSES
from server.domain.desk import Desk
from server.domain.places import place_name
from server.i18n import Catalogue, catalogue
from server.refusals import refusal
from server.services.accounts.sessions import Login
from server.services.cases import lists, phrases, sharing_out, wording
from server.services.cases.lists import ENDED, GROUPS, MINE, NOBODY, OPEN, ORDERS, Asked, Order, Row
from server.services.cases.lookup import Meant
from server.services.cases.sharing_out import Obstacle
from server.web.auth import for_person, this_hub
from server.web.console import chosen
from server.web.console.filters import address, kept
from server.web.console.listing import csv_answer, wants_csv
from server.web.console.pages import offer_undo, page, see
from server.web.formats import day

blueprint = Blueprint("cases", __name__, url_prefix="/console/cases")

_NEWEST: Final[Order] = "newest"
# What stands in the address of a list, but for how far it was read.
_FILTERS: Final = ("status", "region", "owner", "late", "q", "sort")
_SAVED: Final[Mapping[str, Asked]] = {
    "open": Asked(),
    "mine": Asked(owner=MINE),
    "unowned": Asked(owner=NOBODY),
    "late": Asked(is_late=True),
    "ended": Asked(status=ENDED),
}
# The saved filter that says the same of an owner.
_OWNERS: Final = {MINE: "mine", NOBODY: "unowned"}
_COLUMNS: Final = (
    "ref", "title", "status", "urgency", "verification", "owner", "deadline", "due", "collected", "received", "region",
)  # fmt: skip


@dataclass(frozen=True)
class Choice:
    """A choice of a filter: what the address says, and in words."""

    value: str
    text: str


@dataclass(frozen=True)
class Tab:
    """A saved filter, how many cases it gives in figures, and whether it is the one that is shown."""

    text: str
    url: str
    count: str
    is_current: bool


@dataclass(frozen=True)
class Active:
    """A filter that is set, and where the list is without it."""

    text: str
    url: str


@blueprint.get("")
@for_person("handle_case")
def show(person: Login) -> str | Response:
    """The list."""
    hub, texts = this_hub(), catalogue(person.language)
    desk, asked, order = hub.desk(person.actor), _asked(), _order()
    found = lists.listed(hub.store, desk, asked, order, lists.read_key(request.args.get("after", ""), order))
    if wants_csv():
        header = [texts.text(f"case_list.column_{name}") for name in _COLUMNS]
        return csv_answer(texts.text("case_list.file"), header, (_cells(texts, row) for row in found.rows))
    people = lists.owners(hub.store, desk)
    return page(
        "cases.html",
        person,
        found=found,
        rows=found.rows,
        titles={row.case.ref: title(texts, row) for row in found.rows},
        findings={row.state: phrases.finding(texts, row.state) for row in found.rows},
        tabs=_tabs(texts, desk, asked),
        asked=asked,
        order=order,
        sorts={name: _url(sort=name) for name in ORDERS},
        kept=kept(_FILTERS),
        statuses=_statuses(texts),
        regions=desk.regions,
        owners=people,
        active=list(_active(texts, desk, asked, people)),
        next_url=None if found.after is None else _url(after=lists.write_key(found.after)),
        csv_url=_url(after=request.args.get("after", ""), format="csv"),
        now=desk.now,
        many_max=sharing_out.MANY_MAX,
        whole_url=_url(q=""),
        meant=folded(texts, found.meant),
        default_order=_NEWEST,
    )


@blueprint.get("/share")
@for_person("handle_case")
def preview(person: Login) -> str:
    """What giving the chosen cases to somebody will do, before it is done."""
    hub = this_hub()
    desk = hub.desk(person.actor)
    refs = _chosen(desk)
    to = request.args.get("to", "")
    plan = sharing_out.plan(hub.store, desk, refs, to) if refs else None
    return _previewed(person, desk, plan, refs)


@blueprint.post("/share")
@for_person("handle_case")
def share(person: Login) -> Response | tuple[str, int]:
    """Give the chosen cases to somebody."""
    hub, texts = this_hub(), catalogue(person.language)
    desk, seen = hub.desk(person.actor), dict(chosen.read(request.form.getlist("case")))
    if not seen:
        return see(_url())
    shared = sharing_out.share_out(hub.store, desk, seen, request.form.get("to", ""))
    if shared.entries:
        told = texts.plural("case_list.shared", len(shared.entries), name=shared.owner)
        entries = " ".join(chosen.written(ref, no) for ref, no in shared.entries.items())
        offer_undo(told, url_for("cases.take_back"), entries=entries)
    return _told(person, _obstacles(texts, shared.stays))


@blueprint.post("/share/undo")
@for_person("handle_case")
def take_back(person: Login) -> Response | tuple[str, int]:
    """Let the cases that were given to somebody be whose they were."""
    hub, texts = this_hub(), catalogue(person.language)
    entries = dict(chosen.read(request.form.getlist("entries")))
    stays = sharing_out.take_back(hub.store, hub.desk(person.actor), entries)
    return _told(person, {ref: refusal(texts, error) for ref, error in stays.items()})


def title(texts: Catalogue, row: Row) -> str:
    """What a case is called in lists: what it is about, and the cercle; never a village or a name."""
    about = label("kind", row.case.kind, texts.language)
    return texts.text("case_list.title", kind=about, cercle=row.cercle) if row.cercle else about


def folded(texts: Catalogue, meant: Meant | None) -> str:
    """What a text was looked for as, where that is not what was typed; else empty."""
    if meant is None or meant.number or meant.receipt:
        return ""
    looked_for = [*dict.fromkeys(each.name for each in meant.places)] or sorted(meant.words)
    if looked_for in ([meant.text], sorted(meant.text.casefold().split())):
        return ""
    return texts.text("search.folded", text=meant.text, name=", ".join(looked_for))


def _previewed(person: Login, desk: Desk, plan: sharing_out.Plan | None, refs: list[str]) -> str:
    hub, texts = this_hub(), catalogue(person.language)
    rows = lists.called(hub.store, desk, refs, sharing_out.MANY_MAX)
    return page(
        "cases_share.html",
        person,
        plan=plan,
        moving=[row for row in rows if plan is not None and row.case.ref in plan.moves],
        titles={row.case.ref: title(texts, row) for row in rows},
        stays=_obstacles(texts, {} if plan is None else plan.stays),
        written=chosen.written,
        kept=kept(_FILTERS),
        back=_url(),
    )


def _told(person: Login, stays: Mapping[str, str]) -> Response | tuple[str, int]:
    """Back to the list, or why some cases stay as they are."""
    if not stays:
        return see(_url())
    return page("cases_share.html", person, moving=[], stays=stays, back=_url()), 409


def _obstacles(texts: Catalogue, stays: Mapping[str, Obstacle]) -> dict[str, str]:
    return {ref: texts.text(f"case_list.stays_{why}") for ref, why in stays.items()}


def _asked() -> Asked:
    args = request.args
    return Asked(
        status=_among(args.get("status", ""), (*GROUPS, *STATUSES), OPEN),
        region=args.get("region", ""),
        owner=args.get("owner", ""),
        is_late="late" in args,
        text=args.get("q", ""),
    )


def _among(typed: str, known: tuple[str, ...], usual: str) -> str:
    return typed if typed in known else usual


def _order() -> Order:
    return cast(Order, _among(request.args.get("sort", ""), ORDERS, _NEWEST))


def _url(**changes: str) -> str:
    """The list as it is filtered, with changes, from its beginning."""
    return address("cases.show", _FILTERS, **changes)


def _tabs(texts: Catalogue, desk: Desk, asked: Asked) -> list[Tab]:
    counts = lists.counted(this_hub().store, desk, _SAVED)
    return [
        Tab(
            texts.text(f"case_list.saved_{name}"),
            url_for("cases.show", **_written(saved)),
            f"{counts[name].n}+" if counts[name].is_more else str(counts[name].n),
            asked == saved,
        )
        for name, saved in _SAVED.items()
    ]


def _written(saved: Asked) -> dict[str, Any]:
    """A saved filter, as an address says it."""
    said = {"status": "" if saved.status == OPEN else saved.status, "owner": saved.owner}
    # What is late is looked at in the order in which it fell due.
    late = {"late": "1", "sort": "deadline"} if saved.is_late else {}
    return {name: value for name, value in said.items() if value} | late


def _statuses(texts: Catalogue) -> list[Choice]:
    groups = [Choice(name, texts.text(f"case_list.status_{name}")) for name in GROUPS]
    return groups + [Choice(code, wording.status(texts, code)) for code in STATUSES]


def _active(texts: Catalogue, desk: Desk, asked: Asked, people: Mapping[str, str]) -> Iterator[Active]:
    """The filters that are set, in words."""
    if asked.text:
        yield Active(texts.text("case_list.active_text", text=asked.text), _url(q=""))
    if asked.status != OPEN:
        words = next(each.text for each in _statuses(texts) if each.value == asked.status)
        yield Active(words, _url(status=""))
    if asked.region:
        name = place_name(desk.places, asked.region)
        yield Active(texts.text("case_list.active_region", name=name), _url(region=""))
    if asked.owner in _OWNERS:
        yield Active(texts.text(f"case_list.saved_{_OWNERS[asked.owner]}"), _url(owner=""))
    elif asked.owner:
        name = people.get(asked.owner, "–")
        yield Active(texts.text("case_list.active_owner", name=name), _url(owner=""))
    if asked.is_late:
        yield Active(texts.text("case_list.saved_late"), _url(late=""))


def _chosen(desk: Desk) -> list[str]:
    """The references that were ticked, or all that the filters give; at most so many."""
    if "all" not in request.args:
        return request.args.getlist("ref")[: sharing_out.MANY_MAX]
    found = lists.listed(this_hub().store, desk, _asked(), _order(), None, sharing_out.MANY_MAX)
    return [row.case.ref for row in found.rows]


def _cells(texts: Catalogue, row: Row) -> Sequence[object]:
    """A row as the file has it: what the screen shows, with days in the place of spans."""
    next_due, collected = row.next_due, row.clocks.collected_at
    return [
        row.case.ref,
        title(texts, row),
        wording.status(texts, row.case.status),
        row.case.urgency,
        phrases.finding(texts, row.state),
        row.owner,
        "" if next_due is None else texts.text(f"deadline.{next_due.kind}"),
        "" if next_due is None else day(next_due.due_at),
        "" if collected is None else day(collected),
        day(row.clocks.received_at),
        row.region,
    ]
