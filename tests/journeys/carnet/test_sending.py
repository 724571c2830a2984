"""Sending over a link that dies: counts never go back, and each complaint arrives once, whatever is killed."""

from itertools import count, pairwise

import pytest
import sqlalchemy as sa

from fixtures.bad_road import BadRoad, Cut
from server.hub import Hub
from server.store.evidence_tables import piece
from server.store.schema import complaint
from tests.carnet_phone import Phone, receipts

pytestmark = [pytest.mark.prove, pytest.mark.ci]

# What is read out, with the counts that stand beside it.
_WATCH = """() => {
  window.heard = [];
  new MutationObserver(() => {
    const there = Number(document.querySelector("[data-count=there]").textContent);
    window.heard.push({ line: document.querySelector("[role=status]").textContent, there });
  }).observe(document.querySelector("[role=status]"), { childList: true });
}"""


def on_the_hub(hub: Hub) -> tuple[list[str], int]:
    with hub.store.read() as connection:
        here = connection.scalar(sa.select(sa.func.count()).select_from(piece).where(piece.c.state == "here"))
    return list(receipts(hub, complaint)), here or 0


def test_counts_say_where_five_complaints_are_before_during_and_after_a_cut(
    phone: Phone, hub: Hub, road: BadRoad
) -> None:
    road.cut()
    written = [phone.write(f"Récit {number}") for number in range(4)] + [phone.record(speaks_ms=3_000)]
    assert phone.counts == {"here": 5, "there": 0, "answered": 0}
    phone.send()
    assert phone.counts == {"here": 5, "there": 0, "answered": 0}
    assert "coupé" in phone.page.inner_text("[role=status]")
    road.restore()
    phone.page.evaluate(_WATCH)
    phone.send()
    assert phone.counts == {"here": 0, "there": 5, "answered": 0}
    assert on_the_hub(hub) == (sorted(written), 1)
    heard = phone.page.evaluate("window.heard")
    there = [each["there"] for each in heard]
    assert there == sorted(there)
    assert all(before["line"] != after["line"] for before, after in pairwise(heard))
    assert 2 <= len(heard) <= 6
    assert "Vous pouvez éteindre" in heard[-1]["line"]
    assert phone.troubles() == []


def test_a_link_that_dies_at_every_two_kilobytes_loses_and_doubles_nothing(
    phone: Phone, hub: Hub, road: BadRoad
) -> None:
    road.cut()
    written = [phone.write("Un récit assez long pour une coupure. " * 20) for _ in range(3)]
    written.append(phone.record())
    road.restore()
    upstream = road._upstream
    road.stop()
    seen = [0]
    script = (Cut(after_up=2_000 * number) for number in count(1))
    with BadRoad(upstream, script, port=road._bind_to[1]) as dying:
        for number in range(12):
            phone.send()
            counts = phone.counts
            assert counts["there"] >= seen[-1]
            seen.append(counts["there"])
            if number % 3 == 2:
                phone.kill_page()
                phone.open()
                phone.unlock()
                phone.wait_sent()
        assert dying.cuts > 0
    road.start()
    phone.send()
    phone.send()
    assert phone.counts == {"here": 0, "there": 4, "answered": 0}
    assert on_the_hub(hub) == (sorted(written), 1)
