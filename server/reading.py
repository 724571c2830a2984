"""Reading: what a person opens, at whichever door, lets its complaint be matched by it from then on."""

from server.domain.desk import Desk
from server.hub import Hub
from server.services.duplicates import renewing
from server.services.vault import opening
from server.services.vault.holding import Compartment
from server.services.vault.opening import Opened


def read(
    hub: Hub, desk: Desk, complaint: int, compartment: Compartment, reason: str | None = None, *, purpose: str = ""
) -> Opened:
    """Open a compartment for whoever is at the desk. Takes and raises what `opening.open_compartment` does."""
    opened = opening.open_compartment(hub.store, desk, complaint, compartment, reason, purpose=purpose)
    if opened.clear is not None:
        renewing.retell(hub.store, hub.secrets.linkage, complaint, compartment, opened.clear, desk.now)
    return opened
