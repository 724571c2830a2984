"""Figures of a small hub, counted by hand; the stock that balances; and quarters that stay as they were published."""

from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, date, datetime

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from server.domain.casework import CASEWORK
from server.domain.errors import NotFound, RegroupingRefused, TransitionRefused
from server.domain.people import NO_KEYS, Role
from server.domain.permission import Actor
from server.domain.places import LAW_2023, Gazetteer, Place
from server.domain.statistics import TABLES, TOTAL, Period, Release, laid_out
from server.hub import Hub
from server.services import places, statistics
from server.store import counts, erasures
from server.store.case_tables import case_complaint, casefile
from server.store.figure_tables import frozen_figure
from server.store.referral_tables import finding
from server.store.schema import complaint as complaint_table
from server.store.schema import event
from tests.builders import (
    NOW,
    Clock,
    Person,
    Sender,
    add_person,
    an_id,
    complaint,
    enrolled,
    facts,
    operation,
    revision,
    verdicts,
)
from tests.case_walks import forgotten
from tests.case_work import attach, detach, move, undo

LIST = Gazetteer(
    "2026.1",
    (
        Place("ml-r-gao", "Gao", "region", None, codes={LAW_2023: "7"}),
        Place("ml-c-gao", "Gao", "cercle", "ml-r-gao", regions={LAW_2023: "ml-r-gao"}),
        Place("ml-r-mopti", "Mopti", "region", None, codes={LAW_2023: "5"}),
        Place("ml-r-bandiagara", "Bandiagara", "region", None, codes={LAW_2023: "15"}),
        Place("ml-c-koro", "Koro", "cercle", "ml-r-mopti", regions={LAW_2023: "ml-r-bandiagara"}),
    ),
)
LAND = {
    "kinds": ["HR-LAN"],
    "place": {"id": "ml-c-koro", "list": "2026.1"},
    "persons": [{"no": 1, "roles": ["complainant", "victim"], "sex": "m", "age": "12-17", "count": 2}],
    "money": None,
    "sector": None,
}
THIS_QUARTER = Period.read("2026-T4", "2026-T4")
LATER = datetime(2027, 1, 5, tzinfo=UTC)
AUDITOR = Actor("a", "auditor")


@pytest.fixture(scope="module")
def counted_hub(shared_hub: Hub) -> Hub:
    """Twelve complaints of Gao's team about a checkpoint, six of Mopti's about land; six of Gao's are closed."""
    _tell(shared_hub)
    awa = add_person(shared_hub, "Awa", is_named_reader=True)
    for n in range(1, 7):
        _close(shared_hub, awa, _number(n))
    return shared_hub


@pytest.fixture
def hub(own_hub: Hub) -> Hub:
    """The same complaints, for one test alone; nobody did anything with them."""
    _tell(own_hub)
    return own_hub


def _tell(hub: Hub) -> Sender:
    places.import_list(hub.store, LIST, "test", hub.clock())
    of_gao, of_mopti = enrolled(hub, "Gao 1", team="gao"), enrolled(hub, "Mopti 1", team="mopti")
    of_gao.send(*(complaint(f"g{n}") for n in range(12)))
    of_mopti.send(*(complaint(f"m{n}", **LAND) for n in range(6)))
    return of_gao


def _number(n: int) -> str:
    return f"SRE-2026-{n:06}"


def _close(hub: Hub, who: Person, number: str) -> None:
    move(hub, who, number, "acknowledged")
    move(hub, who, number, "in_triage")
    move(hub, who, number, "inadmissible", inadmissible="out_of_mandate")
    move(hub, who, number, "closed", closure="out_of_mandate", untold="anonymous")


def _table(hub: Hub, code: str, period: Period = THIS_QUARTER) -> Release:
    return statistics.table(hub.store, hub.desk(AUDITOR), code, period)


