"""Pairs are decided one key each, the likeliest first; what three people told of one event hangs together."""

from collections.abc import Callable

import pytest
import sqlalchemy as sa
from playwright.sync_api import Page, expect

from server.domain.matching.link_ids import written
from server.hub import Hub
from server.store.match_tables import link
from tests.builders import complaint, enrolled
from tests.console_pages import HEAD
from tests.console_tab import Tab
from tests.decision_walks import add_link
from tests.matching import number_of

pytestmark = [pytest.mark.prove, pytest.mark.ci]

QUEUE = "/console/duplicates"


@pytest.fixture
def told(hub: Hub) -> list[int]:
    """Ten complaints, each of a phone of its own, and no pair that waits."""
    with hub.store.write() as connection:
        connection.execute(sa.update(link).values(state="rejected"))
    phones = [enrolled(hub, f"Gao {at}") for at in range(10)]
    for at, phone in enumerate(phones):
        phone.send(complaint(at))
    return [number_of(phone, at) for at, phone in enumerate(phones)]


def _states(hub: Hub, ids: list[int]) -> list[str]:
    with hub.store.read() as connection:
        found = {row.id: row.state for row in connection.execute(sa.select(link.c.id, link.c.state))}
    return [found[id] for id in ids]


def _shown(page: Page) -> str:
    return page.url.rpartition("/")[2]


def test_five_pairs_take_one_key_each(hub: Hub, address: str, sit_down: Callable[[str], Tab], told: list[int]) -> None:
    laid = [add_link(hub, told[at], told[at + 1], 0.99 - at / 1_000) for at in range(0, 10, 2)]
    page, asked = sit_down(HEAD).page, []
    page.goto(f"{address}{QUEUE}", wait_until="networkidle")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**{QUEUE}/*")
    for _ in laid:
        asked.append(_shown(page))
        page.keyboard.press("m")
        expect(page.locator("form.undo")).to_contain_text(asked[-1])
    assert asked == [written(id) for id in laid]
    assert _states(hub, laid) == ["confirmed"] * len(laid)
    page.keyboard.press("u")
    expect(page).to_have_url(f"{address}{QUEUE}/{asked[-1]}")
    assert _states(hub, laid) == [*["confirmed"] * (len(laid) - 1), "proposed"]


def test_group_of_three_is_gone_through_pair_by_pair(
    hub: Hub, address: str, sit_down: Callable[[str], Tab], told: list[int]
) -> None:
    laid = [add_link(hub, told[a], told[b]) for a, b in ((0, 1), (1, 2), (0, 2))]
    page = sit_down(HEAD).page
    for id in laid:
        page.goto(f"{address}{QUEUE}/{written(id)}", wait_until="networkidle")
        expect(page.locator("main nav.tabs a")).to_have_count(len(laid))
        page.keyboard.press("m")
        expect(page.locator("form.undo")).to_contain_text(written(id))
    assert _states(hub, laid) == ["confirmed"] * len(laid)
