"""`seere people`: accounts of the network's people: make, list, give a scope, reset, close."""

import io
from collections.abc import Callable
from typing import Any, Final

import click
import segno
from rich import box
from rich.table import Table

from server.commands.operator import Operator, pass_operator
from server.commands.person import ask_new
from server.commands.spoken import SpokenCommand, SpokenGroup
from server.domain.people import ROLES
from server.domain.permission import OPERATOR
from server.hub import Hub
from server.services.accounts import people, second_factor
from server.services.accounts.people import Made, Post
from server.store.accounts import Account

Command = Callable[..., Any]

# What it is, on a line or two, the same as text, and the wish for Enter.
_LINES_AROUND: Final = 4


@click.group(cls=SpokenGroup)
def command() -> None:
    """Add, list, scope, reset, leave, head."""


def _post(command: Command) -> Command:
    """The options that say what a person is in the network."""
    for option in (
        click.option("--named-reader", is_flag=True),
        click.option("--destination", default="", metavar="CODE"),
        click.option("--partner", multiple=True, metavar="CODE"),
        click.option("--team", multiple=True, metavar="CODE"),
        click.option("--region", multiple=True, metavar="ID"),
        click.option("--role", required=True, type=click.Choice(ROLES), metavar="ROLE"),
    ):
        command = option(command)
    return command


@command.command("add", cls=SpokenCommand)
@click.argument("person_name", metavar="NAME")
@_post
@pass_operator
def add(operator: Operator, /, person_name: str, **said: Any) -> None:
    """Make an account under a passphrase that its holder types."""
    with operator.hub() as hub:
        add_person(operator, hub, person_name, _post_of(**said))


@command.command("list", cls=SpokenCommand)
@pass_operator
def list_(operator: Operator) -> None:
    """One line an account."""
    with operator.hub() as hub:
        found, leads = people.listed(hub.store, OPERATOR), people.head(hub.store, OPERATOR)
    if not found:
        operator.say("people.none")
        return
    columns = ("name", "role", "scope", "strict", "state", "account")
    table = Table(*(operator.texts.text(f"people.column_{name}") for name in columns), box=box.SIMPLE)
    for account in found:
        table.add_row(*_cells(operator, account))
    operator.show(table)
    if leads is not None:
        operator.say("people.head_is", name=leads.name)


@command.command("scope", cls=SpokenCommand)
@click.argument("person_name", metavar="NAME")
@_post
@pass_operator
def scope(operator: Operator, /, person_name: str, **said: Any) -> None:
    """Give another role or scope, as a whole."""
    with operator.hub() as hub:
        changed = people.set_post(hub.store, hub.secrets.totp, OPERATOR, person_name, _post_of(**said), hub.clock())
    operator.say("people.changed", name=changed.account.name)
    _show_secret(operator, changed)
    operator.say("people.publish")


@command.command("reset", cls=SpokenCommand)
@click.argument("person_name", metavar="NAME")
@pass_operator
def reset(operator: Operator, person_name: str) -> None:
    """Another passphrase, second factor and keys, for whoever forgot or lost them."""
    with operator.hub() as hub:
        typed = ask_new(operator, "people.ask_new", name=person_name)
        made = people.reset(hub.store, hub.secrets.totp, OPERATOR, person_name, typed, hub.clock())
    operator.say("people.reset", name=made.account.name)
    _show_secret(operator, made)
    operator.say("people.publish")


@command.command("leave", cls=SpokenCommand)
@click.argument("person_name", metavar="NAME")
@click.option("--yes", is_flag=True)
@pass_operator
def leave(operator: Operator, person_name: str, yes: bool) -> None:
    """Close an account for good."""
    with operator.hub() as hub:
        if not yes and not operator.agrees("people.leave_sure", name=person_name):
            raise operator.refuse("usage.nothing_done")
        people.end(hub.store, OPERATOR, person_name, hub.clock())
    operator.say("people.left", name=person_name)
    operator.say("people.publish")


@command.command("head", cls=SpokenCommand)
@click.argument("person_name", metavar="NAME")
@pass_operator
def head(operator: Operator, person_name: str) -> None:
    """Say who leads the network."""
    with operator.hub() as hub:
        account = people.name_head(hub.store, OPERATOR, person_name, hub.clock())
    operator.say("people.head", name=account.name)


def add_person(operator: Operator, hub: Hub, name: str, post: Post) -> None:
    """Make an account under a passphrase that its holder types, and show the second factor to them alone."""
    typed = ask_new(operator, "people.ask_new", name=name)
    made = people.make(hub.store, hub.secrets.totp, OPERATOR, name, post, typed, hub.clock())
    operator.say("people.made", name=made.account.name, account=made.account.id)
    _show_secret(operator, made)


def _post_of(
    role: Any,
    region: tuple[str, ...],
    team: tuple[str, ...],
    partner: tuple[str, ...],
    named_reader: bool,
    destination: str,
) -> Post:
    return Post(role, region, team, partner, named_reader, destination)


def _show_secret(operator: Operator, made: Made) -> None:
    """The second factor, once: nothing shows it again."""
    if made.secret is None:
        return
    name = made.account.name
    drawn = io.StringIO()
    hub_name = operator.settings.coalition or operator.texts.text("page.brand")
    segno.make(second_factor.address(made.secret, name, hub_name)).terminal(drawn, compact=True, border=1)
    picture = drawn.getvalue().rstrip("\n")
    with operator.own_screen():
        operator.say("people.secret", name=name)
        # What scrolls away is gone from this screen: half a picture is none.
        if operator.fits(picture.count("\n") + 1 + _LINES_AROUND):
            click.echo(picture)
        operator.say("people.secret_text", secret=made.secret)
        operator.wait_for_enter("people.secret_kept")


def _cells(operator: Operator, account: Account) -> list[str]:
    texts = operator.texts
    scope = ", ".join((*account.regions, *account.teams, *account.partners, *filter(None, [account.destination])))
    state = f"people.state_{account.state}"
    return [
        account.name,
        texts.text(f"role.{account.role}"),
        scope or texts.text("people.everywhere"),
        texts.text("people.yes") if account.is_named_reader else "",
        texts.text(state, day=operator.day(account.left_at)),
        account.id,
    ]
