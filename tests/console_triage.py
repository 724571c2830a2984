"""A coordinator triages by keys alone: what it takes, counted as it is done in a real browser."""

from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa

from server.hub import Hub
from server.store.case_tables import casefile, waiting
from tests.console_tab import Tab

INBOX: Final = "/console/inbox"
# The number of the complaint that is read.
_NUMBER: Final = "#pane header a.nb"
_SHOWN: Final = f"document.querySelector('{_NUMBER}')?.textContent ?? ''"
_IS_NEXT: Final = f"(was) => ![was, ''].includes({_SHOWN}) && !document.querySelector('.htmx-request')"
# What whoever sees the page can tell of the focus: the width of its outline in CSS pixels, 0 where something covers it.
_FOCUS: Final = """() => {
  const element = document.activeElement;
  const box = element.getBoundingClientRect();
  const top = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);
  const style = getComputedStyle(element);
  const isSeen = element !== document.body && top && (element.contains(top) || top.contains(element));
  return isSeen && style.outlineStyle !== "none" ? parseFloat(style.outlineWidth) : 0;
}"""


@dataclass(frozen=True)
class Triaged:
    """What it took: numbers in the order in which they were decided, presses of keys, bytes that came down.

    `least_outline`: the narrowest outline of what had the focus, in CSS pixels, over all steps.
    """

    numbers: tuple[str, ...]
    presses: int
    bytes_down: int
    least_outline: float


def triage_by_keys(tab: Tab, address: str, count: int, asked: str = "") -> Triaged:
    """Open a case of each of the first so many that wait, by the keyboard alone; `asked`: the query for them."""
    tab.page.goto(f"{address}{INBOX}{asked}", wait_until="networkidle")
    before, outlines, numbers = tab.bytes_down, [], []
    press_for_next(tab, "j")
    for _ in range(count):
        outlines.append(tab.page.evaluate(_FOCUS))
        numbers.append(shown(tab))
        press_for_next(tab, "Enter")
    tab.page.wait_for_load_state("networkidle")
    return Triaged(tuple(numbers), count + 1, tab.bytes_down - before, min(outlines))


def press_for_next(tab: Tab, key: str) -> None:
    """Press a key, and wait until another complaint is read."""
    was = shown(tab)
    tab.page.keyboard.press(key)
    tab.page.wait_for_function(_IS_NEXT, arg=was)


def shown(tab: Tab) -> str:
    """The number of the complaint that is read; empty where none is."""
    number: str = tab.page.evaluate(_SHOWN)
    return number


def statuses(hub: Hub, numbers: tuple[str, ...]) -> list[str]:
    """Where the cases of these complaints stand, in their order."""
    with hub.store.read() as connection:
        rows = connection.execute(sa.select(casefile.c.ref, casefile.c.status).where(casefile.c.ref.in_(numbers)))
        by_ref = {row.ref: row.status for row in rows}
    return [by_ref[number] for number in numbers]


def how_many_wait(hub: Hub) -> int:
    """Complaints of which nobody decided yet."""
    with hub.store.read() as connection:
        first = sa.select(casefile.c.id).where(casefile.c.status == "acknowledged")
        counted = sa.select(sa.func.count()).where(waiting.c.casefile.in_(first))
        return int(connection.scalar(counted) or 0)
