"""`seere duplicates next`, `decide`, `undo`, `explain`, `clusters`, `estimates`: people decide on pairs."""

from collections.abc import Iterable
from typing import get_args

import click

from client_sync.protocol.vocabulary import label
from server.commands.operator import Operator, pass_operator
from server.commands.person import acting, as_person
from server.commands.plain import plain, readable
from server.commands.spoken import SpokenCommand
from server.domain.desk import Desk
from server.domain.errors import DecisionStale
from server.domain.matching.clusters import Edge
from server.domain.matching.decisions import Judged, Verdict
from server.domain.matching.review import Estimate
from server.domain.places import Gazetteer
from server.services import vault
from server.services.duplicates import deciding
from server.services.duplicates.deciding import Case, Explained, Reached, View, Word
from server.services.vault import Compartment, Opened
from server.store.engine import Store
from server.store.links import Report

_SHOWN = 5
_DECIDING = (Verdict.CONFIRMED.value, Verdict.REJECTED.value)
_CERTAIN = float("inf")


@click.command("next", cls=SpokenCommand)
@click.option("--limit", default=1, type=click.IntRange(1, 1_000), metavar="N")
@as_person
@pass_operator
def next_(operator: Operator, limit: int, as_name: str) -> None:
    """The pairs that one's decision is worth most for, as many as the day has room for."""
    with operator.hub() as hub, acting(operator, hub, as_name) as person:
        queue = deciding.next_pairs(hub.store, hub.desk(person.actor), hub.settings.reviews_per_day, limit)
    for case in queue.cases:
        _say_case(operator, case)
    if not queue.cases:
        operator.say("duplicates.none_left" if queue.left else "duplicates.day_done")
        return
    click.echo(operator.texts.plural("duplicates.left", queue.left))
    operator.say("duplicates.how", link=queue.cases[0].link, name=as_name)


@click.command("decide", cls=SpokenCommand)
@click.argument("link", type=int)
@click.argument("verdict", type=click.Choice(_DECIDING))
@click.option("--reason", default="", metavar="TEXT")
@click.option("--after", default=0, type=click.IntRange(min=0), metavar="N")
@click.option("--second", "is_second", is_flag=True)
@as_person
@pass_operator
def decide(
    operator: Operator, link: int, verdict: str, reason: str, after: int, is_second: bool, as_name: str
) -> None:
    """Say that two reports match, or that they don't; both stay as they are."""
    with operator.hub() as hub, acting(operator, hub, as_name) as person:
        desk, said = hub.desk(person.actor), Verdict(verdict)
        try:
            made = deciding.decide(
                hub.store, desk, link, said, reason=reason, after=after, is_second=is_second
            )
        except DecisionStale as stale:
            raise _in_words(operator, stale, link) from None
    operator.say("duplicates.decided", link=link, verdict=_verdict(operator, verdict), decision=made)


@click.command("undo", cls=SpokenCommand)
@click.argument("decision", type=int)
@click.option("--reason", default="", metavar="TEXT")
@as_person
@pass_operator
def undo(operator: Operator, decision: int, reason: str, as_name: str) -> None:
    """Take a decision back: the pair is again what the decisions that are left make it."""
    with operator.hub() as hub, acting(operator, hub, as_name) as person:
        state = deciding.undo(hub.store, hub.desk(person.actor), decision, reason)
    operator.say("duplicates.undone", decision=decision, state=_verdict(operator, state))


@click.command("explain", cls=SpokenCommand)
@click.argument("link", type=int)
@click.option("--blind", "is_blind", is_flag=True)
@click.option("--open", "compartment", type=click.Choice(get_args(Compartment)))
@click.option("--reason", default="", metavar="TEXT")
@as_person
@pass_operator
def explain(
    operator: Operator, link: int, is_blind: bool, compartment: Compartment | None, reason: str, as_name: str
) -> None:
    """Both reports side by side, why they may match, and what was decided."""
    with operator.hub() as hub, acting(operator, hub, as_name) as person:
        desk = hub.desk(person.actor, person.keys)
        shown = deciding.explain(hub.store, desk, link, is_blind=is_blind)
        opened = [] if compartment is None else _open_both(hub.store, desk, shown, compartment, reason)
    _say_head(operator, shown)
    _say_reports(operator, shown, desk.places)
    for number, part in zip(shown.numbers, opened, strict=False):
        _say_opened(operator, number, part)
    if shown.judged is None:
        operator.say("duplicates.blind")
    else:
        _say_judged(operator, shown.judged)
    for word in shown.words:
        _say_word(operator, word)


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
        found = deciding.estimates(hub.store, hub.desk(person.actor))
    if not found:
        operator.say("duplicates.no_scope")
    for each in found:
        _say_reached(operator, each)


COMMANDS = (next_, decide, undo, explain, clusters, estimates)


def _in_words(operator: Operator, stale: DecisionStale, link: int) -> Exception:
    """Both decisions: the one that stands, and the one that was not kept."""
    values = {**stale.values, "link": link, "said": _verdict(operator, str(stale.values["said"]))}
    if "verdict" in values:
        values["verdict"] = _verdict(operator, str(values["verdict"]))
    return operator.refuse("duplicates.stale" if "verdict" in values else "duplicates.stale_none", **values)


def _open_both(
    store: Store, desk: Desk, shown: Explained, compartment: Compartment, reason: str
) -> list[Opened]:
    return [vault.open_compartment(store, desk, each.complaint, compartment, reason) for each in shown.reports]


def _say_case(operator: Operator, case: Case) -> None:
    relation = operator.texts.text(f"duplicates.relation_{case.relation}")
    operator.say("duplicates.case", link=case.link, relation=relation, one=case.numbers[0], other=case.numbers[1])
    if case.judged is None:
        operator.say("duplicates.blind")
    else:
        _say_judged(operator, case.judged, _SHOWN)


