"""`seere duplicates next`, `decide`, `undo`, `explain`, `clusters`, `estimates`: people decide on pairs."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, get_args

import click

from client_sync.protocol.vocabulary import label
from server.commands.operator import Operator, pass_operator
from server.commands.person import acting, as_person, naming
from server.commands.plain import plain
from server.commands.spoken import SpokenCommand, texts_of
from server.domain.desk import Desk
from server.domain.errors import DecisionStale
from server.domain.matching import decisions, link_ids
from server.domain.matching.clusters import Edge
from server.domain.matching.decisions import PROPOSED, Judged, Reason, Verdict
from server.domain.matching.review import Estimate
from server.domain.places import Gazetteer
from server.hub import Hub
from server.reading import read
from server.services.accounts.sessions import Login
from server.services.duplicates import choosing, deciding, renewing, wording
from server.services.duplicates.choosing import Queue, ShownPair
from server.services.duplicates.deciding import Explained, Reached, ShownDecision, View
from server.services.vault.holding import Compartment
from server.services.vault.opening import Opened

_SHOWN: Final = 5
_CERTAIN: Final = float("inf")
_GROUP_LEAST: Final = 3


class _Pair(click.ParamType[int]):
    """The id of a link, as `next` writes it."""

    name = "pair"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Its number."""
        found = value if isinstance(value, int) else link_ids.read(value)
        return self.fail("", param, ctx) if found is None else found


class _Word(click.ParamType[str]):
    """One of a few codes, typed as such or by a word for it in the language of the command."""

    name = "word"

    def __init__(self, keys: Mapping[str, str]) -> None:
        self._keys = keys

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The code."""
        assert ctx is not None
        texts, said = texts_of(ctx), str(value).strip().lower()
        known = {word: code for code, key in self._keys.items() for word in (code, *texts.text(key).split())}
        return known[said] if said in known else self.fail("", param, ctx)


def _of(reasons: Iterable[Reason]) -> _Word:
    return _Word({each.value: f"duplicates.why_{each}" for each in reasons})


_TO_UNDO: Final = (Reason.MISTAKE, Reason.NEWS, Reason.OTHER)
_TO_DECIDE: Final = tuple(each for each in Reason if each not in (Reason.MISTAKE, Reason.NEWS))
_ANSWER: Final = _Word(
    {Verdict.CONFIRMED.value: "usage.yes", Verdict.REJECTED.value: "usage.no", Verdict.UNSURE.value: "usage.unsure"}
)
_pair = click.argument("link", type=_Pair(), metavar="PAIR")
_why_decided = click.option("--reason", type=_of(_TO_DECIDE), metavar="WORD")
_why_undone = click.option("--reason", type=_of(_TO_UNDO), metavar="WORD")


@click.command("next", cls=SpokenCommand)
@click.option("--limit", default=1, type=click.IntRange(1, 1_000), metavar="N")
@click.option("--further", default=0, type=click.IntRange(0, 200), metavar="N")
@as_person
@pass_operator
def next_(operator: Operator, limit: int, further: int, as_name: str) -> None:
    """The pairs that one's decision is worth most for, as many as the day has room for."""
    with operator.hub() as hub, acting(operator, hub, as_name) as person:
        _require_handling(operator, person)
        desk = hub.desk(person.actor)
        queue = choosing.next_pairs(hub.store, desk, hub.settings.reviews_per_day, limit, further)
        first = [deciding.explain(hub.store, desk, pair.link, is_blind=True) for pair in queue.pairs[:1]]
    for pair in queue.pairs:
        _say_pair(operator, pair)
    if not queue.pairs:
        is_over = "none_left" if queue.left else "day_done"
        operator.say(f"duplicates.{'list_cut' if queue.is_cut else is_over}", capacity=queue.capacity)
        return
    if any(pair.judged for pair in queue.pairs):
        operator.say("duplicates.scale")
    _say_rest(operator, queue, limit)
    _say_how(operator, first[0], as_name)


