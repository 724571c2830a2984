"""The press: how packages are sealed at a hub, by whichever door the second person came."""

from collections.abc import Mapping, Sequence
from typing import Any

from server.domain.desk import Desk
from server.domain.errors import PackageRefused
from server.domain.statistics import Period
from server.domain.working_copy import Covered, Made
from server.hub import VERSION, Hub
from server.services import statistics
from server.services.commission import approving, carrying, minisign, preparing, sealing
from server.services.commission.approving import Opened, OpenNames, Press
from server.services.commission.carrying import Carried, Handed
from server.services.commission.copying import MakeCopy, OpenPieces
from server.services.commission.preparing import Package, Prepared
from server.services.evidence.copies import working_copy
from server.services.vault import opening, pieces


def press_of(hub: Hub) -> Press:
    """What seals packages at this hub."""
    settings, seed = hub.settings, minisign.seed_of(hub.secrets.sign)
    return Press(hub.secrets.pepper, seed, settings.data / "packages", settings.coalition, VERSION)


def seal(hub: Hub, desk: Desk, number: str, seen: str, passphrase: str = "", names: bytes | None = None) -> Package:
    """Seal what was prepared; `seen`: the digest of the choice that this person looked at.

    Names are opened with the keys in hand at the desk, or stand in `names`, as they came back from where they were
    opened; each opening is logged with the number of the package. Raises as `approving.approve` and `carrying.take_in`,
    and PackageRefused (`nameless`) at a hub that has no name.
    """
    if not hub.settings.coalition:
        # Whoever gets it would not know from whom it is, or take it for somebody else's.
        raise PackageRefused(fault="nameless")
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
        _opener(hub, desk, {} if names is None else _taken_in(hub, desk, number, names)),
        statistics.published(hub.store, desk, Period.read(quarter, quarter)),
        open_pieces=piece_opener(hub, desk),
        passphrase=passphrase,
    )


def closed_pieces(hub: Hub, desk: Desk, prepared: Prepared) -> int:
    """Of how many pieces this person would hold back the copy, for no key in hand opens them.

    Raises NotFound for whoever approves no packages.
    """
    enclosing = prepared.choice.enclosing
    closed = pieces.closed(hub.store, desk, [each.complaint for each in enclosing])
    return sum(piece.id in closed for each in enclosing for piece in each.pieces)


def piece_opener(hub: Hub, desk: Desk) -> OpenPieces:
    """What opens pieces of evidence by the keys in hand at the desk, and makes safe copies of them."""

    def open_pieces(complaints: Sequence[int], purpose: str) -> MakeCopy:
        found = pieces.release(hub.store, desk, complaints, purpose)

        def make(piece: int, covered: Covered) -> Made:
            opened = pieces.released(hub.depot, found.get(piece))
            return working_copy(opened.data, opened.description.type, covered)

        return make

    return open_pieces


def hand_over(hub: Hub, desk: Desk, number: str) -> Handed:
    """The sealed identities of a package, for the machine where this person keeps the key that opens them.

    Raises as `approving.check`, but for a key of the destination, and as `carrying.hand_over`.
    """
    prepared = preparing.look(hub.store, desk, hub.secrets.pepper, number)
    approving.check(approving.without_key(prepared), desk)

    def carry(complaints: Sequence[int], purpose: str) -> Mapping[int, Carried]:
        return opening.carry_identities(hub.store, desk, complaints, purpose)

    return carrying.hand_over(hub.store, desk, hub.secrets.pepper, prepared, carry)


def _taken_in(hub: Hub, desk: Desk, number: str, names: bytes) -> dict[int, Mapping[str, Any]]:
    prepared = preparing.look(hub.store, desk, hub.secrets.pepper, number)
    return carrying.take_in(hub.store, desk, hub.secrets.pepper, prepared, names)


def _opener(hub: Hub, desk: Desk, given: Mapping[int, Mapping[str, Any]]) -> OpenNames:
    def open_names(complaints: Sequence[int], purpose: str) -> Mapping[int, Opened]:
        here = [each for each in complaints if each not in given]
        elsewhere = {each: given[each] for each in complaints if each in given}
        return {
            **opening.release_identities(hub.store, desk, here, purpose),
            **opening.release_given(hub.store, desk, elsewhere, purpose),
        }

    return open_names