def _say_head(operator: Operator, shown: Explained) -> None:
    relation = operator.texts.text(f"duplicates.relation_{shown.relation}")
    operator.say("duplicates.case", link=shown.link, relation=relation, one=shown.numbers[0], other=shown.numbers[1])


def _say_reports(operator: Operator, shown: Explained, places: Gazetteer | None) -> None:
    first, then = (_facts(operator, each, places) for each in shown.reports)
    for name in first:
        what = operator.texts.text(f"duplicates.fact_{name}")
        operator.say("duplicates.fact", what=what, one=first[name], other=then[name])


def _facts(operator: Operator, report: Report, places: Gazetteer | None) -> dict[str, str]:
    """By name of the fact, what a report says of it, in words; a dash where it says nothing."""
    known = places.by_id.get(report.place_id or "") if places else None
    days = " – ".join(day for day in (report.incident_from, report.incident_to) if day)
    precision = _labels(operator, "date_precision", filter(None, [report.precision]))
    facts = {
        "received": operator.day(report.received_at),
        "team": report.team,
        "acts": _labels(operator, "kind", report.kinds),
        "when": f"{days} ({precision})" if days and precision else days,
        "place": known.name if known else report.place_id,
        "money": " / ".join(str(each) for each in (report.asked_xof, report.paid_xof) if each is not None),
        "sector": _labels(operator, "sector", filter(None, [report.sector])),
        "persons": ", ".join(_labels(operator, "person_role", roles.split()) for roles, _, _ in report.persons),
        "revision": str(report.revision),
    }
    return {name: plain(text or "") or "–" for name, text in facts.items()}


def _say_opened(operator: Operator, number: str, part: Opened) -> None:
    operator.say("duplicates.opened", number=number)
    if part.is_unopenable:
        operator.say("open.unopenable")
    elif part.clear is None:
        operator.say("open.nothing")
    else:
        click.echo(readable(part.clear))


def _say_judged(operator: Operator, judged: Judged, most: int | None = None) -> None:
    if judged.model is None:
        operator.say("duplicates.certain")
        return
    band, percent = operator.texts.text(f"duplicates.band_{judged.band}"), _percent(judged.probability)
    operator.say("duplicates.judged", band=band, percent=percent, model=judged.model)
    for name, level, bits in judged.reasons[:most]:
        operator.say("duplicates.reason", bits=_bits(operator, bits), what=_reason(operator, name, level))


def _reason(operator: Operator, name: str, level: int | None) -> str:
    """Why, in words; the bare name for what only a model of another version knows."""
    try:
        if level is None:
            return operator.texts.text(f"duplicates.together_{name}")
        field, said = operator.texts.text(f"duplicates.field_{name}"), operator.texts.text(f"duplicates.level_{level}")
        return operator.texts.text("duplicates.agreement", field=field, level=said)
    except KeyError:
        return name if level is None else f"{name} {level}"


def _say_word(operator: Operator, word: Word) -> None:
    told = word.decision
    verdict = _verdict(operator, told.verdict)
    operator.say(
        "duplicates.word",
        decision=told.id,
        name=word.name,
        day=operator.day(told.at),
        verdict=verdict if told.undoes is None else f"{verdict} {told.undoes}",
        reason=plain(told.reason or "") or "–",
    )
    if told.is_blind:
        operator.say("duplicates.word_blind")
    if told.is_second:
        operator.say("duplicates.word_second")
    if word.is_undone:
        operator.say("duplicates.word_undone")
    if told.undoes is None:
        _say_judged(operator, told.judged, _SHOWN)


def _say_view(operator: Operator, view: View) -> None:
    relation = operator.texts.text(f"duplicates.relation_{view.relation}")
    if len(view.cluster.members) == 1:
        operator.say("duplicates.alone", relation=relation)
    else:
        operator.say("duplicates.cluster", relation=relation, count=len(view.cluster.members))
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
    weight = operator.texts.text("duplicates.by_itself") if edge.weight == _CERTAIN else _bits(operator, edge.weight)
    one, other = view.numbers[edge.a], view.numbers[edge.b]
    operator.say(key, link=edge.link, one=one, other=other, state=state, weight=weight)


def _say_reached(operator: Operator, reached: Reached) -> None:
    operator.say("duplicates.reached", relation=operator.texts.text(f"duplicates.relation_{reached.relation}"))
    for each in reached.samples:
        stratum = operator.texts.text(f"duplicates.stratum_{each.stratum}")
        counts = {"pairs": round(each.pairs), "decided": each.decided, "confirmed": each.confirmed}
        operator.say("duplicates.sample", stratum=stratum, **counts)
    for stratum, share in reached.shares.items():
        name = operator.texts.text(f"duplicates.stratum_{stratum}")
        operator.say("duplicates.matching_share", stratum=name, share=_share(operator, share))
    operator.say("duplicates.recall", share=_share(operator, reached.recall))


def _share(operator: Operator, share: Estimate) -> str:
    value = "–" if share.value is None else str(_percent(share.value))
    return operator.texts.text("duplicates.share", value=value, low=_percent(share.low), high=_percent(share.high))


def _verdict(operator: Operator, verdict: str) -> str:
    return operator.texts.text(f"duplicates.verdict_{verdict}")


def _labels(operator: Operator, list_name: str, codes: Iterable[str]) -> str:
    return ", ".join(label(list_name, code, operator.texts.language) for code in codes)


def _percent(share: float) -> int:
    return round(share * 100)


def _bits(operator: Operator, bits: float) -> str:
    return f"{bits:+.1f}".replace(".", operator.texts.text("usage.decimal_point"))
