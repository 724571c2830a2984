"""S4, comparing: the pairs that wait, two reports side by side, and what people say of them; nothing is merged."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from flask import Blueprint, request, url_for

from server.domain.desk import Desk
from server.domain.errors import DecisionStale, NotFound
from server.domain.matching import link_ids
from server.domain.matching.decisions import Judged, Reason, Verdict
from server.domain.matching.levels import Level
from server.domain.matching.model import Band
from server.i18n import Catalogue, catalogue
from server.reading import read
from server.services.accounts.sessions import Login
from server.services.duplicates import choosing, deciding, wording
from server.services.duplicates.choosing import Queue, ShownPair
from server.services.duplicates.deciding import Explained
from server.web.auth import for_person, this_hub
from server.web.console.listing import csv_answer, wants_csv
from server.web.console.neighbours import neighbours
from server.web.console.pages import Answer, offer_undo, page, see
from server.web.console.shared_words import Piece, marked

blueprint = Blueprint("duplicates", __name__, url_prefix="/console/duplicates")

# A screenful; the queue is asked again after each decision.
_SHOWN: Final = 20
_GROUP_LEAST: Final = 3
_COLUMNS: Final = ("pair", "question", "one", "other", "band", "chances")
# What of a report each field of a comparison was read from, where that is clear.
_FACT_OF: Final[Mapping[str, str]] = {"kinds": "acts", "when": "when", "place": "place", "money": "money"}
# Of the narrative, which stands above.
_TOLD: Final = frozenset({"story", "wording"})
_ALONE: Final = ("team", "sector", "persons")
# By level: the sign, and how many of three cells are full.
_SIGNS: Final = {Level.DIFFERS: ("≠", 0), Level.FAINT: ("≈", 1), Level.CLOSE: ("≈", 2), Level.NEAR: ("≈", 2)}
_SAME: Final = ("=", 3)
_CELLS: Final = {Band.STRONG: 3, Band.POSSIBLE: 2, Band.SILENT: 1}
# Both questions are answered with yes at once.
_TWICE: Final = "twice"
_ANSWERS: Final = (Verdict.CONFIRMED, Verdict.REJECTED, Verdict.UNSURE, _TWICE)
# Nobody goes on so long; each stretch is passed entry by entry.
_FURTHER_MOST: Final = 200
_TO_DECIDE: Final = tuple(each for each in Reason if each not in (Reason.MISTAKE, Reason.NEWS))


@dataclass(frozen=True)
class Field:
    """A row of the comparison in words: `said` is how far both agree, in `cells` of three and `points`; empty for what
    was not compared. `sides` are what both reports say, None where that stands elsewhere: `stands` says where,
    `sealed`, in the `narrative`, or nowhere.
    """

    name: str
    said: str
    sign: str
    cells: int
    points: str
    sides: tuple[str, str] | None
    stands: Literal["sealed", "narrative", ""]


@dataclass(frozen=True)
class Row:
    """A pair of the queue in words. Of one that is to be judged unaided, `band` says so, and `chances` is empty.

    `cells`: how strongly it is proposed, of three. `alike`: of how large a group it is the first, empty for two alone.
    """

    pair: str
    question: str
    one: str
    other: str
    band: str
    chances: str
    cells: int
    alike: str


@dataclass(frozen=True)
class Group:
    """How many complaints hold together, and the pairs by which they do: both numbers, and the address."""

    members: int
    pairs: Sequence[tuple[str, str, str]]


@blueprint.get("")
@for_person("handle_case")
def show_queue(person: Login) -> Answer:
    """The pairs that come next, and how many the day has left; `further`: so many stretches of the list are passed."""
    further = min(max(request.args.get("further", 0, type=int), 0), _FURTHER_MOST)
    texts, queue = catalogue(person.language), _queue(_desk(person), further)
    rows = [_row(texts, each) for each in queue.pairs]
    if wants_csv():
        header = [texts.text(f"comparing.column_{name}") for name in _COLUMNS]
        cells = ([getattr(each, name) for name in _COLUMNS] for each in rows)
        return csv_answer(texts.text("comparing.file"), header, cells)
    done, then = queue.capacity - queue.left, url_for("duplicates.show_queue", further=further + 1)
    return page("duplicates.html", person, queue=queue, rows=rows, done=done, then=then if queue.is_cut else None)


@blueprint.get("/<pair>")
@for_person("handle_case")
def show(person: Login, pair: str) -> Answer:
    """Both reports of a pair side by side, and why they may match."""
    return _shown(person, _id(pair))


@blueprint.post("/<pair>")
@for_person("handle_case")
def decide(person: Login, pair: str) -> Answer:
    """Say that a pair matches, matches by both questions, does not, or that one does not know; goes on to the next."""
    desk, texts, link = _desk(person), catalogue(person.language), _id(pair)
    answer = request.form.get("verdict")
    if answer not in _ANSWERS or request.form.get("after", type=int) is None:
        return _shown(person, link, wrong=texts.text("comparing.choose")), 422
    following = _around(_queue(desk), link, _twin_told())[1]
    try:
        said, made = _decided(desk, link, answer)
    except DecisionStale as stale:
        return _shown(person, link, wrong=_in_words(texts, stale)), 409
    offer_undo(texts.text(f"comparing.{said}", pair=pair), url_for("duplicates.undo", pair=pair), **made)
    return see(_url(following))


@blueprint.post("/<pair>/undo")
@for_person("handle_case")
def undo(person: Login, pair: str) -> Answer:
    """Take a decision back; the pair is shown again."""
    link, number, store, desk = _id(pair), request.form.get("decision", type=int), this_hub().store, _desk(person)
    twin, of_twin = _twin_told(), request.form.get("of_twin", type=int)
    if number is None:
        return _shown(person, link, wrong=catalogue(person.language).text("comparing.choose")), 422
    if twin is None or of_twin is None:
        deciding.undo(store, desk, link, number)
    else:
        deciding.undo_both(store, desk, (link, twin), (number, of_twin))
    return see(url_for("duplicates.show", pair=pair))


def _decided(desk: Desk, link: int, answer: str) -> tuple[str, dict[str, str]]:
    """Keep an answer as the form gives it: what was done, by its key in the texts, and what taking it back has to say.

    Raises DecisionStale.
    """
    store, form, twin = this_hub().store, request.form, _twin_told()
    after, reason = int(form["after"]), next((each for each in _TO_DECIDE if each.value == form.get("reason")), None)
    if answer == Verdict.UNSURE:
        return "did_unsure", {"decision": str(deciding.pass_by(store, desk, link, reason))}
    if answer == _TWICE and twin is not None:
        seen = after, form.get("twin_after", 0, type=int)
        one, other = deciding.confirm_both(store, desk, (link, twin), seen, reason)
        return "did_twice", {"decision": str(one), "twin": form["twin"], "of_twin": str(other)}
    verdict, is_second = Verdict.REJECTED if answer == Verdict.REJECTED else Verdict.CONFIRMED, "second" in form
    made = deciding.decide(store, desk, link, verdict, reason=reason, after=after, is_second=is_second)
    return "seconded" if is_second else f"did_{verdict}", {"decision": str(made)}


def _twin_told() -> int | None:
    """The link that the form names as the same two on the other question."""
    return link_ids.read(request.form.get("twin", ""))


def _shown(person: Login, link: int, wrong: str = "") -> str:
    hub, desk, texts = this_hub(), _desk(person), catalogue(person.language)
    seen, queue = deciding.explain(hub.store, desk, link), _queue(desk)
    told = [_narrative(desk, each.complaint) for each in seen.reports]
    first, then = (wording.facts(texts, each, desk.places) for each in seen.reports)
    before, following = _around(queue, link)
    return page(
        "duplicate.html",
        person,
        seen=seen,
        pair=link_ids.written(link),
        queue=queue,
        told_pieces=_pieces(seen, told),
        fields=list(_fields(texts, seen.judged, first, then)),
        judged=_said(texts, seen.judged),
        received=(first["received"], then["received"]),
        words=[each for each in seen.words if each.decision.verdict is not Verdict.UNDONE],
        reasons={each.value: texts.text(f"duplicates.because_{each}") for each in _TO_DECIDE},
        group=_group(desk, seen),
        twin=seen.twin and link_ids.written(seen.twin.link),
        around={"k": _url(before), "j": _url(following)},
        wrong=wrong,
        typed=request.form,
    )


def _desk(person: Login) -> Desk:
    return this_hub().desk(person.actor, person.keys)


def _id(pair: str) -> int:
    """The id of the link of this address. Raises NotFound."""
    found = link_ids.read(pair)
    if found is None:
        raise NotFound(object=pair)
    return found


def _queue(desk: Desk, further: int = 0) -> Queue:
    hub = this_hub()
    return choosing.next_pairs(hub.store, desk, hub.settings.reviews_per_day, _SHOWN, further)


def _around(queue: Queue, link: int, twin: int | None = None) -> tuple[int | None, int | None]:
    """The pairs of the queue before and after one, its twin left out."""
    return neighbours([each.link for each in queue.pairs if each.link != twin], link)


def _url(link: int | None) -> str:
    """The page of a pair, and the queue in the place of none."""
    if link is None:
        return url_for("duplicates.show_queue")
    return url_for("duplicates.show", pair=link_ids.written(link))


def _narrative(desk: Desk, complaint: int) -> str:
    """What the complaint tells, empty where no key at hand opens it; the log says that it was read."""
    clear = read(this_hub(), desk, complaint, "statement").clear or {}
    return str(clear.get("narrative") or "")


def _pieces(seen: Explained, told: Sequence[str]) -> tuple[Sequence[Piece], Sequence[Piece]]:
    """Both narratives, what they share marked; unmarked for whoever is to judge unaided."""
    one, other = told
    if seen.judged is None:
        return (Piece(one, False),), (Piece(other, False),)
    return marked(one, other), marked(other, one)


def _row(texts: Catalogue, shown: ShownPair) -> Row:
    judged = _said(texts, shown.judged)
    question = texts.text(f"duplicates.asked_{shown.relation}")
    alike = texts.text("comparing.alike", n=shown.alike) if shown.alike >= _GROUP_LEAST else ""
    cells = _CELLS[Band(shown.judged.band)] if shown.judged else 0
    said = judged["band"], judged["percent"]
    return Row(link_ids.written(shown.link), question, *shown.numbers, *said, cells, alike)


def _said(texts: Catalogue, judged: Judged | None) -> dict[str, Any]:
    """How a pair is judged, in words; `at` is how far along a scale of 100."""
    if judged is None:
        return {"band": texts.text("comparing.unaided"), "percent": "", "at": None}
    if judged.model is None:
        return {"band": texts.text("comparing.identical"), "percent": "", "at": None}
    band, percent = texts.text(f"duplicates.band_{judged.band}"), wording.percent(texts, judged.probability)
    return {"band": band, "percent": percent, "at": round(judged.probability * 100)}


def _fields(
    texts: Catalogue, judged: Judged | None, one: Mapping[str, str], other: Mapping[str, str]
) -> Iterator[Field]:
    """What was compared, the strongest first, and the facts that stand beside it; the facts alone without a score."""
    shown = set[str]()
    for name, level, bits in judged.reasons if judged else ():
        fact = _FACT_OF.get(name, "")
        shown.add(fact)
        sides = (one[fact], other[fact]) if fact else None
        yield _field(texts, name, level, bits, sides)
    for fact in (*_FACT_OF.values(), *_ALONE):
        if fact not in shown and (one[fact] or other[fact]):
            name = texts.text(f"duplicates.fact_{fact}").capitalize()
            yield Field(name, "", "", 0, "", (one[fact], other[fact]), "")


def _field(texts: Catalogue, name: str, level: int | None, bits: float, sides: tuple[str, str] | None) -> Field:
    points = wording.points(texts, bits)
    if level is None:
        what, agrees = texts.text("comparing.together"), wording.together(texts, name)
    else:
        what, agrees = wording.compared(texts, name, level)
    if wording.corrects(name, level, bits):
        agrees = texts.text("duplicates.corrects", what=agrees)
    sign, cells = ("+" if bits > 0 else "−", 0) if level is None else _SIGNS.get(Level(level), _SAME)
    if name in _TOLD:
        return Field(what.capitalize(), agrees, sign, cells, points, None, "narrative")
    return Field(what.capitalize(), agrees, sign, cells, points, sides, "" if sides or level is None else "sealed")


def _group(desk: Desk, seen: Explained) -> Group | None:
    """The group of three or more that a pair is of; none for one to be judged unaided."""
    if seen.judged is None:
        return None
    views = deciding.clusters_of(this_hub().store, desk, seen.numbers[0])
    view = next((each for each in views if each.relation == seen.relation), None)
    if view is None or len(view.cluster.members) < _GROUP_LEAST:
        return None
    pairs = [(view.numbers[each.a], view.numbers[each.b], _url(each.link)) for each in view.cluster.edges[:_SHOWN]]
    return Group(len(view.cluster.members), pairs)


def _in_words(texts: Catalogue, stale: DecisionStale) -> str:
    """Who decided meanwhile, and what; the decision that came after is not kept."""
    values = {name: str(value) for name, value in stale.values.items()}
    told = {"said", "verdict"}.intersection(values)
    verdicts = {each: texts.text(f"duplicates.verdict_{values[each]}") for each in told}
    return texts.text(f"comparing.stale_{values['fault']}", **(values | verdicts))
