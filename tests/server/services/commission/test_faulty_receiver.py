"""Packages and answers to and from a commission that fails in every way: nothing is lost, and nothing comes twice."""

from collections.abc import Iterator

import pytest

from server.hub import Hub
from server.services.commission.answering import fetch_all, fetch_answer
from server.store.packages import Series
from tests.builders import Person, Sender
from tests.commission import arrest
from tests.commission_answers import lay_series, opened, package_of
from tests.commission_faults import ITEMS, Run, impatient, run
from tests.commission_receiver import LOOPBACK, LOOPBACK_PIN, Commission, commission

# For every change, and as promised.
SEEDS = [pytest.param(6, id="ci"), pytest.param(50, id="full", marks=[pytest.mark.prove, pytest.mark.timeout(600)])]
A = "P-AAAAAAAAAA"


@pytest.fixture(scope="module")
def cndh() -> Iterator[Commission]:
    """A commission with a certificate that its series pins."""
    with commission(LOOPBACK) as running:
        yield running


@pytest.fixture
def series(hub: Hub, awa: Person, cndh: Commission) -> Series:
    laid = lay_series(hub, awa, cndh.url, LOOPBACK_PIN)
    cndh.empty()
    return laid


@pytest.mark.parametrize("seeds", SEEDS)
def test_no_item_is_lost_and_none_comes_twice(
    hub: Hub, awa: Person, phone: Sender, cndh: Commission, series: Series, seeds: int
) -> None:
    numbers = opened(hub, phone, *(arrest(n) for n in range(ITEMS + 2)))
    assert run(hub, awa, cndh, series, numbers, range(1, seeds + 1)) == Run(seeds * ITEMS, lost=0, twice=0)


def test_there_is_no_answer_before_there_is_one(
    hub: Hub, awa: Person, phone: Sender, cndh: Commission, series: Series
) -> None:
    [number] = opened(hub, phone, arrest("a"))
    sent = package_of(hub, awa, {A: (number, "line")})
    assert fetch_answer(series, sent, impatient()) is None
    assert fetch_all(hub.store, None, hub.clock(), impatient()) == 0