@click.command("decide", cls=SpokenCommand)
@_pair
@click.argument("verdict", type=_ANSWER, metavar="ANSWER")
@_why_decided
@click.option("--after", default=0, type=click.IntRange(min=0), metavar="N")
@click.option("--second", "is_second", is_flag=True)
@as_person
@pass_operator
def decide(
    operator: Operator, link: int, verdict: str, reason: str | None, after: int, is_second: bool, as_name: str
) -> None:
    """Say that two reports match, or that they don't; both stay as they are."""
    said, why = Verdict(verdict), Reason(reason) if reason else None
    with operator.hub() as hub, acting(operator, hub, as_name) as person, naming(link_ids.written(link)):
        desk = hub.desk(person.actor)
        try:
            if said is Verdict.UNSURE:
                made = deciding.pass_by(hub.store, desk, link, why)
            else:
                made = deciding.decide(hub.store, desk, link, said, reason=why, after=after, is_second=is_second)
        except DecisionStale as stale:
            raise _in_words(operator, stale, link) from None
    pair = link_ids.written(link)
    key = "duplicates.seconded" if is_second else "duplicates.decided"
    operator.say(key, link=pair, verdict=_verdict(operator, verdict), decision=made, name=as_name)
    operator.say("duplicates.go_on", name=as_name)


@click.command("undo", cls=SpokenCommand)
@_pair
@click.argument("number", type=click.IntRange(min=1), metavar="N")
@_why_undone
@as_person
@pass_operator
def undo(operator: Operator, link: int, number: int, reason: str | None, as_name: str) -> None:
    """Take a decision back: the pair is again what the decisions that are left make it."""
    why, pair = Reason(reason) if reason else None, link_ids.written(link)
    with operator.hub() as hub, acting(operator, hub, as_name) as person, naming(pair):
        state = deciding.undo(hub.store, hub.desk(person.actor), link, number, why)
    operator.say("duplicates.undone", link=pair, state=_verdict(operator, state))
    operator.say("duplicates.go_on", name=as_name)


@click.command("explain", cls=SpokenCommand)
@_pair
@click.option("--blind", "is_blind", is_flag=True)
@click.option("--open", "compartment", type=click.Choice(get_args(Compartment)))
@click.option("--reason", metavar="TEXT")
@as_person
@pass_operator
def explain(
    operator: Operator, link: int, is_blind: bool, compartment: Compartment | None, reason: str | None, as_name: str
) -> None:
    """Both reports side by side, why they may match, and what was decided."""
    with operator.hub() as hub, acting(operator, hub, as_name) as person:
        desk = hub.desk(person.actor, person.keys)
        with naming(link_ids.written(link)):
            shown = deciding.explain(hub.store, desk, link, is_blind=is_blind)
        opened = [] if compartment is None else _open_both(hub, desk, shown, compartment, reason)
    _say_head(operator, shown)
    _say_reports(operator, shown, desk.places)
    for number in shown.poor:
        operator.say("duplicates.too_little", number=number)
    for number, part in zip(shown.numbers, opened, strict=False):
        _say_opened(operator, number, part)
    if shown.judged is None:
        operator.say("duplicates.blind")
    else:
        _say_judged(operator, shown.judged)
        _say_sum(operator, shown.judged)
        operator.say("duplicates.scale")
    for word in shown.words:
        _say_word(operator, word, shown.judged)
    if shown.state == PROPOSED:
        _say_how(operator, shown, as_name)
    elif shown.words and shown.holds is not None:
        operator.say("duplicates.take_back", link=link_ids.written(link), decision=shown.holds, name=as_name)


@click.command("clusters", cls=SpokenCommand)
@click.argument("number")
@as_person
@pass_operator
def clusters(operator: Operator, number: str, as_name: str) -> None:
    """What a complaint is joined to: for certain, or by strong proposals."""
    with operator.hub() as hub, acting(operator, hub, as_name) as person:
        views = deciding.clusters_of(hub.store, hub.desk(person.actor), number)
    for view in views:
        _say_view(operator, view)


@click.command("estimates", cls=SpokenCommand)
@as_person
@pass_operator
def estimates(operator: Operator, as_name: str) -> None:
    """How right the bands are and how much they miss, from pairs that were decided blind."""
    with operator.hub() as hub, acting(operator, hub, as_name) as person:
        _require_handling(operator, person)
        found = deciding.estimates(hub.store, hub.desk(person.actor))
        poor = renewing.poor_share(hub.store)
    for each in found:
        _say_reached(operator, each)
    if poor:
        operator.say("duplicates.poor", percent=wording.percent(operator.texts, poor))


COMMANDS = (next_, decide, undo, explain, clusters, estimates)


