"""`seere clock`: whether the hub trusts the clock of this machine, and the word of whoever looked that it is right."""

import click

from server.commands.operator import Operator, pass_operator
from server.commands.spoken import SpokenCommand, SpokenGroup
from server.domain.errors import ClockNotDoubted
from server.services import clock


class _Showing(SpokenGroup):
    """Called with nothing it shows."""

    called_bare = "show"


@click.group(cls=_Showing)
def command() -> None:
    """Show, accept."""


@command.command(cls=SpokenCommand)
@pass_operator
def show(operator: Operator) -> None:
    """What the clock says, and whether it is trusted."""
    with operator.hub() as hub:
        now = hub.clock()
        is_trusted, stands = clock.look(hub.store, now), clock.standing(hub.store)
    assert stands.mark is not None
    times = {"now": operator.moment(now), "mark": operator.moment(stands.mark)}
    if is_trusted or stands.doubted is None:
        operator.say("clock.trusted", **times)
    else:
        operator.say(f"clock.{stands.doubted.doubt}", **times)
        operator.say("clock.how")


@command.command(cls=SpokenCommand)
@click.option("--yes", is_flag=True)
@pass_operator
def accept(operator: Operator, yes: bool) -> None:
    """Say that it is right."""
    with operator.hub() as hub:
        now = hub.clock()
        if clock.look(hub.store, now):
            raise ClockNotDoubted
        if not yes and not operator.agrees("clock.sure", now=operator.moment(now)):
            raise operator.refuse("usage.nothing_done")
        clock.accept(hub.store, hub.clock())
    operator.say("clock.accepted")