def _rows(release: Release) -> dict[str, dict[str, int | None]]:
    """By row and column, as words; what is 0 is left out."""
    found: dict[str, dict[str, int | None]] = {}
    for (row, column), number in release.cells.items():
        found.setdefault(" ".join(row), {})[" ".join(column)] = number
    return found


def test_received_and_processed_by_team_and_cercle(counted_hub: Hub) -> None:
    gao = {"processed": 6, "waiting": 6, "total": 12, "share_percent": 50}
    mopti = {"waiting": 6, "total": 6, "share_percent": 0}
    of_all = {"processed": 6, "waiting": 12, "total": 18, "share_percent": 33}
    assert _rows(_table(counted_hub, "N4")) == {"gao": gao, "mopti": mopti, "total": of_all}
    assert _rows(_table(counted_hub, "N2")) == {"ml-c-gao": gao, "ml-c-koro": mopti, "total": of_all}
    assert _rows(_table(counted_hub, "N3")) == {"COR-RACKET": gao, "HR-LAN": mopti, "total": of_all}
    assert _rows(_table(counted_hub, "N1")) == {"2026-11": of_all, "total": of_all}


def test_tables_are_as_counted_by_hand(counted_hub: Hub) -> None:
    tables = {code: _rows(_table(counted_hub, code)) for code in TABLES}
    assert tables["N6"]["total"] == {"f": 12, "m": 12, "total": 24}
    assert tables["N6"]["minor"] == {"m": 12, "total": 12}
    # By the regions of 2023, in which Koro is not Mopti's.
    assert tables["T1"]["HR-LAN"] == {"2026-11 ml-r-bandiagara": 6, "total": 6}
    assert tables["T2"]["COR-RACKET"] == {"f 25-59": 12, "total": 12}
    assert tables["T2"]["HR-LAN"] == {"m 12-17": 12, "total": 12}
    assert tables["T3"]["ml-r-gao"] == {"received": 12, "closed": 6, "open_at_end": 6}
    assert tables["T3"]["total"] == {"received": 18, "closed": 6, "open_at_end": 12}
    assert tables["T4"]["COR-RACKET"] == {"closed": 6, "received": 6, "total": 12}
    assert tables["T5"]["police"] == {"unverified in_time": 24, "total": 24}
    assert tables["T6"] == {}
    assert tables["T7"]["closing"] | {"p90_collected": 0} == {
        "number": 6, "median": 0, "p90": None, "median_collected": 46, "p90_collected": 0,
    }  # fmt: skip
    assert tables["T7"]["collection_to_receipt"] == {"number": 18, "median_collected": 46, "p90_collected": 46}
    assert tables["T8"] == {"1": {"number": 6}, "untouched": {"number": 12}, "total": {"number": 18}}
    assert tables["T9"]["in_person"] == {"gao": 12, "mopti": 6, "total": 18}
    assert tables["T10"] == {"C2": {"number": 18}, "total": {"number": 18}}
    assert tables["T11"]["customs"] == {"partial": 12, "total": 12}
    assert tables["T11M"]["customs"] == {
        "asked_number": 12, "asked_median": 15_000, "asked_sum": 180_000,
        "paid_number": 12, "paid_median": 5_000, "paid_sum": 60_000,
    }  # fmt: skip
    assert tables["T12"] == {"0-7": {"U2": 12, "total": 12}, "total": {"U2": 12, "total": 12}}


def test_few_are_hidden_with_what_would_give_them_away(hub: Hub) -> None:
    enrolled(hub, "Gao 2", team="gao").send(*(complaint(f"p{n}", channel="phone") for n in range(2)))
    rows = _rows(_table(hub, "T9"))
    assert rows["phone"] == {"gao": None, "total": None}
    # Else the sum of the column, less what is shown of it, would be the two.
    assert rows["in_person"]["gao"] is None
    assert rows["total"] == {"gao": 14, "mopti": 6, "total": 20}


