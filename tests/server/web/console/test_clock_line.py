"""The line of the two clocks: its words stand beside one another, within the drawing, whatever is due."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from server.i18n import catalogue
from server.web.console.clock_line import Point, _placed

BEGAN = datetime(2026, 10, 18, tzinfo=UTC)
WIDTH = 780
# Bold letters of twelve units are no narrower, one with another.
LETTER = 6.8


@pytest.mark.parametrize("language", ["fr", "en"])
@pytest.mark.parametrize("due", ["referral_answer", "custody_answer", "petition_answer", "feedback", "triage"])
@pytest.mark.parametrize("days", [(0, 44, 71, 71, 101), (0, 0, 0, 0, 0), (0, 1, 2, 3, 400), (0, 200, 200, 201, 201)])
def test_no_words_lie_on_others_or_beyond_the_edge(language: str, due: str, days: tuple[int, ...]) -> None:
    texts = catalogue(language)
    heads = [texts.text(f"case.clock_{code}") for code in ("collected", "received", "triaged", "now")]
    heads.append(texts.text(f"deadline.{due}"))
    points = [
        Point("due", BEGAN + timedelta(days=day), 0, head, "28 déc. 2026")
        for day, head in zip(days, heads, strict=True)
    ]
    ends = [(each.x - half, each.x + half) for each in _placed(points) for half in [len(each.head) * LETTER / 2]]
    assert ends[0][0] >= 0
    assert ends[-1][1] <= WIDTH
    assert [(one, other) for one, other in pairwise(ends) if one[1] >= other[0]] == []
