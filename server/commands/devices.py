"""`seere devices`: list, confirm, revoke, wipe, and let one send more for a time."""

from pathlib import Path

import click
from nacl.signing import SigningKey
from rich import box
from rich.table import Table

from client_sync.protocol.frames import to_text
from server.commands import key_files
from server.commands.key_files import KeyFile, public_part
from server.commands.operator import Operator, pass_operator
from server.commands.spoken import SpokenCommand, SpokenGroup
from server.hub import Hub
from server.services import devices
from server.services.device_lists import clock_words
from server.services.devices import Device

# A terminal of 80 columns has no room for what says nothing.
_SHOWN_WHEN_FILLED = frozenset({"version", "rolled_back", "suspect"})


@click.group(cls=SpokenGroup)
def command() -> None:
    """List, confirm, revoke, wipe, limit."""


@command.command("list", cls=SpokenCommand)
@pass_operator
def list_(operator: Operator) -> None:
    """One line a device."""
    with operator.hub() as hub:
        found = devices.listed(hub.store)
    if not found:
        operator.say("devices.none")
        return
    rows = [_cells(operator, device) for device in found]
    columns = [name for name in rows[0] if name not in _SHOWN_WHEN_FILLED or any(row[name] for row in rows)]
    table = Table(*(operator.texts.text(f"devices.column_{name}") for name in columns), box=box.SIMPLE)
    for row in rows:
        table.add_row(*(row[name] for name in columns))
    operator.show(table)


@command.command("confirm", cls=SpokenCommand)
@click.argument("device")
@click.option("--words", metavar="WORDS")
@pass_operator
def confirm(operator: Operator, device: str, words: str | None) -> None:
    """Let a device sync, once its six words were compared."""
    with operator.hub() as hub:
        ask_and_confirm(operator, hub, devices.find(hub.store, device), words)


@command.command("revoke", cls=SpokenCommand)
@click.argument("device")
@click.option("--reason", required=True, metavar="TEXT")
@click.option("--since", metavar="DATE")
@pass_operator
def revoke(operator: Operator, device: str, reason: str, since: str | None) -> None:
    """Stop trusting a device; what it still sends is kept aside."""
    with operator.hub() as hub:
        found = devices.find(hub.store, device)
        suspect_since = operator.at_day(since, "--since") if since else None
        key = hub.identity.sign_key
        devices.revoke(hub.store, found.id, hub.clock(), key, reason=reason, suspect_since=suspect_since)
    operator.say("devices.revoked", name=_name(found))


@command.command("wipe", cls=SpokenCommand)
@click.argument("device")
@click.option("--admin-key", required=True, type=click.Path(dir_okay=False, path_type=Path), metavar="FILE")
@click.option("--reason", required=True, metavar="TEXT")
@click.option("--since", metavar="DATE")
@click.option("--yes", is_flag=True)
@pass_operator
def wipe(operator: Operator, device: str, admin_key: Path, reason: str, since: str | None, yes: bool) -> None:
    """Revoke a device and order it to erase what can be read on it, in the name of an administrator."""
    key_file = KeyFile.read(admin_key, "administrator")
    with operator.hub() as hub:
        found = devices.find(hub.store, device)
        if not yes and not operator.agrees("devices.wipe_sure", name=_name(found)):
            raise operator.refuse("usage.nothing_done")
        administrator = SigningKey(key_files.open_by_asking(operator, key_file))
        devices.wipe(
            hub.store,
            found.id,
            hub.clock(),
            hub.identity.sign_key,
            administrator,
            reason=reason,
            suspect_since=operator.at_day(since, "--since") if since else None,
        )
    operator.say("devices.wiped", name=_name(found))


@command.command("admin-key", cls=SpokenCommand)
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@pass_operator
def admin_key(operator: Operator, file: Path) -> None:
    """Make the key of an administrator, for wipes; needs no hub, and is best made far from it."""
    about = operator.texts.text("devices.admin_key_about")
    made = key_files.make_by_asking(operator, file, "administrator", about)
    operator.say("devices.admin_key_made", file=file, public=to_text(public_part(made, "administrator")))


@command.command("limit", cls=SpokenCommand)
@click.argument("device")
@click.option("--burst", required=True, type=click.IntRange(1, 10_000_000), metavar="N")
@click.option("--until", required=True, metavar="DATE")
@pass_operator
def limit(operator: Operator, device: str, burst: int, until: str) -> None:
    """Let a device send a backlog."""
    end = operator.at_day(until, "--until")
    with operator.hub() as hub:
        if end <= hub.clock():
            raise operator.refuse("devices.until_past", day=until)
        found = devices.find(hub.store, device)
        devices.set_burst(hub.store, found.id, burst, end, hub.clock())
    operator.say("devices.limited", name=_name(found), burst=burst, day=operator.day(end))


def ask_and_confirm(operator: Operator, hub: Hub, device: Device, words: str | None = None) -> None:
    """Confirm a device whose words are those it shows: given as `words`, or compared by the person now."""
    if device.state != "waiting":
        raise operator.refuse(f"devices.not_waiting_{device.state}", name=_name(device))
    own = devices.words_of(hub.store, device, hub.identity.sign_key)
    if words is None:
        operator.say("devices.words", name=_name(device), words=" ".join(own))
        is_same = operator.agrees("devices.same_words")
    else:
        is_same = words.lower().replace("-", " ").split() == own
    if not is_same:
        raise operator.refuse("devices.words_differ", name=_name(device))
    devices.confirm(hub.store, device.id, hub.clock())
    operator.say("devices.confirmed", name=_name(device))


def _name(device: Device) -> str:
    return f"M-{device.number} ({device.label})"


def _cells(operator: Operator, device: Device) -> dict[str, str]:
    """What the list shows of a device, by column, in order."""
    return {
        "number": f"M-{device.number}",
        "label": device.label,
        "team": device.team or "",
        "state": operator.texts.text(f"devices.state_{device.state}"),
        "last_day": operator.day(device.last_sync_at),
        "waiting": "" if device.waiting is None else str(device.waiting),
        "clock": clock_words(operator.texts, device.clock_ahead_s),
        "version": device.software or "",
        "rolled_back": operator.day(device.rolled_back_at) if device.rolled_back_at else "",
        "suspect": operator.day(device.suspect_since) if device.suspect_since else "",
    }
