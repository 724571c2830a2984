"""`seere find`: a receipt code that somebody brings, and every complaint that it may mean."""

import click

from client_sync.protocol.receipts import read_receipt
from server.commands.operator import Operator, pass_operator
from server.commands.person import acting, as_person
from server.commands.spoken import SpokenCommand
from server.services import lookup


@click.command(cls=SpokenCommand)
@click.argument("receipt", nargs=-1, required=True, metavar="CODE")
@as_person
@pass_operator
def command(operator: Operator, receipt: tuple[str, ...], as_name: str) -> None:
    """Number, day and place of each match: the code is no key, two complaints may share one."""
    typed = " ".join(receipt)
    code = read_receipt(typed)
    if code is None:
        raise operator.refuse("find.not_a_code", code=typed)
    with operator.hub() as hub, acting(operator, hub, as_name) as person:
        gazetteer = hub.gazetteer()
        matches = lookup.by_receipt(hub.store, person.actor, code, gazetteer)
    for match in matches:
        known = gazetteer.by_id.get(match.place or "") if gazetteer else None
        place = known.name if known else match.place or operator.texts.text("find.no_place")
        operator.say("find.line", number=match.number, day=operator.day(match.received_at), place=place)
    if not matches:
        raise operator.refuse("find.none", code=code)
