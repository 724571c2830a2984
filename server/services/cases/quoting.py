"""Quoting: what of complaints is opened for a letter, by whoever opens compartments."""

from collections.abc import Callable, Mapping
from typing import Any, Literal, Protocol

from server.domain.errors import NotFound, ReferralRefused
from server.services.cases import letters
from server.services.cases.letters import Words
from server.services.cases.sending import Plan


class Opened(Protocol):
    """A compartment as the vault gives it."""

    @property
    def clear(self) -> Mapping[str, Any] | None:
        """What is in it; None where there is none, or it does not open."""

    @property
    def is_unopenable(self) -> bool:
        """Whether no key at hand opens it."""

    @property
    def is_withheld(self) -> bool:
        """Whether it shows no contacts, for nobody may use them."""


Open = Callable[[int, Literal["statement", "identity"]], Opened]


def quoted(planned: Plan, open_part: Open) -> Mapping[int, Words]:
    """What stands in a letter beside the facts; `open_part` opens a compartment of a complaint, and logs that.

    Raises ReferralRefused: an identity that is not for the actor (`unassigned`), or for which no key is at hand
    (`unopenable`).
    """
    found: dict[int, Words] = {}
    for going in planned.going:
        opened: dict[str, Opened] = {}
        for compartment in letters.needed(going):
            try:
                opened[compartment] = open_part(going.complaint, compartment)
            except NotFound:
                raise ReferralRefused(fault="unassigned", number=going.number) from None
            if opened[compartment].is_unopenable:
                raise ReferralRefused(fault="unopenable", number=going.number)
        clear = {name: each.clear for name, each in opened.items()}
        with_contacts = "identity" in opened and not opened["identity"].is_withheld
        found[going.complaint] = Words(clear.get("statement"), clear.get("identity"), with_contacts)
    return found
