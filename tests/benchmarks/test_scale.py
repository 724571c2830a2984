"""The figures of matching at scale, on a crowd of a hundred: what they measure can go wrong, and then they say so."""

from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
import sqlalchemy as sa

from server.domain.matching import composites
from server.hub import Hub
from server.store import duplicates
from server.store.match_tables import match_key
from tests.benchmarks import harness, scale, steady
from tests.benchmarks.crowd import Crowd, Hardness, profile
from tests.benchmarks.crowded import Crowded, crowded
from tests.benchmarks.harness import Void, opened
from tests.benchmarks.steady import Tellers, bytes_of, links_of, order_jaccard
from tests.builders import Clock, open_test_hub
from tests.matching import match_all

SIZE = 120


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crowded]:
    """A hub filled as those of the figures are, in the place of var/figures."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(harness, "FIGURES", tmp_path_factory.mktemp("figures"))
        yield crowded(SIZE)


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    opened_hub = open_test_hub("sqlite", tmp_path / "hub", Clock())
    yield opened_hub
    opened_hub.close()


def test_the_same_crowd_tells_the_same() -> None:
    tellings = Crowd(1, 50).history
    assert tellings == Crowd(1, 50).history
    assert [Crowd(1, 50).report(each) for each in tellings] == [Crowd(1, 9).report(each) for each in tellings]


def test_what_comes_late_was_told_before_and_is_no_report_of_the_history() -> None:
    told = Crowd(1, 300)
    late = told.late(40, Hardness.HARD)
    assert {each.incident for each in late} <= {each.incident for each in told.history}
    assert not set(late) & set(told.history)


def test_one_village_has_a_fiftieth_of_all() -> None:
    told = Crowd(1, 4_000)
    in_it = told.late(len(told.history), Hardness.HARD, village=0)
    incidents = {each.incident for each in told.history}
    assert 0.014 < len(in_it) / len(incidents) < 0.026


def test_a_report_that_is_put_there_has_the_keys_that_the_hub_gives_one_that_comes(hub: Hub) -> None:
    told, tellers = Crowd(3, 12), Tellers(hub)
    numbers = {tellers.send(told.report(each), each): each for each in told.history}
    match_all(hub)
    with hub.store.read() as connection:
        kept = duplicates.kept(connection, numbers)
    for number, telling in numbers.items():
        made = profile(told.report(telling), hub.secrets.pepper)
        keys = composites.blocking_keys(made, hub.secrets.pepper)
        assert list(kept[number].heads) == [duplicates.head_of(key) for key in keys]


@pytest.mark.ci
def test_recall_is_that_of_reports_whose_keys_are_there(filled: Crowded, tmp_path: Path) -> None:
    with scale.arena(filled, tmp_path / "hub", warm_up=0) as arena:
        first, then = arena.late(scale.ANYWHERE, 2)
        arena.receive(scale.ANYWHERE, first)
        with opened(tmp_path / "hub") as beside, beside.store.write() as connection:
            connection.execute(sa.delete(match_key))
        arena.receive(scale.ANYWHERE, then)
        assert arena.arrived.found[scale.ANYWHERE.name] == [True, False]
        assert len(arena.arrived.waits_ms[scale.ANYWHERE.name]) == 2
        assert arena.rss_mb() > 20


def test_a_filled_hub_is_used_again_until_the_code_that_made_it_changes(filled: Crowded) -> None:
    stamp = filled.folder / "stamp"
    before = stamp.stat().st_mtime_ns
    crowded(SIZE)
    assert stamp.stat().st_mtime_ns == before
    stamp.write_text("of another day")
    crowded(SIZE)
    assert stamp.read_text() != "of another day"


@pytest.mark.ci
def test_links_are_the_same_in_another_order(tmp_path: Path) -> None:
    told = Crowd(steady.SEED, 40)
    mixed = Random(1).sample(told.history, len(told.history))
    forward = links_of(told, told.history, tmp_path / "forward")
    assert forward
    assert links_of(told, mixed, tmp_path / "mixed", like=tmp_path / "forward") == forward


def test_order_is_not_tried_where_a_posting_is_at_its_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steady, "POSTINGS_MOST", 2)
    told = Crowd(steady.SEED, 25)
    with pytest.raises(Void, match="bound"):
        links_of(told, told.history, tmp_path / "hub")


def test_orders_share_less_of_their_links_where_little_is_read_of_a_key(
    filled: Crowded, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = order_jaccard(filled, SIZE)
    monkeypatch.setattr(steady, "CANDIDATES_MOST", 1)
    assert order_jaccard(filled, SIZE) < whole == 1


def test_bytes_are_those_of_pages(hub: Hub) -> None:
    tables = [match_key]
    before = bytes_of(hub, tables)[match_key]
    with hub.store.write() as connection:
        rows = [{"k": number * 10**11, "complaint": 1, "source": 1} for number in range(1_000)]
        connection.execute(sa.insert(match_key), rows)
    grown = bytes_of(hub, tables)[match_key] - before
    assert 16_000 < grown < 60_000
    assert bytes_of(hub, tables)[match_key] - before == grown
