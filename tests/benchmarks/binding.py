"""Binding: the folder of a real field client, enrolled as a device that the hub knows already."""

from pathlib import Path

from nacl.public import PrivateKey

from client_sync.outbox import Outbox
from client_sync.protocol.frames import from_text
from client_sync.stores import Folder
from client_sync.tables import Enrolled, Keys
from server.hub import Hub
from server.store import recipients
from tests.benchmarks.harness import Address, Sender


def bind(folder: Path, hub: Hub, sender: Sender, address: Address, pin: str | None = None) -> None:
    """Make the folder of a field client that is `sender` and finds the hub at `address`, behind TLS with a pin."""
    outbox = Outbox.open(Folder(folder))
    scheme = "http" if pin is None else "https"
    outbox.keep_enrolment(_enrolled(hub, sender, "{}://{}:{}".format(scheme, *address), pin))
    outbox.close()


def _enrolled(hub: Hub, sender: Sender, url: str, pin: str | None) -> Enrolled:
    with hub.store.read() as connection:
        published = recipients.newest(connection)
    assert published is not None
    return Enrolled(
        device=sender.device,
        lineage=sender.lineage,
        hub=sender.hub,
        url=url,
        label="figures",
        coalition=None,
        team=None,
        partner=None,
        places=None,
        pin=pin,
        hub_sign_key=bytes(hub.identity.sign_key.verify_key),
        hub_box_key=bytes(hub.identity.box_key.public_key),
        keyring=published.document.decode(),
        root=from_text(published.root),
        epoch=sender.epoch,
        token=sender.token,
        keys=Keys(sender.key, PrivateKey.generate()),
    )
