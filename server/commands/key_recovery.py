"""`seere keys recovery|drill|rewrap`: the key that stands in for a lost one, in three lists of words."""

from collections.abc import Iterator
from contextlib import contextmanager

import click
from nacl.public import PrivateKey
from nacl.utils import random as random_bytes

from client_sync.protocol.keyring import key_id
from server import credential
from server.commands.handing_on import say_given
from server.commands.key_files import KEY_BYTES
from server.commands.operator import Operator, pass_operator
from server.commands.person import acting
from server.commands.shares import ask_recovery_key, show_shares, split
from server.commands.spoken import Refused, SpokenCommand
from server.domain.desk import Desk
from server.domain.errors import RecoveryKeyWrong
from server.domain.people import HeldKeys
from server.domain.permission import OPERATOR
from server.hub import Hub
from server.services import keyrings
from server.services.vault import handing_on


@click.command("recovery", cls=SpokenCommand)
@click.option("--new", is_flag=True, required=True)
@click.option("--lost", is_flag=True)
@pass_operator
def recovery(operator: Operator, new: bool, lost: bool) -> None:  # noqa: ARG001 - to be said, for it replaces one
    """Make the recovery key, shown once as three lists; the hub keeps only its public part."""
    with operator.hub() as hub:
        standing = keyrings.recovery_kids(hub.store)
        before = _asked(operator, hub) if standing and not lost else None
        make_recovery_key(operator, hub)
        given = handing_on.give_recovery_keys(hub.store, before) if before else None
    if given is not None:
        say_given(operator, given)
    elif standing:
        operator.say("keys.recovery_lost")
    operator.say("keys.publish_next")


def make_recovery_key(operator: Operator, hub: Hub) -> None:
    """Make the key, show its lists, and let it stand in the credential and for the next keyring."""
    private = random_bytes(KEY_BYTES)
    public = bytes(PrivateKey(private).public_key)
    operator.say("keys.shares_why")
    # Shown first: a key whose lists nobody finished writing down must not be the one that everybody relies on.
    show_shares(operator, split(private))
    credential.seal_to_recovery(operator.settings.credential, hub.secrets, public)
    keyrings.set_recovery(hub.store, public, hub.clock())
    operator.say("keys.shares_made")


@click.command("drill", cls=SpokenCommand)
@pass_operator
def drill(operator: Operator) -> None:
    """Try the recovery key on the credential and on every sealed record; shows nothing of them."""
    with operator.hub() as hub:
        desk = _asked(operator, hub)
        [private] = desk.keys.private.values()
        if credential.unlock_by_recovery(operator.settings.credential, private) != hub.secrets:
            raise RecoveryKeyWrong
        if not any(each.kid in desk.keys.private for each in keyrings.current(hub.store).recipients):
            raise operator.refuse("keys.drill_not_in_keyring")
        with operator.busy("keys.drilling"):
            found = handing_on.drill(hub.store, desk)
    if found.given:
        click.echo(operator.texts.plural("keys.drilled", found.given))
    else:
        operator.say("keys.drilled_none")
    if found.out_of_reach:
        raise Refused(operator.texts.plural("keys.drill_closed", found.out_of_reach))


@click.command("rewrap", cls=SpokenCommand)
@click.argument("name", required=False)
@click.option("--for-recovery", is_flag=True)
@click.option("--recovery", is_flag=True)
@click.option("--as", "as_name", metavar="NAME")
@pass_operator
def rewrap(operator: Operator, name: str | None, for_recovery: bool, recovery: bool, as_name: str | None) -> None:
    """Give somebody the keys of what they may read: from the recovery key, or from a colleague's session."""
    if (name is None) != for_recovery or (as_name is None) != recovery:
        raise operator.refuse("keys.rewrap_which")
    with operator.hub() as hub:
        account = None if name is None else keyrings.account_named(hub.store, name)
        with _desk(operator, hub, as_name) as desk:
            if account is None:
                given = handing_on.give_recovery_keys(hub.store, desk)
            else:
                given = handing_on.give_keys(hub.store, desk, account)
    say_given(operator, given)


@contextmanager
def _desk(operator: Operator, hub: Hub, as_name: str | None) -> Iterator[Desk]:
    """With the keys of a person who logs in, or with the recovery key."""
    if as_name is None:
        yield _asked(operator, hub)
        return
    with acting(operator, hub, as_name) as person:
        yield hub.desk(person.actor, person.keys)


def _asked(operator: Operator, hub: Hub) -> Desk:
    """With the recovery key, which two custodians type. Raises RecoveryKeyWrong."""
    private = ask_recovery_key(operator)
    kid = key_id(bytes(PrivateKey(private).public_key))
    if kid not in keyrings.recovery_kids(hub.store):
        raise RecoveryKeyWrong
    return hub.desk(OPERATOR, HeldKeys({kid: private}))
