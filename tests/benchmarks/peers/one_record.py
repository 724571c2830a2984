"""One new report among those that are stored: what it takes our matcher and what it takes Splink, side by side."""

import time
from collections.abc import Sequence
from statistics import median
from typing import Final

from fixtures import kit
from server.hub import Hub
from server.services.duplicates import matching, turning
from server.services.duplicates.turning import Means
from tests.benchmarks.crowd import Crowd, Hardness, Telling
from tests.benchmarks.crowded import crowded
from tests.benchmarks.figure import note
from tests.benchmarks.harness import Void, copy_hub, fresh_folder, opened
from tests.benchmarks.peers.environment import ask
from tests.benchmarks.peers.rows import Row, complaint_row
from tests.benchmarks.steady import Tellers
from tests.matching import means

# As many before Splink's turn as after it: what else the machine does hits both.
_HALF: Final = 20
# What a fresh process is slow with counts for neither.
_WARM_UP: Final = 5


def ratio(stored: int) -> float:
    """Splink's time over ours for one report among so many, medians of the same 40; ours with its commits."""
    of = crowded(stored)
    late = of.crowd.late(_WARM_UP + 2 * _HALF, Hardness.OTHER_MONITOR)
    with fresh_folder() as folder:
        copy_hub(of.folder, folder / "hub")
        with opened(folder / "hub") as hub:
            tellers, told = Tellers(hub), means(hub)
            before = [_ours_ms(hub, tellers, of.crowd, each, told) for each in late[: _WARM_UP + _HALF]]
            theirs = _splink_ms(of.crowd, late)[_WARM_UP:]
            after = [_ours_ms(hub, tellers, of.crowd, each, told) for each in late[_WARM_UP + _HALF :]]
    ours = before[_WARM_UP:] + after
    note(f"one report among {stored}: ours {median(ours):.1f} ms ({min(ours):.1f} to {max(ours):.1f}),")
    note(f"  Splink {median(theirs):.1f} ms ({min(theirs):.1f} to {max(theirs):.1f})")
    return median(theirs) / median(ours)


def _ours_ms(hub: Hub, tellers: Tellers, crowd: Crowd, telling: Telling, told: Means) -> float:
    """What the matcher's two steps take, in this process: keys, candidates, comparison, links, and both commits."""
    number = tellers.send(crowd.report(telling), telling)
    page = matching.claim(hub.store, "peers", hub.clock())
    if [each.complaint for each in page] != [number]:
        raise Void(f"{len(page)} complaints wait, not the one that was sent")
    began = time.perf_counter()
    with hub.store.read() as connection:
        turned = turning.turn(connection, page, told)
    kept = turning.keep(hub.store, turned, hub.clock())
    with hub.store.read() as connection:
        matched = matching.match(connection, kept, matching.models_of(connection), told)
    matching.keep(hub.store, matched, hub.clock())
    return (time.perf_counter() - began) * 1_000


def _splink_ms(crowd: Crowd, late: Sequence[Telling]) -> list[float]:
    """Its time for each, by a model that it made of the labelled kit without a label."""
    known = [complaint_row(each.id, kit.content(each.form)) for each in kit.reports("train")]
    stored, new = (_rows(crowd, told) for told in (crowd.history, late))
    request = {"task": "one_record", "known": known, "rows": stored, "new": new}
    waits: list[float] = ask("with_splink.py", request)
    return waits


def _rows(crowd: Crowd, told: Sequence[Telling]) -> list[Row]:
    return [complaint_row(f"{each.incident} {each.number}", kit.content(crowd.report(each).form)) for each in told]
