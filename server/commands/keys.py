"""`seere keys`: who can open what is sealed: the root key, the keyring it signs, and the keys of readers."""

from collections.abc import Sequence
from pathlib import Path

import click

from client_sync.protocol import keyring
from client_sync.protocol.frames import from_text, to_text
from client_sync.protocol.keyring import KeyringRefused, key_id
from server.commands import key_files, key_recovery, publishing
from server.commands.key_files import KeyFile, public_part
from server.commands.operator import Operator, pass_operator
from server.commands.spoken import SpokenCommand, SpokenGroup
from server.domain.errors import KeyringUnfit
from server.services import keyrings
from server.services.keyrings import Administrators

_PUBLIC_BYTES = 32
_FILE = click.Path(path_type=Path, dir_okay=False)
_FILE_THERE = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.group(cls=SpokenGroup)
def command() -> None:
    """Make keys, publish keyrings, lose nobody."""


command.add_command(key_recovery.recovery)
command.add_command(key_recovery.drill)
command.add_command(key_recovery.rewrap)


_after = click.option("--after", default=0, type=click.IntRange(0, 10**9), metavar="N")
_gained = click.option("--administrator", multiple=True, metavar="KEY")
_lost = click.option("--without", multiple=True, metavar="KEY")


@command.command("root", cls=SpokenCommand)
@click.option("--new", "file", required=True, type=_FILE, metavar="FILE")
@pass_operator
def root(operator: Operator, file: Path) -> None:
    """Make the organisation's root key; needs no hub, and is best made far from it."""
    made = key_files.make_by_asking(operator, file, "root", operator.texts.text("keys.root_about"))
    operator.say("keys.root_made", file=file, public=to_text(public_part(made, "root")))


@command.command("own", cls=SpokenCommand)
@click.option("--new", "file", required=True, type=_FILE, metavar="FILE")
@pass_operator
def own(operator: Operator, file: Path) -> None:
    """Make a reader's own key, on the reader's own machine: it never comes to the hub."""
    made = key_files.make_by_asking(operator, file, "reader", operator.texts.text("keys.own_about"))
    public = public_part(made, "reader")
    operator.say("keys.own_made", file=file, public=to_text(public), kid=key_id(public))


@command.command("add", cls=SpokenCommand)
@click.argument("name")
@click.option("--public", required=True, metavar="KEY")
@pass_operator
def add(operator: Operator, name: str, public: str) -> None:
    """Let an account be sealed to by a key that its holder keeps."""
    key = _public(operator, public)
    with operator.hub() as hub:
        kid = keyrings.add_offline(hub.store, keyrings.account_named(hub.store, name), key, hub.clock())
    operator.say("keys.added", kid=kid, name=name)
    operator.say("keys.publish_next")


@command.command("draft", cls=SpokenCommand)
@click.argument("file", type=_FILE)
@click.option("--root-public", metavar="KEY")
@_after
@_gained
@_lost
@pass_operator
def draft(
    operator: Operator,
    file: Path,
    root_public: str | None,
    after: int,
    administrator: tuple[str, ...],
    without: tuple[str, ...],
) -> None:
    """Write the next keyring, to be carried to the root key."""
    signer = _public(operator, root_public) if root_public else None
    changed = _changed(operator, administrator, without)
    with operator.hub() as hub:
        made = publishing.drawn_up(hub, signer, after, changed)
        names, standing = publishing.names_of(hub), keyrings.newest(hub.store)
    file.write_bytes(keyring.draft(made))
    publishing.show(operator, made, names, standing)
    operator.say("keys.drafted", file=file)


@command.command("sign", cls=SpokenCommand)
@click.argument("file", type=_FILE_THERE)
@click.option("--root", "root_file", required=True, type=_FILE, metavar="FILE")
@click.option("--out", required=True, type=_FILE, metavar="FILE")
@click.option("--yes", is_flag=True)
@pass_operator
def sign(operator: Operator, file: Path, root_file: Path, out: Path, yes: bool) -> None:
    """Look at a draft, and sign it; needs no hub."""
    found = KeyFile.read(root_file, "root")
    try:
        made = keyring.read_draft(file.read_bytes())
    except KeyringRefused as refused:
        raise KeyringUnfit(fault=refused.reason) from None
    publishing.show(operator, made, {}, None)
    if not yes and not operator.agrees("keys.sign_sure"):
        raise operator.refuse("usage.nothing_done")
    out.write_bytes(keyrings.signed(made, key_files.open_by_asking(operator, found)))
    operator.say("keys.signed", file=out)


