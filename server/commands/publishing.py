"""The next keyring at the terminal: drawn up, looked at by a person, and let stand."""

from collections.abc import Mapping, Sequence
from typing import Final

from rich import box
from rich.table import Column, Table

from client_sync.protocol.keyring import Keyring, Recipient, key_id
from server.commands.operator import Operator
from server.commands.terms import terms_of
from server.hub import Hub
from server.services import keyrings
from server.services.keyrings import NO_CHANGE, Administrators

_KID_CHARS: Final = 16


def drawn_up(hub: Hub, root: bytes | None, after: int = 0, changed: Administrators = NO_CHANGE) -> Keyring:
    """The next keyring of the hub as things stand; `root` is the public root key, where it is not the one before's."""
    return keyrings.draft(hub.store, terms_of(hub), hub.clock(), root=root, after=after, administrators=changed)


def is_agreed(operator: Operator, hub: Hub, made: Keyring, *, is_yes: bool = False) -> bool:
    """Show the keyring, and whether a person who saw it says yes; `is_yes`: it was said on the command line."""
    show(operator, made, names_of(hub), keyrings.newest(hub.store))
    return is_yes or operator.agrees("keys.publish_sure")


def let_stand(operator: Operator, hub: Hub, document: bytes, *, is_new_root: bool = False) -> None:
    """Publish a signed keyring, and say what it lacks."""
    key, now = hub.identity.sign_key, hub.clock()
    version = keyrings.publish(hub.store, document, terms_of(hub), key, now, is_new_root=is_new_root)
    operator.say("keys.published", version=version)
    for fault in keyrings.faults(keyrings.current(hub.store)):
        operator.say(f"keys.lacks_{fault}")


def names_of(hub: Hub) -> dict[str, str]:
    """Whose key it is, by key id; the keyring itself names nobody."""
    return {each.kid: each.name for each in keyrings.listed(hub.store) if each.name}


def show(operator: Operator, made: Keyring, names: Mapping[str, str], before: Keyring | None) -> None:
    """What a keyring says, and who reads that did not in the one before, or no longer does."""
    texts = operator.texts
    operator.say(
        "keys.shown",
        version=made.version,
        statement=texts.text(f"keys.seal_{made.policy.seal_statement}"),
        strict=texts.text("keys.strict_offline" if made.policy.strict_offline else "keys.strict_anywhere"),
        administrators=", ".join(key_id(public) for public in made.administrators) or "–",
    )
    old = {each.kid: each for each in before.recipients} if before else {}
    kept = {each.kid for each in made.recipients}
    rows = [_row(operator, each, names, _change(old.get(each.kid), each)) for each in made.recipients]
    rows += [_row(operator, each, names, "lost") for each in old.values() if each.kid not in kept]
    show_table(operator, ("change", "kid", "name", "held", "scope", "strict"), rows)


def show_table(operator: Operator, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table of keys."""
    table = Table(*(_column(operator, name) for name in columns), box=box.SIMPLE)
    for row in rows:
        table.add_row(*row)
    operator.show(table)


def _column(operator: Operator, name: str) -> Column:
    """A column that is never cut: what a person compares has to be there whole."""
    width = _KID_CHARS if name == "kid" else None
    return Column(operator.texts.text(f"keys.column_{name}"), overflow="fold", min_width=width)


def _change(before: Recipient | None, now: Recipient) -> str:
    if before is None:
        return "gained"
    return "same" if before == now else "other"


def _row(operator: Operator, each: Recipient, names: Mapping[str, str], change: str) -> tuple[str, ...]:
    texts = operator.texts
    return (
        texts.text(f"keys.change_{change}"),
        each.kid,
        texts.text("keys.recovery") if each.is_recovery else names.get(each.kid, "–"),
        texts.text(f"keys.held_{each.held}"),
        " ".join((*each.regions, *each.teams, *each.partners)) or texts.text("keys.everything"),
        texts.text("keys.named") if each.is_named_reader else "",
    )
