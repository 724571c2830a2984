"""The peers beside us, Splink 5 and dedupe 3: the same data in the same run. What each is given: peers/README.md."""

import csv
from collections.abc import Collection, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, Literal, NamedTuple

from fixtures import kit as fixture
from fixtures.kit import Ids
from server.domain.matching import complaints
from server.domain.matching.model import Model, Relation
from server.services.duplicates.arriving import CLEAR
from tests.benchmarks import kit
from tests.benchmarks.duplicates import evaluated
from tests.benchmarks.febrl import ID, NODOB, NOID, write_febrl
from tests.benchmarks.figure import Figure, note
from tests.benchmarks.harness import Plan
from tests.benchmarks.peers import one_record
from tests.benchmarks.peers.environment import PeersMissing, ask
from tests.benchmarks.peers.judged import EVEN, Chances, answered, at, best_f1, chances_of, least_sure, recall
from tests.benchmarks.peers.rows import Row, complaint_row

FIGURES: Final = (
    "ahead_of_splink_febrl3_nodob",
    "ahead_of_dedupe_febrl3_nodob",
    "ahead_of_splink_febrl4_nodob",
    "ahead_of_dedupe_febrl4_nodob",
    "ahead_of_splink_febrl3_noid",
    "ahead_of_dedupe_febrl3_noid",
    "ahead_of_splink_kit",
    "ahead_of_peers_kit_300",
    "splink_ratio_one_record",
)
# What Splink's examples take for a link; dedupe's own default is EVEN.
_SPLINK_LINKS: Final = 0.95
_FEBRL_LABELS: Final = 120
_KIT_LABELS: Final = 300
_AHEAD: Final = 0.0001


class _Set(NamedTuple):
    name: str
    number: Literal[3, 4]
    fields: str
    has_birth: bool


_SETS: Final = (
    _Set("febrl3_nodob", 3, NODOB, False),
    _Set("febrl4_nodob", 4, NODOB, False),
    _Set("febrl3_noid", 3, NOID, True),
)


def measure(plan: Plan) -> Iterator[Figure]:
    """How far we are ahead of each; all values are None where their environment can't be made."""
    try:
        for each in _SETS:
            yield from _febrl(each)
        yield from _kit()
        yield Figure("splink_ratio_one_record", one_record.ratio(plan.large), "times", ">=", 20)
    except PeersMissing as error:
        note(f"the peers' environment can't be made: {error}")
        yield from (Figure(name, None, "") for name in FIGURES)


def _febrl(each: _Set) -> Iterator[Figure]:
    """F1 of all three, each at the threshold that it comes with."""
    with TemporaryDirectory() as folder:
        records, pairs = write_febrl(each.number, Path(folder))
        told = evaluated(f"{each.name}, ours", records, pairs, each.fields, ID, CLEAR, "table")
        rows, true = _read(records, pairs)
    ours = told["shipped"]["f1"]
    request = {"task": "febrl", "has_birth": each.has_birth, "rows": rows}
    splink = chances_of(ask("with_splink.py", request))
    yield _ahead(each, "splink", ours, splink, true, _SPLINK_LINKS)
    labels = {"pairs": _listed(true), "unclear": [], "labels": _FEBRL_LABELS}
    dedupe = chances_of(ask("with_dedupe.py", request | labels)["pairs"])
    yield _ahead(each, "dedupe", ours, dedupe, true, EVEN)


def _ahead(each: _Set, peer: str, ours: float, chances: Chances, true: Collection[Ids], threshold: float) -> Figure:
    theirs = at(chances, true, threshold)
    note(f"{each.name}, {peer}: F1 {theirs.f1:.4f} from {threshold} on ({theirs.precision:.4f}, {theirs.recall:.4f})")
    note(f"  {best_f1(chances, true):.4f} at best, {recall(chances, true):.4f} of the matches compared")
    return Figure(f"ahead_of_{peer}_{each.name}", ours - theirs.f1, "F1", ">=", _AHEAD)


def _read(records: Path, pairs: Path) -> tuple[list[Row], set[Ids]]:
    """The same files as rows with the column `id`, and the pairs that match."""
    with records.open(encoding="utf-8", newline="") as file:
        rows = [{"id": row.pop(ID)} | row for row in csv.DictReader(file)]
    with pairs.open(encoding="utf-8", newline="") as file:
        return rows, {frozenset(row.values()) for row in csv.DictReader(file)}


def _kit() -> Iterator[Figure]:
    """The test half of the labelled kit; peers have the threshold that suits them best, we have the shipped one."""
    stream = kit.Stream("test", Relation.SAME_INCIDENT)
    model = complaints.shipped(Relation.SAME_INCIDENT)
    ours = at(stream.chances(model), stream.true, EVEN).f1
    splink = _splink_on_kit(stream)
    theirs = best_f1(splink, stream.true)
    note(f"kit, no answer: F1 of ours {ours:.4f}, of splink {theirs:.4f} at best")
    for threshold in (EVEN, _SPLINK_LINKS):
        note(f"  splink from {threshold} on {at(splink, stream.true, threshold).f1:.4f}")
    note(f"  {recall(splink, stream.true):.4f} of the matches compared")
    yield Figure("ahead_of_splink_kit", ours - theirs, "F1", ">=", 0.10)
    yield _with_answers(stream, model, splink)


def _with_answers(stream: kit.Stream, model: Model, splink: Chances) -> Figure:
    """The same after 300 answers of somebody who knows, asked in the order that each has for its questions."""
    decided, fitted = kit.decide(stream, model, _KIT_LABELS)
    ours = at(answered(stream.chances(fitted), decided, stream.true), stream.true, EVEN).f1
    reviewed = best_f1(answered(splink, least_sure(splink, _KIT_LABELS), stream.true), stream.true)
    dedupe = best_f1(_dedupe_on_kit(stream), stream.true)
    note(f"kit, {_KIT_LABELS} answers: F1 of ours {ours:.4f}, of splink {reviewed:.4f}, of dedupe {dedupe:.4f}")
    return Figure("ahead_of_peers_kit_300", ours - max(reviewed, dedupe), "F1", ">=", 0.05)


def _splink_on_kit(stream: kit.Stream) -> Chances:
    """It learns from both halves of the kit, without a label; pairs of the test half count."""
    rows = [complaint_row(each.id, fixture.content(each.form)) for each in (*stream.told, *fixture.reports("train"))]
    counted = {each.id for each in stream.told}
    found = chances_of(ask("with_splink.py", {"task": "complaints", "rows": rows}))
    return {ids: chance for ids, chance in found.items() if ids <= counted and ids not in fixture.unclear()}


def _dedupe_on_kit(stream: kit.Stream) -> Chances:
    """It asks about pairs of the test half, as we do, and what was answered stands."""
    rows = [complaint_row(each.id, fixture.content(each.form)) for each in stream.told]
    unclear = fixture.unclear()
    labels = {"pairs": _listed(stream.true), "unclear": _listed(unclear), "labels": _KIT_LABELS}
    told = ask("with_dedupe.py", {"task": "complaints", "rows": rows} | labels)
    found = {ids: chance for ids, chance in chances_of(told["pairs"]).items() if ids not in unclear}
    return answered(found, {frozenset(pair) for pair in told["asked"]}, stream.true)


def _listed(pairs: Collection[Ids]) -> list[list[str]]:
    """Pairs for JSON, in an order that does not change from run to run."""
    return sorted(sorted(ids) for ids in pairs)