def test_complaint_taken_back_without_consent_tells_of_nobody(hub: Hub) -> None:
    refused = {"level": "C0", "given_by": "self", "form": "oral_witness", "read_aloud": True}
    back = operation("withdrawal", "back", {"complaint": an_id("w"), "scope": "all"}, seq=2)
    enrolled(hub, "Gao 3", team="gao").send(complaint("w", consent=refused), back)
    assert _rows(_table(hub, "N1"))["total"]["total"] == 19
    assert _rows(_table(hub, "T2"))["total"]["total"] == 24


@pytest.mark.parametrize("role", ["monitor", "verifier", "commission"])
def test_who_has_no_part_in_the_whole_network_reads_no_figures(counted_hub: Hub, role: Role) -> None:
    with pytest.raises(NotFound):
        statistics.table(counted_hub.store, counted_hub.desk(Actor("a", role)), "N1", THIS_QUARTER)


def test_the_log_says_who_read_which_table(counted_hub: Hub) -> None:
    _table(counted_hub, "T1")
    with counted_hub.store.read() as connection:
        last = connection.execute(sa.select(event).order_by(event.c.place.desc()).limit(1)).one()
    assert (last.actor, last.action, last.object) == ("account:a", "read_statistics", "figures:T1")


def test_quarter_that_is_over_stays_as_it_was_published(own_hub: Hub) -> None:
    hub, of_gao = own_hub, _tell(own_hub)
    assert isinstance(hub.clock, Clock)
    hub.clock.now = LATER
    assert statistics.freeze_closed(hub.store, LATER) == 1
    published = {code: _table(hub, code) for code in TABLES}
    assert all(release.is_final and not release.late for release in published.values())
    _change_everything(hub, of_gao)
    assert statistics.freeze_closed(hub.store, LATER) == 0
    after = {code: _table(hub, code) for code in TABLES}
    assert {code: each.cells for code, each in after.items()} == {code: each.cells for code, each in published.items()}
    # Of 18 that waited one was erased, and one closed: how many were closed is too few to be told.
    assert after["N1"].late == {("processed",): None, ("waiting",): None}
    # Two acts are gone with the erased one, and one with the revision; what was found of seven others counts in the
    # quarter in which that was learnt, and of the one that is no longer told nowhere.
    assert after["T5"].late == {("unverified", "in_time"): -10}
    next_quarter = _table(hub, "T5", Period.read("2027-T1", "2027-T1"))
    assert _rows(next_quarter)["total"] == {"corroborated late": 7, "unverified in_time": 14, "total": 21}


def _change_everything(hub: Hub, of_gao: Sender) -> None:
    """Some come in the next quarter; of the old ones one is closed, one erased, one revised, one taken back; findings
    come late."""
    revised = revision("revised", "g9", 1, facts={"clear": facts(kinds=["HR-TOR"], sector="army", place=None)})
    back = operation("withdrawal", "back", {"complaint": an_id("g10"), "scope": "all"}, seq=2)
    answer = of_gao.send(revised, back, *(complaint(f"later{n}") for n in range(7)))
    assert {each.verdict for each in verdicts(answer)} == {"stored"}
    _close(hub, add_person(hub, "Binta", is_named_reader=True), _number(7))
    with hub.store.write() as connection:
        subject = erasures.subject_of(connection, _ids(connection)[0])
        assert subject is not None
        erasures.wipe(connection, subject, LATER, LATER)
        for id in _ids(connection)[1:9]:
            row = {"complaint": id, "kind": "COR-RACKET", "no": 1, "state": "corroborated", "is_late": True}
            connection.execute(sa.insert(finding).values(**row, at=LATER, by="account:x"))


def _ids(connection: sa.Connection) -> list[int]:
    return list(connection.scalars(sa.select(complaint_table.c.id).order_by(complaint_table.c.id)))


