"""The labelled kit at a hub in memory: what the shipped models find in its test half, and what decisions add."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

import sqlalchemy as sa

from client_sync.protocol.linkage import LINKED
from client_sync.protocol.vocabulary import STRICT
from fixtures import kit
from fixtures.kit import Ids, Report
from server.domain.errors import FitFailed
from server.domain.matching import complaints, review
from server.domain.matching.fitting import Labelled, calibration_error, refit
from server.domain.matching.model import Band, Model, Relation, chance_of
from server.services.duplicates import matching
from server.services.duplicates.turning import Means
from server.store.match_tables import link
from server.store.schema import received
from tests.benchmarks.figure import Figure, note
from tests.benchmarks.harness import fresh_folder, opened
from tests.builders import Sender, an_id, enrolled, operation
from tests.matching import linkage, match_page

FIGURES: Final = (
    "kit_f1",
    "kit_f1_300_decisions",
    "kit_sealed_f1_loss",
    "kit_recall_at_30",
    "strong_precision",
    "calibration_error",
)
_PEPPER: Final = bytes(range(32))
_SPLIT: Final = "test"
_THRESHOLD: Final = 0.5
# Nearly all pairs are below, and nearly all of them rightly: they would hide what the others say.
_CALIBRATED_FROM: Final = 0.02
_DECISIONS: Final = 300
_BATCH: Final = 50
_FITTED_FROM: Final = 100


class Reached(NamedTuple):
    """Precision, recall and F1 over pairs."""

    precision: float
    recall: float
    f1: float


class Stream:
    """The reports of a half of the kit as they came to a hub: the pairs that it compared, and those that match."""

    def __init__(self, split: str, relation: Relation, compartments: Collection[str] = LINKED) -> None:
        self.told = kit.reports(split)
        self.pairs = {pair.ids: pair for pair in kit.replay(kit.Hub(_PEPPER), self.told, compartments)}
        self.true = kit.matches(self.told, relation)

    def chances(self, model: Model) -> dict[Ids, float]:
        """The calibrated probability of each pair."""
        return {ids: chance_of(model, pair.levels, pair.rarity, complaints.STORED) for ids, pair in self.pairs.items()}

    def labelled(self, ids: Ids) -> Labelled:
        """A pair with the decision of somebody who knows."""
        pair = self.pairs[ids]
        return Labelled(pair.levels, pair.rarity, complaints.STORED, ids in self.true)


def measure() -> Iterator[Figure]:
    """The figures, with a line for each slice of the kit."""
    model = complaints.shipped(Relation.SAME_INCIDENT)
    stream = Stream(_SPLIT, Relation.SAME_INCIDENT)
    chances = stream.chances(model)
    found = {ids for ids, chance in chances.items() if chance >= _THRESHOLD}
    plain = reached(found, stream.true)
    note(f"kit: precision {plain.precision:.4f}, recall {plain.recall:.4f}, {len(stream.true)} pairs match")
    yield Figure("kit_f1", plain.f1, "F1", ">=", 0.80)
    yield Figure("kit_f1_300_decisions", _decided(stream, model), "F1", ">=", 0.90)
    yield Figure("kit_sealed_f1_loss", plain.f1 - _sealed(stream), "F1", "<=", 0.05)
    yield Figure("kit_recall_at_30", len(stream.true & stream.pairs.keys()) / len(stream.true), "share", ">=", 0.98)
    strong = [ids in stream.true for ids, chance in chances.items() if model.band(chance) is Band.STRONG]
    yield Figure("strong_precision", sum(strong) / len(strong), "share", ">=", 0.97)
    judged = [(chance, ids in stream.true) for ids, chance in chances.items() if chance >= _CALIBRATED_FROM]
    yield Figure("calibration_error", calibration_error(judged), "share", "<=", 0.05)
    note(f"  strong: {len(strong)} pairs")
    for line in _slices(stream, found):
        note(line)
    _note_without_statement(model)
    _note_complainants()


def reached(found: Collection[Ids], true: Collection[Ids]) -> Reached:
    """What was found against what there is to find."""
    right = len(set(found) & set(true))
    return Reached(right / max(len(found), 1), right / len(true), 2 * right / (len(found) + len(true)))


def decide(stream: Stream, model: Model, decisions: int) -> tuple[dict[Ids, Labelled], Model]:
    """Decide so many pairs, those of most value first as the queue has them, and fit the model to the decisions.

    Gives the decisions, and the model that they made.
    """
    decided: dict[Ids, Labelled] = {}
    fitted = model
    while len(decided) < decisions:
        chances = stream.chances(fitted)
        waiting = [ids for ids in chances if ids not in decided]
        waiting.sort(key=lambda ids: (-review.value_of(chances[ids], is_urgent=False), sorted(ids)))
        for ids in waiting[: min(_BATCH, decisions - len(decided))]:
            decided[ids] = stream.labelled(ids)
        if len(decided) >= _FITTED_FROM:
            fitted = _refitted(model, list(decided.values()))
    return decided, fitted


def _refitted(model: Model, decided: Sequence[Labelled]) -> Model:
    try:
        return refit(model, decided, f"{model.version}+{len(decided)}", f"{len(decided)} decisions")
    except FitFailed:
        note(f"  a fit to {len(decided)} decisions was refused")
        return model


def _decided(stream: Stream, model: Model) -> float:
    decided, fitted = decide(stream, model, _DECISIONS)
    chances = stream.chances(fitted)
    said = {ids for ids, chance in chances.items() if chance >= _THRESHOLD}
    alone = reached(said, stream.true)
    rest = reached(said - decided.keys(), stream.true - decided.keys())
    confirmed = {ids for ids, each in decided.items() if each.is_match}
    standing = reached((said - decided.keys()) | confirmed, stream.true)
    note(f"  {len(decided)} decisions, {len(confirmed)} of them yes: F1 {standing.f1:.4f} as they stand,")
    note(f"  {alone.f1:.4f} by the new model alone, {rest.f1:.4f} over the pairs that nobody decided")
    return standing.f1


def _sealed(stream: Stream) -> float:
    """F1 of the links at a real hub that reads the linkages, and of no report the statement."""
    with fresh_folder() as folder, opened(folder) as hub:
        senders = {device: enrolled(hub, device) for device in sorted({each.form["device"] for each in stream.told})}
        means = Means(hub.secrets.pepper, hub.secrets.linkage, kit.places())
        for each in stream.told:
            _send(senders[each.form["device"]], each)
        matching.keep_models(hub.store, hub.clock())
        while page := matching.claim(hub.store, "kit", hub.clock()):
            match_page(hub, page, means)
        with hub.store.read() as connection:
            names = {an_id(each.id): each.id for each in stream.told}
            numbers = {row.id: names[row.client_id] for row in connection.execute(sa.select(received))}
            columns = link.c.a, link.c.b, link.c.probability
            rows = connection.execute(sa.select(*columns).where(link.c.relation == Relation.SAME_INCIDENT)).all()
    found = {frozenset((numbers[row.a], numbers[row.b])) for row in rows if row.probability >= _THRESHOLD}
    return reached(found - kit.unclear(), stream.true).f1


def _send(sender: Sender, report: Report) -> None:
    said = kit.content(report.form)
    said["facts"]["clear"]["confidentiality"] = STRICT
    sealed = sender.seal(report.id, said)
    sender.send(operation("complaint", report.id, sealed), linkage(sender, report.id, said))


def _note_without_statement(model: Model) -> None:
    stream = Stream(_SPLIT, Relation.SAME_INCIDENT, [name for name in LINKED if name != "statement"])
    at = reached({ids for ids, chance in stream.chances(model).items() if chance >= _THRESHOLD}, stream.true)
    note(f"kit, linkages without a statement: F1 {at.f1:.4f} ({at.precision:.4f}, {at.recall:.4f})")


def _note_complainants() -> None:
    stream = Stream(_SPLIT, Relation.SAME_COMPLAINANT)
    chances = stream.chances(complaints.shipped(Relation.SAME_COMPLAINANT))
    at = reached({ids for ids, chance in chances.items() if chance >= _THRESHOLD}, stream.true)
    note(f"kit, same complainant: F1 {at.f1:.4f} ({at.precision:.4f}, {at.recall:.4f})")
    known = frozenset(ids for ids in stream.true if all(_names(each) for each in stream.told if each.id in ids))
    found = {ids for ids, chance in chances.items() if chance >= _THRESHOLD}
    note(f"  of the {len(known)} pairs whose two complainants left a name or number, {len(found & known)} found")


def _names(report: Report) -> bool:
    return bool(report.form.get("reporter"))


def _slices(stream: Stream, found: Collection[Ids]) -> Iterator[str]:
    """Recall by what makes a pair hard; and of the pairs made as traps, how many were taken for one incident."""
    reports = {each.id: each for each in stream.told}
    names = sorted({name for each in stream.told for name in each.slices})
    for name in names:
        true = {ids for ids in stream.true if any(name in reports[id].slices for id in ids)}
        if true:
            hit, seen = len(true & set(found)), len(true & stream.pairs.keys())
            yield f"  {name}: recall {hit / len(true):.2f}, retrieved {seen / len(true):.2f}, of {len(true)}"
    yield from _by_language(stream, found, reports)
    traps = {ids: kind for ids, (label, kind) in kit.traps().items() if label == "different" and ids <= reports.keys()}
    for kind in sorted(set(traps.values())):
        made = [ids for ids, each in traps.items() if each == kind]
        yield f"  trap {kind}: {sum(ids in found for ids in made)} of {len(made)} taken for one incident"


def _by_language(stream: Stream, found: Collection[Ids], reports: Mapping[str, Report]) -> Iterator[str]:
    """F1 over the pairs of two languages; Bambara stands apart, as nobody who speaks it has read it."""

    def languages(ids: Ids) -> str:
        return " x ".join(sorted(reports[id].language for id in ids))

    for both in sorted({languages(ids) for ids in stream.true}):
        true = {ids for ids in stream.true if languages(ids) == both}
        at = reached({ids for ids in found if languages(ids) == both}, true)
        yield f"  {both}: F1 {at.f1:.2f} ({at.precision:.2f}, {at.recall:.2f}), {len(true)} pairs match"
