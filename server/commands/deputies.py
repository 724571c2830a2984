"""`seere deputies`: who works in the place of whoever is away, from day to day."""

import click

from server.commands.handing_on import say_given
from server.commands.operator import Operator, pass_operator
from server.commands.person import acting, as_person, naming
from server.commands.plain import plain
from server.commands.spoken import SpokenCommand, SpokenGroup
from server.services import deputies
from server.services.deputies import Named
from server.services.vault import handing_on


@click.group(cls=SpokenGroup)
def command() -> None:
    """Add, list, end."""


@command.command("add", cls=SpokenCommand)
@click.argument("deputy", metavar="NAME")
@click.option("--for", "account", default="", metavar="NAME")
@click.option("--from", "from_day", required=True, metavar="DAY")
@click.option("--to", "to_day", required=True, metavar="DAY")
@as_person
@pass_operator
def add(operator: Operator, deputy: str, account: str, from_day: str, to_day: str, as_name: str) -> None:
    """Let somebody work in one's place, and hand on the keys that open what one reads."""
    first, last = operator.at_day(from_day, "--from").date(), operator.at_day(to_day, "--to").date()
    whose = account or as_name
    with operator.hub() as hub, acting(operator, hub, as_name) as person, naming(f"{whose}, {deputy}"):
        desk = hub.desk(person.actor, person.keys)
        made = deputies.name(hub.store, desk, whose, deputy, first, last)
        with operator.busy("deputies.handing_on"):
            given = handing_on.give_deputy(hub.store, desk, made.deputy_id) if made.is_own else None
    _say(operator, made)
    operator.say("deputies.not_strict", deputy=plain(made.deputy))
    if given is None:
        operator.say("deputies.no_keys", deputy=plain(made.deputy))
    else:
        say_given(operator, given)


@command.command("list", cls=SpokenCommand)
@as_person
@pass_operator
def list_(operator: Operator, as_name: str) -> None:
    """Who works in whose place, today and later."""
    with operator.hub() as hub, acting(operator, hub, as_name) as person:
        found = deputies.listed(hub.store, hub.desk(person.actor))
    for each in found:
        _say(operator, each)
    if not found:
        operator.say("deputies.none")


@command.command("end", cls=SpokenCommand)
@click.argument("id")
@as_person
@pass_operator
def end(operator: Operator, id: str, as_name: str) -> None:
    """End that now."""
    with operator.hub() as hub, acting(operator, hub, as_name) as person, naming(id):
        deputies.end(hub.store, hub.desk(person.actor), id)
    operator.say("deputies.ended")


def _say(operator: Operator, each: Named) -> None:
    names = {"account": plain(each.account), "deputy": plain(each.deputy)}
    days = {"from_day": operator.written(each.from_day), "to_day": operator.written(each.to_day)}
    operator.say("deputies.line", id=each.id, **days, **names)
