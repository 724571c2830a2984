"""dedupe in its own environment: a request as JSON on stdin, the answer as JSON on stdout."""

import json
import random
import sys
from collections.abc import Collection, Mapping
from datetime import date
from typing import Any, Final

import dedupe
import numpy
from dedupe import labeler, variables

_SEED: Final = 1969
# Below, no threshold would be set; the curve of F1 is drawn from here.
_KEPT_FROM: Final = 0.01
# The constant of the library is 5,000, at which predicates of several fields took more than 10 GB.
_SAMPLED: Final = 1_200
_DAYS_MOST: Final = 60

Row = dict[str, Any]
Pair = frozenset[str]


def main() -> None:
    """Answer one request."""
    request = json.load(sys.stdin)
    random.seed(_SEED)
    numpy.random.seed(_SEED)
    labeler.sample_records = _sampled
    json.dump(_link(request), sys.stdout)


def _sampled(data: Mapping[Any, Row], size: int) -> dict[Any, Row]:
    chosen = random.sample(tuple(data), min(len(data), size, _SAMPLED))
    return {key: data[key] for key in chosen}


def _link(request: dict[str, Any]) -> dict[str, Any]:
    """Pairs with their probability, and those that were asked."""
    fields = _VARIABLES[request["task"]](request)
    columns = [each.field for each in fields if not isinstance(each, variables.Interaction)]
    rows = {row["id"]: _prepared(row, columns) for row in request["rows"]}
    linker = dedupe.Dedupe(fields, num_cores=0, in_memory=True)
    linker.prepare_training(rows)
    linker.active_learner.rng = numpy.random.default_rng(_SEED)
    true, unclear = ({frozenset(pair) for pair in request[name]} for name in ("pairs", "unclear"))
    asked = _ask(linker, true, unclear, request["labels"])
    linker.train(recall=1.0)
    scores = linker.score(linker.pairs(rows))
    found = zip(scores["pairs"], scores["score"], strict=True)
    pairs = [(str(one), str(other), float(chance)) for (one, other), chance in found if chance >= _KEPT_FROM]
    return {"pairs": pairs, "asked": [sorted(pair) for pair in asked]}


def _ask(linker: Any, true: Collection[Pair], unclear: Collection[Pair], labels: int) -> set[Pair]:
    """Have somebody who knows answer so many questions, in the order that dedupe puts them; gives those answered."""
    asked: set[Pair] = set()
    while len(asked) < labels:
        for one, other in linker.uncertain_pairs():
            ids = frozenset((one["id"], other["id"]))
            if ids not in unclear:
                kind = "match" if ids in true else "distinct"
                linker.mark_pairs({"match": [], "distinct": []} | {kind: [(one, other)]})
                asked.add(ids)
    return asked


def _prepared(row: Row, fields: Collection[str]) -> Row:
    """What it wants of a row: nothing said is None, and several values are a tuple."""
    known = {name: tuple(value) if isinstance(value := row.get(name), list) else value for name in fields}
    return {"id": row["id"]} | {name: value or None for name, value in known.items()}


def _febrl(request: dict[str, Any]) -> list[Any]:
    names = ["given_name", "surname", "address_1", "address_2", "suburb"]
    codes = ["street_number", "postcode", "state"] + ["date_of_birth"] * request["has_birth"]
    return [
        *(variables.String(name, has_missing=True) for name in names),
        *(variables.ShortString(name, has_missing=True) for name in codes),
    ]


def _complaints(request: dict[str, Any]) -> list[Any]:
    texts = [row["text"] for row in request["rows"]]
    names = [variables.String(name, name=name, has_missing=True) for name in ("victim", "complainant", "accused")]
    whole = ("cercle", "commune", "kind", "day", "month", "sex", "age")
    return [
        *names,
        variables.String("place", has_missing=True),
        *(variables.Set(name, has_missing=True) for name in ("name_words", "place_words", "kinds", "phones")),
        *(variables.Exact(name, has_missing=True) for name in whole),
        variables.Custom("day", comparator=_days_apart, name="days", has_missing=True),
        variables.Price("amount", has_missing=True),
        variables.Text("text", has_missing=True, corpus=texts),
        variables.Interaction("victim", "days"),
    ]


def _days_apart(one: str, other: str) -> float:
    """0 to 1, from the same day to _DAYS_MOST."""
    return min(abs((date.fromisoformat(one) - date.fromisoformat(other)).days), _DAYS_MOST) / _DAYS_MOST


_VARIABLES: Final = {"febrl": _febrl, "complaints": _complaints}

if __name__ == "__main__":
    main()
