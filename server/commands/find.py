"""`seere find`: complaints by the receipt code that somebody brings, or by what is remembered of them."""

from datetime import datetime, timedelta
from typing import Final

import click

from client_sync.protocol.receipts import read_receipt
from server.commands.case_words import kind_code
from server.commands.operator import Operator, pass_operator
from server.commands.person import acting, as_person
from server.commands.spoken import Refused, SpokenCommand
from server.domain.permission import may_ever
from server.domain.places import Gazetteer, place_name
from server.services.cases import lookup
from server.services.cases.lookup import Match, Query

# More than anybody reads through; who gets as many narrows the search.
_SHOWN_MAX: Final = 50
_DAY_CHARS: Final = len("2026-11-21")


@click.command(cls=SpokenCommand)
@click.argument("receipt", nargs=-1, metavar="[CODE]")
@click.option("--words", metavar="TEXT")
@click.option("--kind", metavar="CODE")
@click.option("--cercle", metavar="NAME")
@click.option("--since", metavar="DATE")
@click.option("--until", metavar="DATE")
@click.option("--number", metavar="NUMBER")
@as_person
@pass_operator
def command(operator: Operator, /, receipt: tuple[str, ...], as_name: str, **asked: str | None) -> None:
    """Number, day and place of each match: a code is no key, two complaints may share one."""
    typed = " ".join(receipt)
    if bool(typed) == any(asked.values()):
        raise operator.refuse("find.both" if typed else "find.nothing_asked")
    code = _code(operator, typed) if typed else None
    dates = _dates(operator, asked["since"], asked["until"])
    kind = kind_code(operator, asked["kind"]) if asked["kind"] else None
    with operator.hub() as hub, acting(operator, hub, as_name) as person:
        if not may_ever(person.actor, "find_complaint"):
            raise operator.refuse("find.no_scope")
        desk = hub.desk(person.actor)
        if code is not None:
            matches = lookup.by_receipt(hub.store, desk, code)
        else:
            cercle = _cercle(operator, asked["cercle"], desk.places)
            query = Query(asked["words"], kind, cercle, *dates, asked["number"])
            matches = lookup.search(hub.store, desk, query, _SHOWN_MAX)
    if not matches:
        raise _nothing(operator, code, asked["words"])
    _show(operator, matches, desk.places)


def _nothing(operator: Operator, code: str | None, words: str | None) -> Refused:
    """What is erased, out of scope or never was reads the same; only what was asked makes a difference."""
    if code is not None:
        return operator.refuse("find.none", code=code)
    return operator.refuse("find.none_asked" if words is None else "find.none_words")


def _code(operator: Operator, typed: str) -> str:
    code = read_receipt(typed)
    if code is None:
        raise operator.refuse("find.not_a_code", code=typed)
    return code


def _cercle(operator: Operator, typed: str | None, gazetteer: Gazetteer | None) -> str | None:
    """The id of the cercle; where the hub has no list of places, what was typed is taken for one."""
    if typed is None or gazetteer is None:
        return typed
    place = gazetteer.cercle_named(typed)
    if place is None:
        raise operator.refuse("find.cercle_unknown", cercle=typed)
    return place.id


def _dates(operator: Operator, since: str | None, until: str | None) -> tuple[datetime | None, datetime | None]:
    """From when and up to when, excluded; a day that ends the search belongs to it."""
    begin = operator.at_day(since, "--since") if since else None
    end = operator.at_day(until, "--until") if until else None
    is_day = until is not None and len(until) <= _DAY_CHARS
    return begin, end + timedelta(days=1) if end is not None and is_day else end


def _show(operator: Operator, matches: list[Match], gazetteer: Gazetteer | None) -> None:
    for match in matches:
        place = place_name(gazetteer, match.place) or operator.texts.text("find.no_place")
        operator.say("find.line", number=match.number, day=operator.day(match.received_at), place=place)
        if match.is_poor:
            operator.say("find.too_little")
    if len(matches) == _SHOWN_MAX:
        operator.say("find.more", count=_SHOWN_MAX)
