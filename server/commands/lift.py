"""`seere lift`: a complaint that a colleague's device made strictly confidential is so no more."""

import click

from server.commands.operator import Operator, pass_operator
from server.commands.person import acting, as_person, naming
from server.commands.spoken import SpokenCommand
from server.services.intake import strictness
from server.services.vault import opening


@click.command(cls=SpokenCommand)
@click.argument("number")
@click.option("--reason", default="", metavar="TEXT")
@as_person
@pass_operator
def command(operator: Operator, number: str, reason: str, as_name: str) -> None:
    """Take back that a complaint is strictly confidential, as a named reader; the log says who and why."""
    with operator.hub() as hub, acting(operator, hub, as_name) as person, naming(number):
        complaint = opening.complaint_numbered(hub.store, number)
        code = strictness.lift(hub.store, hub.desk(person.actor), complaint, reason)
    operator.say("open.lifted", number=number, confidentiality=operator.texts.text(f"open.confidentiality_{code}"))