@command.command("publish", cls=SpokenCommand)
@click.option("--root", "root_file", type=_FILE, metavar="FILE")
@click.option("--signed", type=_FILE_THERE, metavar="FILE")
@click.option("--new-root", is_flag=True)
@click.option("--yes", is_flag=True)
@_after
@_gained
@_lost
@pass_operator
def publish(
    operator: Operator,
    root_file: Path | None,
    signed: Path | None,
    new_root: bool,
    yes: bool,
    after: int,
    administrator: tuple[str, ...],
    without: tuple[str, ...],
) -> None:
    """Let the next keyring stand, signed here or elsewhere, and send it to every device."""
    if (root_file is None) == (signed is None):
        raise operator.refuse("keys.root_or_signed")
    changed = _changed(operator, administrator, without)
    found = KeyFile.read(root_file, "root") if root_file else None
    if found is not None and not yes and not operator.has_terminal:
        raise operator.refuse("keys.yes_needed")
    with operator.hub() as hub:
        before = keyrings.newest(hub.store)
        if found is not None:
            made = publishing.drawn_up(hub, found.public, after, changed)
            if not publishing.is_agreed(operator, hub, made, is_yes=yes):
                raise operator.refuse("usage.nothing_done")
            document = keyrings.signed(made, key_files.open_by_asking(operator, found))
        else:
            document = signed.read_bytes() if signed else b""
        publishing.let_stand(operator, hub, document, is_new_root=new_root)
        if found is None:
            publishing.show(operator, keyrings.current(hub.store), publishing.names_of(hub), before)


@command.command("list", cls=SpokenCommand)
@pass_operator
def list_(operator: Operator) -> None:
    """One line a key."""
    with operator.hub() as hub:
        found, standing = keyrings.listed(hub.store), keyrings.newest(hub.store)
    if standing is not None:
        operator.say("keys.standing", version=standing.version, day=operator.day(standing.issued_at))
    if not found:
        operator.say("keys.none")
        return
    rows = [
        (
            each.kid,
            each.name or operator.texts.text("keys.recovery"),
            operator.texts.text(f"keys.held_{each.held}"),
            operator.texts.text(f"keys.state_{each.state}"),
            operator.day(each.made_at),
            operator.texts.text("keys.in_keyring" if each.in_keyring else "keys.not_in_keyring"),
        )
        for each in found
    ]
    publishing.show_table(operator, ("kid", "name", "held", "state", "made", "keyring"), rows)


@command.command("rotate", cls=SpokenCommand)
@click.argument("name")
@pass_operator
def rotate(operator: Operator, name: str) -> None:
    """Let a person have a new key at the next login; the old one opens what it opened."""
    with operator.hub() as hub:
        count = keyrings.rotate(hub.store, keyrings.account_named(hub.store, name), hub.clock())
    if count == 0:
        raise operator.refuse("keys.nothing_to_rotate", name=name)
    operator.say("keys.rotated", name=name)


@command.command("retire", cls=SpokenCommand)
@click.argument("kid")
@click.option("--yes", is_flag=True)
@pass_operator
def retire(operator: Operator, kid: str, yes: bool) -> None:
    """Take a lost or stolen key away from the hub."""
    if not yes and not operator.agrees("keys.retire_sure", kid=kid):
        raise operator.refuse("usage.nothing_done")
    with operator.hub() as hub:
        keyrings.remove(hub.store, kid, hub.clock())
    operator.say("keys.retired", kid=kid)
    operator.say("keys.publish_next")


def _changed(operator: Operator, administrator: Sequence[str], without: Sequence[str]) -> Administrators:
    gained, lost = (frozenset(_public(operator, key) for key in keys) for keys in (administrator, without))
    return Administrators(gained, lost)


def _public(operator: Operator, text: str) -> bytes:
    key = from_text(text.strip())
    if len(key) != _PUBLIC_BYTES:
        raise operator.refuse("keys.not_a_key", text=text)
    return key
