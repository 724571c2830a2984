"""`seere assign`: who has a complaint, and so may read its identity."""

import click

from server.commands.handing_on import say_given
from server.commands.operator import Operator, pass_operator
from server.commands.person import acting, as_person, naming
from server.commands.spoken import SpokenCommand
from server.services import keyrings
from server.services.vault import handing_on, opening


@click.command(cls=SpokenCommand)
@click.argument("number")
@click.argument("name")
@as_person
@pass_operator
def command(operator: Operator, number: str, name: str, as_name: str) -> None:
    """Assign a complaint in one's own scope to an account, and hand on the keys that open it."""
    with operator.hub() as hub, acting(operator, hub, as_name) as person, naming(f"{number}, {name}"):
        desk = hub.desk(person.actor, person.keys)
        complaint = opening.complaint_numbered(hub.store, number)
        given = handing_on.assign(hub.store, desk, complaint, keyrings.account_named(hub.store, name))
    operator.say("open.assigned", number=number, name=name)
    say_given(operator, given)
