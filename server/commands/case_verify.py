"""`seere cases verify` and `judge`: what acts are held to be, and what courts decide."""

from typing import Final

import click

from server.commands import referral_words
from server.commands.case_words import kind_code
from server.commands.case_work import stale
from server.commands.operator import Operator, pass_operator
from server.commands.options import seen_after
from server.commands.person import acting, as_person, naming
from server.commands.referral_words import AGAIN, CERTAINTY, COURT, FINDING, METHOD, VERDICT
from server.commands.spoken import SpokenCommand, SpokenGroup
from server.domain.act import Act, Judgement, Verdict
from server.domain.case import version_after
from server.domain.verification import State
from server.services.cases import phrases, verifying
from server.services.cases.verifying import Concluded, Looked

_number = click.argument("number")
_kind = click.argument("kind", metavar="CODE")


@click.group("verify", cls=SpokenGroup)
def verify() -> None:
    """Look into acts."""


@verify.command(cls=SpokenCommand)
@_number
@_kind
@click.option("--reason", type=AGAIN, metavar="WORD")
@seen_after
@as_person
@pass_operator
def begin(operator: Operator, number: str, kind: str, reason: str | None, seen: int, as_name: str) -> None:
    """An act is being verified."""
    code = kind_code(operator, kind)
    with operator.hub() as hub, acting(operator, hub, as_name) as person, naming(f"{number}, {kind}"), stale(operator):
        verifying.begin(hub.store, hub.desk(person.actor), number, code, after=seen, reason=reason)
    words, version = referral_words.kind(operator, code), version_after(seen)
    operator.say("verification.begun", number=number, kind=words, version=version, name=as_name)


@verify.command(cls=SpokenCommand)
@_number
@_kind
@click.argument("state", type=FINDING, metavar="WORD")
@click.option("--method", type=METHOD, required=True, metavar="WORD")
@click.option("--sources", type=click.IntRange(min=0), required=True, metavar="N")
@click.option("--certainty", type=CERTAINTY, required=True, metavar="WORD")
@click.option("--on", "day", required=True, metavar="DAY")
@click.option("--device", default="", metavar="NAME")
@seen_after
@as_person
@pass_operator
def found(
    operator: Operator,
    /,
    number: str,
    kind: str,
    state: State,
    method: str,
    sources: int,
    certainty: str,
    day: str,
    device: str,
    seen: int,
    as_name: str,
) -> None:
    """What an act is held to be."""
    code = kind_code(operator, kind)
    said = Concluded(state, method, sources, certainty, operator.at_day(day, "--on").date(), device)
    named = ", ".join(filter(None, (number, kind, device)))
    with operator.hub() as hub, acting(operator, hub, as_name) as person, naming(named), stale(operator):
        made = verifying.conclude(hub.store, hub.desk(person.actor), number, code, said, after=seen)
    words, what = phrases.finding(operator.texts, made.state), referral_words.kind(operator, code)
    operator.say("verification.found", number=number, kind=what, state=words, version=version_after(seen))
    if made.is_late:
        operator.say("verification.late")


@click.command("judge", cls=SpokenCommand)
@_number
@click.argument("person", type=click.IntRange(1, 999), metavar="N")
@click.argument("verdict", type=VERDICT, metavar="WORD")
@click.option("--court", type=COURT, required=True, metavar="WORD")
@click.option("--on", "day", required=True, metavar="DAY")
@click.option("--final", "is_final", is_flag=True)
@seen_after
@as_person
@pass_operator
def judge(
    operator: Operator,
    number: str,
    person: int,
    verdict: Verdict,
    court: str,
    day: str,
    is_final: bool,
    seen: int,
    as_name: str,
) -> None:
    """What a court decided of a person."""
    said = Judgement(verdict, court, operator.at_day(day, "--on").date(), is_final)
    with operator.hub() as hub, acting(operator, hub, as_name) as actor, naming(number), stale(operator):
        verifying.judge(hub.store, hub.desk(actor.actor), number, person, said, after=seen)
    told = "verification.judged" if is_final else "verification.judged_not_final"
    operator.say(told, number=number, no=person, version=version_after(seen))


COMMANDS: Final = (verify, judge)


def say_acts(operator: Operator, looked: Looked) -> None:
    """What a case comes to, its acts one by one, and whom they accuse: alleged until a court decided for good."""
    state = phrases.finding(operator.texts, looked.sum.state)
    operator.say("verification.sum", state=state)
    accused: dict[tuple[str, int], str] = {}
    for number, act in looked.acts:
        _say_act(operator, number, act, looked)
        involved = (each for each in act.involved if each.is_accused)
        accused |= {(number, each.person): phrases.accused(operator.texts, each) for each in involved}
    for (number, person), words in accused.items():
        operator.say("verification.accused", number=number, no=person, words=words)


def _say_act(operator: Operator, number: str, act: Act, looked: Looked) -> None:
    made = looked.found.get((act.complaint, act.kind))
    operator.say(
        "verification.act",
        number=number,
        code=act.kind,
        kind=referral_words.kind(operator, act.kind),
        state=phrases.finding(operator.texts, "unverified" if made is None else made.state),
        victims=act.victims,
    )
    if made is not None and made.basis is not None:
        operator.say(
            "verification.basis",
            method=phrases.method(operator.texts, made.basis.method),
            sources=made.basis.sources,
            certainty=phrases.certainty(operator.texts, made.basis.certainty),
            day=phrases.day(operator.texts, made.basis.verified_on),
        )
        if made.is_late:
            operator.say("verification.late")
