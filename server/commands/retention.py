"""`seere retention`: what is kept for how long, erasing, and legal holds. Shows numbers and counts, no content."""

from collections.abc import Callable

import click

from server.commands.operator import Operator, pass_operator
from server.commands.person import acting, as_person
from server.commands.spoken import SpokenCommand, SpokenGroup
from server.domain.desk import Desk
from server.domain.retention import REASONS, Hold
from server.hub import Hub
from server.services import retention
from server.services.retention import Due, Erasure, Keeping
from server.store.engine import Store


@click.group(cls=SpokenGroup)
def command() -> None:
    """List, erase, hold, agree, lift."""


@command.command("list", cls=SpokenCommand)
@pass_operator
def list_(operator: Operator) -> None:
    """How long each class is kept, what is due, what is held, and when the last erased one is gone everywhere."""
    with operator.hub() as hub:
        shown = retention.overview(hub.store, _keeping(hub), hub.clock())
    for each in shown.classes:
        _say_class(operator, each)
    kept = "retention.backups" if shown.has_backups else "retention.backups_none"
    operator.say(kept, days=operator.settings.backup_keep_days)
    operator.say("retention.erased", count=shown.erased)
    if shown.has_backups and shown.gone_at is not None:
        operator.say("retention.gone", day=operator.day(shown.gone_at))
    for number, hold in shown.holds:
        _say_hold(operator, number, hold)


@command.command("erase", cls=SpokenCommand)
@click.argument("number", required=False)
@click.option("--aside", type=int, metavar="ID")
@click.option("--because", required=True, type=click.Choice(REASONS))
@click.option("--yes", is_flag=True)
@as_person
@pass_operator
def erase(operator: Operator, number: str | None, aside: int | None, because: str, yes: bool, as_name: str) -> None:
    """Erase a complaint, or what was set aside, with all that came about it."""
    if (number is None) == (aside is None):
        raise operator.refuse("retention.which")
    with operator.hub() as hub, acting(operator, hub, as_name) as person:
        if not yes and not operator.agrees("retention.sure", number=number or aside):
            raise operator.refuse("usage.nothing_done")
        desk = hub.desk(person.actor)
        if number is not None:
            erasure = retention.erase(hub.store, desk, number, because, _keeping(hub))
        else:
            erasure = retention.erase_aside(hub.store, desk, aside or 0, because, _keeping(hub))
    _say_erasure(operator, erasure)


@command.command("hold", cls=SpokenCommand)
@click.argument("number")
@as_person
@pass_operator
def hold(operator: Operator, number: str, as_name: str) -> None:
    """Ask that a complaint be not erased."""
    _change_hold(operator, number, as_name, retention.hold)


@command.command("agree", cls=SpokenCommand)
@click.argument("number")
@as_person
@pass_operator
def agree(operator: Operator, number: str, as_name: str) -> None:
    """Be the second person, for a hold or for its end."""
    _change_hold(operator, number, as_name, retention.agree)


@command.command("lift", cls=SpokenCommand)
@click.argument("number")
@as_person
@pass_operator
def lift(operator: Operator, number: str, as_name: str) -> None:
    """Ask for the end of a hold."""
    _change_hold(operator, number, as_name, retention.lift)


def _change_hold(operator: Operator, number: str, as_name: str, change: Callable[[Store, Desk, str], Hold]) -> None:
    with operator.hub() as hub, acting(operator, hub, as_name) as person:
        _say_hold(operator, number, change(hub.store, hub.desk(person.actor), number))


def _keeping(hub: Hub) -> Keeping:
    return retention.keeping(hub.settings, hub.secrets.database, hub.depot)


def _say_class(operator: Operator, each: Due) -> None:
    key = f"retention.class_{each.name}" if each.days else f"retention.class_{each.name}_for_good"
    operator.say(key, days=each.days, due=each.due)


def _say_hold(operator: Operator, number: str, hold: Hold) -> None:
    operator.say("retention.hold", number=number, state=operator.texts.text(f"retention.state_{hold.state}"))


def _say_erasure(operator: Operator, erasure: Erasure) -> None:
    click.echo(operator.texts.plural("retention.done", erasure.operations))
    gone = "retention.gone_by" if erasure.has_backups else "retention.gone_now"
    operator.say(gone, day=operator.day(erasure.gone_at))
    if not erasure.is_cleared:
        operator.say("retention.not_cleared")
