"""`seere keys`: who can open what is sealed: the root key, the keyring it signs, and the keys of readers."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import click
from nacl.signing import SigningKey
from rich import box
from rich.table import Table

from client_sync.protocol import keyring
from client_sync.protocol.frames import from_text
from client_sync.protocol.keyring import Keyring, KeyringRefused, key_id
from server.commands import key_files, key_recovery
from server.commands.operator import Operator, pass_operator
from server.commands.spoken import SpokenCommand, SpokenGroup
from server.commands.terms import terms_of
from server.domain.errors import KeyringUnfit
from server.hub import Hub
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
    public = key_files.make_key(file, "root", operator.texts.text("keys.root_about"))
    operator.say("keys.root_made", file=file, public=public)


@command.command("own", cls=SpokenCommand)
@click.option("--new", "file", required=True, type=_FILE, metavar="FILE")
@pass_operator
def own(operator: Operator, file: Path) -> None:
    """Make a reader's own key, on the reader's own machine: it never comes to the hub."""
    public = key_files.make_key(file, "reader", operator.texts.text("keys.own_about"))
    operator.say("keys.own_made", file=file, public=public, kid=key_id(from_text(public)))


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
        made = _drawn_up(hub, signer, after, changed)
        names = _names(hub)
    file.write_bytes(keyring.draft(made))
    _show(operator, made, names)
    operator.say("keys.drafted", file=file)


@command.command("sign", cls=SpokenCommand)
@click.argument("file", type=_FILE_THERE)
@click.option("--root", "root_file", required=True, type=_FILE, metavar="FILE")
@click.option("--out", required=True, type=_FILE, metavar="FILE")
@click.option("--yes", is_flag=True)
@pass_operator
def sign(operator: Operator, file: Path, root_file: Path, out: Path, yes: bool) -> None:
    """Look at a draft, and sign it; needs no hub."""
    try:
        made = keyring.read_draft(file.read_bytes())
    except KeyringRefused as refused:
        raise KeyringUnfit(fault=refused.reason) from None
    _show(operator, made, {})
    if not yes and not operator.agrees("keys.sign_sure"):
        raise operator.refuse("usage.nothing_done")
    out.write_bytes(keyrings.signed(made, key_files.read_key(root_file, "root")))
    operator.say("keys.signed", file=out)


@command.command("publish", cls=SpokenCommand)
@click.option("--root", "root_file", type=_FILE, metavar="FILE")
@click.option("--signed", type=_FILE_THERE, metavar="FILE")
@click.option("--new-root", is_flag=True)
@_after
@_gained
@_lost
@pass_operator
def publish(
    operator: Operator,
    root_file: Path | None,
    signed: Path | None,
    new_root: bool,
    after: int,
    administrator: tuple[str, ...],
    without: tuple[str, ...],
) -> None:
    """Let the next keyring stand, signed here or elsewhere, and send it to every device."""
    if (root_file is None) == (signed is None):
        raise operator.refuse("keys.root_or_signed")
    given = signed.read_bytes() if signed else b""
    changed = _changed(operator, administrator, without)
    seed = key_files.read_key(root_file, "root") if root_file else None
    with operator.hub() as hub:
        document = _signed_here(hub, seed, after, changed) if seed else given
        key = hub.identity.sign_key
        version = keyrings.publish(hub.store, document, terms_of(hub), key, hub.clock(), is_new_root=new_root)
        made, names = keyrings.current(hub.store), _names(hub)
    _show(operator, made, names)
    operator.say("keys.published", version=version)
    for fault in keyrings.faults(made):
        operator.say(f"keys.lacks_{fault}")


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
    _show_table(operator, ("kid", "name", "held", "state", "made", "keyring"), rows)


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


def _drawn_up(hub: Hub, signer: bytes | None, after: int, changed: Administrators) -> Keyring:
    terms = terms_of(hub)
    return keyrings.draft(hub.store, terms, hub.clock(), root=signer, after=after, administrators=changed)


def _signed_here(hub: Hub, seed: bytes, after: int, changed: Administrators) -> bytes:
    made = _drawn_up(hub, bytes(SigningKey(seed).verify_key), after, changed)
    return keyrings.signed(made, seed)


def _public(operator: Operator, text: str) -> bytes:
    key = from_text(text.strip())
    if len(key) != _PUBLIC_BYTES:
        raise operator.refuse("keys.not_a_key", text=text)
    return key


def _names(hub: Hub) -> dict[str, str]:
    """Whose key it is, by key id; the keyring itself names nobody."""
    return {each.kid: each.name for each in keyrings.listed(hub.store) if each.name}


def _show(operator: Operator, made: Keyring, names: Mapping[str, str]) -> None:
    """What a keyring says, to be looked at before it is signed: whoever is in it reads."""
    texts = operator.texts
    operator.say(
        "keys.shown",
        version=made.version,
        statement=texts.text(f"keys.seal_{made.policy.seal_statement}"),
        strict=texts.text("keys.strict_offline" if made.policy.strict_offline else "keys.strict_anywhere"),
        administrators=", ".join(key_id(public) for public in made.administrators) or "–",
    )
    rows = [
        (
            each.kid,
            texts.text("keys.recovery") if each.is_recovery else names.get(each.kid, "–"),
            texts.text(f"keys.held_{each.held}"),
            " ".join((*each.regions, *each.teams, *each.partners)) or texts.text("keys.everything"),
            texts.text("keys.named") if each.is_named_reader else "",
        )
        for each in made.recipients
    ]
    _show_table(operator, ("kid", "name", "held", "scope", "strict"), rows)


def _show_table(operator: Operator, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    table = Table(*(operator.texts.text(f"keys.column_{name}") for name in columns), box=box.SIMPLE)
    for row in rows:
        table.add_row(*row)
    operator.show(table)