def test_of_a_hidden_number_nothing_is_kept(hub: Hub) -> None:
    enrolled(hub, "Gao 2", team="gao").send(*(complaint(f"p{n}", channel="phone") for n in range(2)))
    statistics.freeze_closed(hub.store, LATER)
    with hub.store.read() as connection:
        kept = connection.scalars(sa.select(frozen_figure.c.cells).where(frozen_figure.c.code == "T9")).one()
    assert [["phone"], ["gao"], None] in kept["cells"]
    assert {number for row, _, number in kept["cells"] if row == ["phone"]} == {None}


DOINGS = ("close", "close", "reopen", "withdraw", "attach", "detach", "undo")
STEPS = st.lists(st.tuples(st.sampled_from(DOINGS), st.integers(1, 4), st.integers(1, 4)), min_size=5, max_size=8)
Step = tuple[str, int, int]


@settings(
    max_examples=6,
    deadline=None,
    derandomize=True,
    phases=(Phase.generate,),
    suppress_health_check=list(HealthCheck),
)
@given(steps=STEPS)
def test_stock_balances_in_every_month_whatever_is_done(own_hub: Hub, steps: list[Step]) -> None:
    hub, awa = own_hub, _awa(own_hub)
    assert isinstance(hub.clock, Clock)
    hub.clock.now = NOW
    with forgotten(hub):
        for step in steps:
            hub.clock.pass_(days=11)
            with suppress(TransitionRefused, RegroupingRefused, NotFound):
                _do(hub, awa, step)
        stocks = [_stock(hub, Period(month, month)) for month in _months(hub.clock.now)]
        is_open = _open_cases(hub)
    for stock in stocks:
        came = stock["open_at_start"] + stock["received"] + stock["reopened"]
        assert came - stock["closed"] == stock["open_at_end"]
    assert [each["open_at_start"] for each in stocks[1:]] == [each["open_at_end"] for each in stocks[:-1]]
    assert stocks[-1]["open_at_end"] == is_open


def _awa(hub: Hub) -> Person:
    """Who does it; the first time there are four complaints to do it to."""
    with hub.store.read() as connection:
        is_new = counts.first_at(connection) is None
    if is_new:
        enrolled(hub, "Gao 1", team="gao").send(*(complaint(name) for name in "abcd"))
        add_person(hub, "Awa", is_named_reader=True)
    return Person(Actor(an_id(f"account:{hub.identity.id}:Awa"), "coordinator", is_named_reader=True), NO_KEYS)


def _do(hub: Hub, who: Person, step: Step) -> None:
    doing, number, other = step[0], _number(step[1]), _number(step[2])
    if doing == "close":
        _close(hub, who, number)
    elif doing == "reopen":
        move(hub, who, number, "reopened", reopening="new_facts")
        move(hub, who, number, "in_triage")
    elif doing == "withdraw":
        move(hub, who, number, "withdrawn", withdrawal="told_to_us")
    elif doing == "attach":
        attach(hub, who, number, other)
    elif doing == "detach":
        detach(hub, who, number)
    else:
        undo(hub, who, number)


def _months(now: datetime) -> list[date]:
    months = [date(NOW.year, NOW.month, 1)]
    while months[-1] < date(now.year, now.month, 1):
        months.append(Period(months[-1], months[-1]).until.date())
    return months


def _stock(hub: Hub, month: Period) -> Mapping[str, int]:
    with hub.store.read() as connection:
        counting = statistics.Counting(connection, LIST, month, hub.clock())
        _, columns, values = laid_out(TABLES["T3"], counting.counted("T3"))
    return {column: values[TOTAL, (column,)] for (column,) in columns}


def _open_cases(hub: Hub) -> int:
    """As the cases say it themselves: those that are not closed, and complaints that nobody opened one for."""
    with hub.store.read() as connection:
        statuses = connection.scalars(sa.select(casefile.c.status)).all()
        opened = set(connection.scalars(sa.select(case_complaint.c.complaint)))
        return sum(CASEWORK.statuses[status].stage != "closed" for status in statuses) + len(
            set(_ids(connection)) - opened
        )