def _require_handling(operator: Operator, person: Login) -> None:
    if not deciding.may_decide(person.actor):
        raise operator.refuse("duplicates.no_scope")


def _in_words(operator: Operator, stale: DecisionStale, link: int) -> Exception:
    """Both decisions: the one that stands, and the one that was not kept."""
    values = {**stale.values, "link": link_ids.written(link), "said": _verdict(operator, str(stale.values["said"]))}
    if "verdict" in values:
        values["verdict"] = _verdict(operator, str(values["verdict"]))
    return operator.refuse(f"duplicates.stale_{stale.values['fault']}", **values)


def _open_both(hub: Hub, desk: Desk, shown: Explained, compartment: Compartment, reason: str | None) -> list[Opened]:
    opened = []
    for number, each in zip(shown.numbers, shown.reports, strict=True):
        with naming(number, compartment):
            opened.append(read(hub, desk, each.complaint, compartment, reason))
    return opened


def _say_pair(operator: Operator, pair: ShownPair) -> None:
    _say_head(operator, pair)
    if pair.judged is None:
        operator.say("duplicates.blind")
    else:
        _say_judged(operator, pair.judged, _SHOWN)
    if pair.twin is not None:
        operator.say("duplicates.twin", link=link_ids.written(pair.twin))
    if pair.alike >= _GROUP_LEAST:
        operator.say("duplicates.group", count=pair.alike, number=pair.numbers[0])


def _say_rest(operator: Operator, queue: Queue, limit: int) -> None:
    """How much of the day is left, and why the list ends where somebody asked for more."""
    click.echo(operator.texts.plural("duplicates.left", queue.left, capacity=queue.capacity))
    if len(queue.pairs) < min(limit, queue.left):
        operator.say("duplicates.list_cut" if queue.is_cut else "duplicates.list_ends")


def _say_how(operator: Operator, shown: Explained, name: str) -> None:
    yes, no = (operator.texts.text(f"usage.{word}").split()[0] for word in ("yes", "no"))
    seen = " --second" if shown.is_second else f" --after {shown.last}" if shown.last else ""
    operator.say("duplicates.how", link=link_ids.written(shown.link), name=name, yes=yes, no=no, seen=seen)


def _say_head(operator: Operator, shown: ShownPair | Explained) -> None:
    relation = operator.texts.text(f"duplicates.asked_{shown.relation}")
    one, other = shown.numbers
    operator.say("duplicates.pair", link=link_ids.written(shown.link), relation=relation, one=one, other=other)


def _say_reports(operator: Operator, shown: Explained, places: Gazetteer | None) -> None:
    first, then = (wording.facts(operator.texts, each, places) for each in shown.reports)
    for name in first:
        what = operator.texts.text(f"duplicates.fact_{name}")
        operator.say("duplicates.fact", what=what, one=plain(first[name]) or "–", other=plain(then[name]) or "–")


def _say_opened(operator: Operator, number: str, part: Opened) -> None:
    operator.say("duplicates.opened", number=number)
    if part.is_unopenable:
        operator.say("open.unopenable")
    elif part.clear is None:
        operator.say("open.nothing")
    else:
        for name, text in _members(part.clear):
            said = _labels(operator, "language", [text]) if name == "lang" else text
            operator.say("duplicates.member", name=_member(operator, name), text=plain(said))


