"""The press: how packages are sealed at a hub, by whichever door the second person came."""

from importlib.metadata import version

from server.domain.desk import Desk
from server.domain.statistics import Period
from server.hub import Hub
from server.services import statistics
from server.services.commission import approving, minisign, preparing, sealing
from server.services.commission.approving import Press
from server.services.commission.preparing import Package
from server.services.vault import opening


def press_of(hub: Hub) -> Press:
    """What seals packages at this hub."""
    settings, seed = hub.settings, minisign.seed_of(hub.secrets.sign)
    return Press(hub.secrets.pepper, seed, settings.data / "packages", settings.coalition, version("seere"))


def seal(hub: Hub, desk: Desk, number: str, seen: str, passphrase: str = "") -> Package:
    """Seal what was prepared; `seen`: the digest of the choice that this person looked at.

    Names are opened with the keys in hand at the desk, each opening logged with the number of the package. Raises as
    `approving.approve`.
    """
    if passphrase:
        # Before anything is opened for it.
        sealing.check_passphrase(passphrase)
    quarter = preparing.one(hub.store, desk, number).quarter
    return approving.approve(
        hub.store,
        desk,
        press_of(hub),
        number,
        seen,
        lambda complaint, purpose: opening.release_identity(hub.store, desk, complaint, purpose),
        statistics.published(hub.store, desk, Period.read(quarter, quarter)),
        passphrase=passphrase,
    )
