"""What is said once keys of sealed records were handed on to somebody."""

import click

from server.commands.operator import Operator
from server.services.vault.handing_on import Given


def say_given(operator: Operator, given: Given) -> None:
    """How many records were handed on, and how many nobody here could open."""
    if given.given:
        click.echo(operator.texts.plural("keys.given", given.given))
    elif not given.out_of_reach:
        operator.say("keys.given_none")
    if given.out_of_reach:
        click.echo(operator.texts.plural("keys.out_of_reach", given.out_of_reach))
