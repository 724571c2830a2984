"""`seere enrol`: a one-time code for a new device, as characters, words and QR."""

import io
import time
from urllib.parse import urlsplit

import click
import segno

from client_sync.protocol.enrolment import code_words, grouped_code
from server.commands.devices import ask_and_confirm
from server.commands.operator import Operator, pass_operator
from server.commands.spoken import SpokenCommand
from server.hub import Hub
from server.services import devices
from server.services.devices import Invitation

_LOOK_EVERY_S = 1.0


@click.command(cls=SpokenCommand)
@click.option("--label", required=True, metavar="NAME")
@click.option("--team", metavar="CODE")
@click.option("--partner", metavar="CODE")
@click.option("--succeeds", metavar="DEVICE")
@click.option("--url", metavar="URL")
@click.option("--qr/--no-qr", default=True)
@click.option("--wait", is_flag=True)
@pass_operator
def command(
    operator: Operator,
    label: str,
    team: str | None,
    partner: str | None,
    succeeds: str | None,
    url: str | None,
    qr: bool,
    wait: bool,
) -> None:
    """Show a code once; only its hash is kept."""
    address = url or operator.settings.public_address
    _check_host(operator, address)
    with operator.hub() as hub:
        known = {device.id for device in devices.listed(hub.store)}
        invitation = devices.invite(
            hub.store,
            hub.clock(),
            label=label,
            valid_hours=operator.settings.enrolment_hours,
            team=team,
            partner=partner,
            succeeds=devices.find(hub.store, succeeds).id if succeeds else None,
        )
        _show(operator, invitation, address, qr)
        if wait:
            _wait(operator, hub, known, label)


def _check_host(operator: Operator, address: str) -> None:
    """A hub answers to its own names alone: under another, each sync of the device would be refused."""
    host = urlsplit(address).hostname or ""
    if host not in operator.settings.host_names:
        raise operator.refuse("enrol.host_unknown", host=host)


def _show(operator: Operator, invitation: Invitation, url: str, qr: bool) -> None:
    operator.say("enrol.code", label=invitation.label, code=grouped_code(invitation.code))
    operator.say("enrol.words", words=" ".join(code_words(invitation.code)))
    operator.say("enrol.url", url=url)
    if qr:
        drawn = io.StringIO()
        segno.make(devices.scanned(invitation, url)).terminal(drawn, compact=True)
        click.echo(drawn.getvalue())
    operator.say("enrol.until", day=operator.day(invitation.expires_at))
    operator.say("enrol.next")


def _wait(operator: Operator, hub: Hub, known: set[str], label: str) -> None:
    """Wait for the device to come, then ask about its six words."""
    with operator.busy("enrol.waiting", label=label):
        while not (new := [each for each in devices.listed(hub.store) if each.id not in known]):
            time.sleep(_LOOK_EVERY_S)
    ask_and_confirm(operator, hub, new[0])
