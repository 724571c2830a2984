"""`seere duplicates refit`, `models`, `switch`: a hub's own decisions make a model, and people choose which one judges.

Counts and weights by field: nothing of a complaint is shown, nor of whoever decided.
"""

from enum import Enum, auto

import click
from rich.table import Table

from server.commands.operator import Operator, pass_operator
from server.commands.person import naming
from server.commands.spoken import SpokenCommand, refusal_in_full
from server.domain.errors import FitFailed
from server.domain.matching.complaints import RELATIONS
from server.domain.matching.learning import DECISIONS_LEAST, Score
from server.domain.matching.model import Relation
from server.domain.matching.review import Estimate
from server.hub import Hub
from server.services.duplicates import matching, refitting
from server.services.duplicates.refitting import Learned, Moves, Refit

_COLUMNS = ("version", "relation", "state", "source", "since")
_SHARES = ("precision", "recall", "f1")


class _Outcome(Enum):
    LEARNED = auto()
    TOO_FEW = auto()
    FAILED = auto()


@click.command("refit", cls=SpokenCommand)
@pass_operator
@click.pass_context
def refit(ctx: click.Context, operator: Operator) -> None:
    """Learn a model for each relation from what was decided, and show it beside the one in use; switches nothing."""
    with operator.hub() as hub:
        matching.keep_models(hub.store, hub.clock())
        outcomes = [_refit(operator, hub, relation) for relation in RELATIONS]
    ctx.exit(0 if _Outcome.LEARNED in outcomes and _Outcome.FAILED not in outcomes else 1)


@click.command("models", cls=SpokenCommand)
@pass_operator
def models(operator: Operator) -> None:
    """Every model, the one in use of each relation marked."""
    with operator.hub() as hub:
        matching.keep_models(hub.store, hub.clock())
        known = refitting.listed(hub.store)
    table = Table(*(operator.texts.text(f"duplicates.model_{name}") for name in _COLUMNS), box=None)
    for each in known:
        state = operator.texts.text(f"duplicates.model_state_{each.state}")
        source = _source(operator, each.decisions)
        table.add_row(each.version, _relation(operator, each.relation), state, source, operator.day(each.at))
    operator.show(table)


@click.command("switch", cls=SpokenCommand)
@click.argument("version")
@click.option("--yes", is_flag=True)
@pass_operator
def switch(operator: Operator, version: str, yes: bool) -> None:
    """Let a model judge from now on, a new one or an earlier one; what was decided stays as it is."""
    with operator.hub() as hub:
        with naming(version, "model"):
            was_in_use = refitting.is_in_use(hub.store, version)
        if not was_in_use:
            _say_moves(operator, refitting.moves_to(hub.store, version))
            if not yes and not operator.agrees("duplicates.switch_sure", version=version):
                raise operator.refuse("usage.nothing_done")
        relation = refitting.switch(hub.store, version, hub.clock())
        count = _rejudge(operator, hub, relation)
    done = "duplicates.switched_before" if was_in_use else "duplicates.switched"
    operator.say(done, version=version, relation=_relation(operator, relation))
    click.echo(operator.texts.plural("duplicates.rejudged", count))


COMMANDS = (refit, models, switch)


def _refit(operator: Operator, hub: Hub, relation: Relation) -> _Outcome:
    """What came of it; one relation that can't be fitted keeps the other from nothing."""
    try:
        with operator.busy("duplicates.learning", relation=_relation(operator, relation)):
            told = refitting.refit(hub.store, relation, hub.clock())
    except FitFailed as failed:
        operator.say("duplicates.refit_failed", relation=_relation(operator, relation))
        click.secho(refusal_in_full(operator.texts, failed), err=True, fg="red")
        return _Outcome.FAILED
    _say_refit(operator, told)
    return _Outcome.LEARNED if told.learned else _Outcome.TOO_FEW


def _rejudge(operator: Operator, hub: Hub, relation: Relation) -> int:
    with operator.busy("duplicates.rejudging"):
        return sum(refitting.rejudge(hub.store, relation))


def _say_refit(operator: Operator, told: Refit) -> None:
    relation = _relation(operator, told.relation)
    if told.learned is None:
        values = {"least": DECISIONS_LEAST, "missing": told.missing}
        click.echo(operator.texts.plural("duplicates.refit_few", told.decided, relation=relation, **values))
        return
    learned = told.learned
    operator.say("duplicates.refit_head", relation=relation, decided=told.decided, matches=learned.matches)
    operator.show(_scores(operator, told, learned))
    operator.say("duplicates.refit_unseen")
    if learned.is_old_learned:
        operator.say("duplicates.refit_flattered")
    operator.say(f"duplicates.refit_prefers_{learned.preference}")
    _say_moves(operator, learned.moves)
    operator.say("duplicates.refit_private")
    operator.say("duplicates.refit_next", version=learned.version)


def _scores(operator: Operator, told: Refit, learned: Learned) -> Table:
    text = operator.texts.text
    heads = text("duplicates.score_old", version=told.in_use), text("duplicates.score_new")
    table = Table(text("duplicates.score_head"), *heads, box=None)
    cells = [_cells(operator, each, told.decided) for each in (learned.old, learned.new)]
    for name in cells[0]:
        table.add_row(text(f"duplicates.score_{name}"), *(each[name] for each in cells))
    return table


def _cells(operator: Operator, score: Score, decided: int) -> dict[str, str]:
    """By name of the measure, what is said of it."""
    shares = {name: _share(operator, getattr(score, name)) for name in _SHARES}
    wrong = operator.texts.text("duplicates.score_of", count=score.wrong, decided=decided)
    return {**shares, "wrong": wrong, "calibration": str(round(100 * score.calibration_error))}


def _share(operator: Operator, share: Estimate) -> str:
    value, *bounds = ("–" if each is None else round(100 * each) for each in (share.value, share.low, share.high))
    return operator.texts.text("duplicates.score_share", value=value, low=bounds[0], high=bounds[1])


def _say_moves(operator: Operator, moves: Moves) -> None:
    moved = sum(moves.bands.values())
    operator.say("duplicates.moves", moved=moved, proposals=moves.proposals)
    for (before, after), count in sorted(moves.bands.items()):
        bands = [operator.texts.text(f"duplicates.band_{band}") for band in (before, after)]
        operator.say("duplicates.move", before=bands[0], after=bands[1], count=count)


def _source(operator: Operator, decisions: int | None) -> str:
    if decisions is None:
        return operator.texts.text("duplicates.model_shipped")
    return operator.texts.plural("duplicates.model_learned", decisions)


def _relation(operator: Operator, relation: str) -> str:
    return operator.texts.text(f"duplicates.relation_{relation}")
