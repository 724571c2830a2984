"""`seere destinations`: the bodies that complaints can be referred to."""

from datetime import date
from pathlib import Path

import click

from server.commands import referral_words
from server.commands.operator import Operator, pass_operator
from server.commands.person import acting, as_person, naming
from server.commands.plain import plain
from server.commands.spoken import SpokenCommand, SpokenGroup
from server.domain.places import Gazetteer
from server.domain.referral import BODIES, PROGRAMMES, Destination
from server.services.cases import destinations


@click.group(cls=SpokenGroup)
def command() -> None:
    """Lay down, see, suspend."""


@command.command(cls=SpokenCommand)
@click.argument("code")
@click.argument("body", type=click.Choice(sorted(BODIES)), metavar="BODY")
@click.argument("programme", type=click.Choice(sorted(PROGRAMMES)), metavar="PROGRAMME")
@click.option("--from", "first", required=True, metavar="DAY")
@click.option("--to", "last", metavar="DAY")
@click.option("--place", metavar="PLACE")
@click.option("--term", metavar="TERM")
@as_person
@pass_operator
def add(
    operator: Operator,
    code: str,
    body: str,
    programme: str,
    first: str,
    last: str | None,
    place: str | None,
    term: str | None,
    as_name: str,
) -> None:
    """Keep one destination."""
    made = Destination(
        code=code,
        body=body,
        programme=programme,
        place=place,
        valid_from=_day(operator, first, "--from"),
        valid_to=None if last is None else _day(operator, last, "--to"),
        answer_term=term,
    )
    with operator.hub() as hub, acting(operator, hub, as_name) as person, naming(code, "manage_destinations"):
        count = destinations.add(hub.store, hub.desk(person.actor), [made])
    operator.say("destinations.added" if count else "destinations.there", code=plain(code))


@command.command(cls=SpokenCommand)
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@as_person
@pass_operator
def load(operator: Operator, file: Path, as_name: str) -> None:
    """Keep the destinations of a list."""
    try:
        # A spreadsheet may have put a mark before the first letter.
        text = file.read_text("utf-8-sig")
    except UnicodeDecodeError:
        raise operator.refuse("destinations.unreadable", file=file) from None
    with operator.hub() as hub, acting(operator, hub, as_name) as person, naming(str(file), "manage_destinations"):
        count = destinations.add(hub.store, hub.desk(person.actor), destinations.read_list(text))
    click.echo(operator.texts.plural("destinations.loaded", count))


@command.command("list", cls=SpokenCommand)
@as_person
@pass_operator
def list_(operator: Operator, as_name: str) -> None:
    """All of them."""
    with operator.hub() as hub, acting(operator, hub, as_name) as person, naming(as_name, "manage_destinations"):
        desk = hub.desk(person.actor)
        found = destinations.listed(hub.store, desk)
    for each in found:
        _say(operator, each, desk.places)
    if not found:
        operator.say("destinations.none")


@command.command(cls=SpokenCommand)
@click.argument("code")
@as_person
@pass_operator
def suspend(operator: Operator, code: str, as_name: str) -> None:
    """Nothing goes there from now on."""
    with operator.hub() as hub, acting(operator, hub, as_name) as person, naming(code):
        destinations.suspend(hub.store, hub.desk(person.actor), code)
    operator.say("destinations.suspended", code=plain(code), name=as_name)


@command.command(cls=SpokenCommand)
@click.argument("code")
@as_person
@pass_operator
def lift(operator: Operator, code: str, as_name: str) -> None:
    """Complaints can go there again."""
    with operator.hub() as hub, acting(operator, hub, as_name) as person, naming(code):
        destinations.lift(hub.store, hub.desk(person.actor), code)
    operator.say("destinations.lifted", code=plain(code))


def _say(operator: Operator, each: Destination, places: Gazetteer | None) -> None:
    texts = operator.texts
    since = operator.day(each.suspended_at)
    operator.say(
        "destinations.item",
        code=plain(each.code),
        body=referral_words.body(operator, each, places),
        programme=texts.text(PROGRAMMES[each.programme].key),
        period=texts.text(
            "destinations.since" if each.valid_to is None else "destinations.from_to",
            first=operator.day(each.valid_from),
            last=operator.day(each.valid_to),
        ),
        state=texts.text("destinations.is_suspended", day=since) if each.suspended_at else "",
    )


def _day(operator: Operator, text: str, option: str) -> date:
    return operator.at_day(text, option).date()
