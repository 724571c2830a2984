"""`seere find`: a receipt code that somebody brings, and every complaint that it may mean."""

import click

from client_sync.protocol.receipts import is_receipt
from server.commands.operator import Operator, pass_operator
from server.commands.spoken import SpokenCommand
from server.services import lookup


@click.command(cls=SpokenCommand)
@click.argument("receipt", metavar="CODE")
@pass_operator
def command(operator: Operator, receipt: str) -> None:
    """Number, day and place of each match: the code is no key, two complaints may share one."""
    code = receipt.strip().upper()
    if not is_receipt(code):
        raise operator.refuse("find.not_a_code", code=code)
    with operator.hub() as hub:
        matches = lookup.by_receipt(hub.store, code)
    for match in matches:
        place = match.place or operator.texts.text("find.no_place")
        operator.say("find.line", number=match.number, day=operator.day(match.received_at), place=place)
    if not matches:
        raise operator.refuse("find.none", code=code)