def _members(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """What a compartment says, each with the name of the member that says it, in order."""
    if isinstance(value, Mapping):
        for member, inner in value.items():
            yield from _members(inner, member)
    elif isinstance(value, list):
        for inner in value:
            yield from _members(inner, name)
    else:
        yield name, str(value)


def _member(operator: Operator, name: str) -> str:
    """What a member of a compartment is called; its own name where there is no word for it."""
    try:
        return operator.texts.text(f"duplicates.member_{name}")
    except KeyError:
        return plain(name)


def _say_judged(operator: Operator, judged: Judged, most: int | None = None) -> None:
    if judged.model is None:
        operator.say("duplicates.certain")
        return
    band = operator.texts.text(f"duplicates.band_{judged.band}")
    percent = wording.percent(operator.texts, judged.probability)
    operator.say("duplicates.judged", band=band, percent=percent, model=judged.model)
    for name, level, bits in judged.reasons[:most]:
        what = wording.reason(operator.texts, name, level)
        if wording.corrects(name, level, bits):
            what = operator.texts.text("duplicates.corrects", what=what)
        operator.say("duplicates.reason", bits=wording.points(operator.texts, bits), what=what)


def _say_sum(operator: Operator, judged: Judged) -> None:
    """Where the sum of the bits begins and ends."""
    if judged.model is not None:
        texts, percent = operator.texts, wording.percent(operator.texts, judged.probability)
        before, weight = (wording.points(texts, each) for each in (decisions.odds_before(judged), judged.weight))
        operator.say("duplicates.sum", before=before, weight=weight, percent=percent)


def _say_word(operator: Operator, word: ShownDecision, above: Judged | None) -> None:
    """A word, and how the pair was judged then, where that is not what stands above."""
    told = word.decision
    verdict = _verdict(operator, told.verdict)
    operator.say(
        "duplicates.word",
        decision=told.no,
        name=word.name,
        day=operator.day(told.at),
        verdict=verdict if told.undoes is None else f"{verdict} {told.undoes}",
        reason=operator.texts.text(f"duplicates.because_{told.reason}") if told.reason else "–",
    )
    if told.is_blind:
        operator.say("duplicates.word_blind")
    if told.is_second and told.verdict in decisions.DECIDING:
        operator.say("duplicates.word_own_second" if word.is_own_second else "duplicates.word_second")
    if word.is_undone:
        operator.say("duplicates.word_undone")
    if told.undoes is None and told.judged != above:
        _say_judged(operator, told.judged, _SHOWN)


def _say_view(operator: Operator, view: View) -> None:
    relation = operator.texts.text(f"duplicates.relation_{view.relation}")
    if len(view.cluster.members) == 1:
        operator.say("duplicates.alone", relation=relation)
    else:
        members = ", ".join(view.numbers[each] for each in view.cluster.members)
        operator.say("duplicates.cluster", relation=relation, count=len(view.cluster.members), members=members)
    for each in view.cluster.edges:
        _say_edge(operator, "duplicates.edge", view, each)
    if view.cluster.weakest is not None:
        _say_edge(operator, "duplicates.weakest", view, view.cluster.weakest)
    for each in view.cluster.barred:
        _say_edge(operator, "duplicates.barred", view, each)
    if view.is_cut:
        operator.say("duplicates.cut", count=deciding.MEMBERS_MOST)


def _say_edge(operator: Operator, key: str, view: View, edge: Edge) -> None:
    state = _verdict(operator, Verdict.CONFIRMED if edge.is_confirmed else "proposed")
    texts, is_certain = operator.texts, edge.weight == _CERTAIN
    weight = texts.text("duplicates.by_itself") if is_certain else wording.points(texts, edge.weight)
    one, other = view.numbers[edge.a], view.numbers[edge.b]
    operator.say(key, link=link_ids.written(edge.link), one=one, other=other, state=state, weight=weight)


def _say_reached(operator: Operator, reached: Reached) -> None:
    operator.say("duplicates.reached", relation=operator.texts.text(f"duplicates.relation_{reached.relation}"))
    for each in reached.samples:
        stratum = operator.texts.text(f"duplicates.stratum_{each.stratum}")
        counts = {"pairs": round(each.pairs), "decided": each.decided, "confirmed": each.confirmed}
        said = {name: operator.texts.plural(f"duplicates.sample_{name}", count) for name, count in counts.items()}
        operator.say("duplicates.sample", stratum=stratum, **said)
    for stratum, share in reached.shares.items():
        name = operator.texts.text(f"duplicates.stratum_{stratum}")
        operator.say("duplicates.matching_share", stratum=name, share=_share(operator, share, "none"))
    unknown = "few" if any(each.decided for each in reached.samples) else "none"
    operator.say("duplicates.recall", share=_share(operator, reached.recall, unknown))


def _share(operator: Operator, share: Estimate, unknown: str) -> str:
    if share.value is None:
        return operator.texts.text(f"duplicates.share_unknown_{unknown}")
    value, low, high = (round(each * 100) for each in (share.value, share.low, share.high))
    return operator.texts.text("duplicates.share", value=value, low=low, high=high)


def _verdict(operator: Operator, verdict: str) -> str:
    return operator.texts.text(f"duplicates.verdict_{verdict}")


def _labels(operator: Operator, list_name: str, codes: Iterable[str]) -> str:
    return ", ".join(label(list_name, code, operator.texts.language) for code in codes)
