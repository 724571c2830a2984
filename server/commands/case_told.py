"""`seere cases told` and `said`: what people hear of their complaints by word, and how far the rest has come."""

from typing import Final

import click

from client_sync.protocol.receipts import read_receipt
from client_sync.protocol.steps import full_day, words
from server.commands.case_words import WAY
from server.commands.case_words import way as in_words
from server.commands.case_work import stale
from server.commands.operator import Operator, pass_operator
from server.commands.options import seen_after
from server.commands.person import acting, as_person, naming
from server.commands.spoken import SpokenCommand, typed
from server.domain.permission import may_ever
from server.services.cases import hearing, telling
from server.services.cases.hearing import Answer, Hearing


@click.command("told", cls=SpokenCommand)
@click.argument("number")
@click.option("--way", required=True, type=WAY, metavar="WORD")
@seen_after
@as_person
@pass_operator
def told(operator: Operator, number: str, way: str, seen: int, as_name: str) -> None:
    """Note that the person heard where the complaint stands."""
    with operator.hub() as hub, acting(operator, hub, as_name) as person, naming(number), stale(operator):
        no = telling.by_word(hub.store, hub.desk(person.actor), number, way, after=seen)
    operator.say("cases.told", number=number, no=no, version=no, name=as_name)


@click.command("said", cls=SpokenCommand)
@click.argument("slip", nargs=-1, required=True, metavar="CODE")
@as_person
@pass_operator
def said(operator: Operator, slip: tuple[str, ...], as_name: str) -> None:
    """What may be read to whoever comes with a receipt."""
    brought = " ".join(slip)
    code = read_receipt(brought)
    if code is None:
        raise operator.refuse("find.not_a_code", code=brought)
    with operator.hub() as hub, acting(operator, hub, as_name) as person:
        if not may_ever(person.actor, "find_complaint"):
            raise operator.refuse("find.no_scope")
        answers = hearing.by_receipt(hub.store, hub.desk(person.actor), code)
    if not answers:
        raise operator.refuse("find.none", code=code)
    if len(answers) > 1:
        operator.say("cases.said_several", count=len(answers))
    for answer in answers:
        _say_answer(operator, answer, as_name)


COMMANDS: Final = (told, said)


def say_hearing(operator: Operator, found: Hearing) -> None:
    """How far the last step of a complaint has come, and who was told by word; nothing where nobody was told yet."""
    if found.told is not None:
        day = operator.day(found.told.at)
        if found.seen_at is not None:
            operator.say("cases.seen", day=day, seen=operator.day(found.seen_at))
        elif found.is_delivered:
            operator.say("cases.delivered", day=day)
        elif found.silent_days:
            click.echo(operator.texts.plural("cases.silent", found.silent_days, day=day))
        else:
            operator.say("cases.not_delivered", day=day)
    if found.by_word is not None:
        at, way = found.by_word
        operator.say("cases.by_word", day=operator.day(at), way=in_words(operator, way))


def _say_answer(operator: Operator, answer: Answer, name: str) -> None:
    language = operator.texts.language
    operator.say("cases.said", number=answer.number, day=operator.day(answer.received_at))
    for step in answer.steps:
        operator.say("cases.said_step", day=full_day(step.on, language), words=" ".join(words(step, language)))
    if not answer.steps:
        operator.say("cases.said_nothing")
    way = typed(in_words(operator, telling.BY_RECEIPT))
    operator.say("cases.how_told", number=answer.number, way=way, version=answer.version, name=name)
