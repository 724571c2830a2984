"""What a keyring of this hub says beside its recipients: its linkage key, and what the settings decide."""

from typing import cast

from nacl.public import PrivateKey

from client_sync.protocol.keyring import FileLimits, Policy, SealStatement
from server.hub import Hub
from server.services.keyrings import Terms


def terms_of(hub: Hub) -> Terms:
    """The terms of the next keyring."""
    # A database of its own is not encrypted by us: what is clear in it is clear to whoever runs it.
    by_engine = "all" if hub.settings.database else "strict"
    statement = cast(SealStatement, hub.settings.seal_statement or by_engine)
    policy = Policy(
        statement,
        strict_offline=hub.settings.strict_offline == "yes",
        received_days=hub.settings.received_days,
    )
    limits = FileLimits(hub.depot.limits.file, hub.depot.limits.complaint)
    return Terms(bytes(PrivateKey(hub.secrets.linkage).public_key), policy, None if limits == FileLimits() else limits)
