"""Growing: the more complaints, the more agree by chance, and the odds of the models that judge them fall in steps."""

import re
from dataclasses import replace
from datetime import datetime
from typing import Final

from server.domain.matching.complaints import RELATIONS, step_from, steps_at
from server.domain.matching.decisions import PROPOSED
from server.domain.matching.model import Model, Relation
from server.services.duplicates import refitting
from server.store import audit, duplicates, models
from server.store.engine import Store

_ACTOR: Final = "matcher"
_STEPS: Final = re.compile(r"@\d+$")
# Of one lineage no more count: a step is taken for good, and what one device sends is a twentieth of the first.
LINEAGE_MOST: Final = 1_000
# The share of a step by which it may be taken late: a count looks at every complaint.
_LATE: Final = 0.01


def keep_up(store: Store, now: datetime) -> int:
    """Have complaints judged by the odds of a store of as many as there are, and all that is proposed judged anew.

    Counted are complaints that can be compared and were not withdrawn, at most LINEAGE_MOST of each lineage. Gives how
    many more have to be matched before this is worth calling again, at least a hundredth of the next step. Odds that
    fell never rise again. What was cut short, this or a switch, the next call finishes.
    """
    with store.read() as connection:
        count = duplicates.count_comparable(connection, LINEAGE_MOST)
    steps = steps_at(count)
    for relation in RELATIONS:
        _take(store, relation, steps, now)
        # All pages; how many there were tells nobody anything.
        sum(refitting.rejudge(store, relation))
    following = step_from(steps + 1)
    return max(following - count, int(following * _LATE))


def _take(store: Store, relation: Relation, steps: int, now: datetime) -> None:
    """Put the model in use with these steps in its own place, in one transaction: an operator's switch stands."""
    with store.write() as connection:
        held = models.held(connection, relation)
        in_use = models.find(connection, held) if held else None
        if in_use is None:
            # Another hub has just done this.
            return
        model = Model.read(in_use.document)
        if model.steps >= steps:
            return
        grown = replace(model, version=_STEPS.sub("", model.version) + f"@{steps}", steps=steps)
        kept = replace(in_use, version=grown.version, document=grown.write(), state=PROPOSED, at=now)
        models.add(connection, kept)
        models.use(connection, kept)
        audit.record(
            connection,
            at=now,
            actor=_ACTOR,
            action="switch_model",
            object=f"model:{grown.version}",
            details={"before": in_use.version, "relation": relation},
        )
