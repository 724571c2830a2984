"""Reasons: why a complaint has no line, or its line stands no more, as far as its body may be told."""

from collections.abc import Mapping
from typing import Final, Literal, get_args

from server.services.commission.choosing import Against, Ended, Void

# What a body is told of why it has no line. `protection` is all of these as one: its own people are accused, too few
# are alike, no line is sent of such violence; apart, they would tell whom they protect.
Withheld = Literal["numbers", "consent", "protection", "facts"]
# Why a line that it has stands no more. `withdrawn` does not say whether a person took consent back: else what is left
# would tell a body that its own people are accused, or of what violence somebody speaks, or that one of those who were
# alike is not. `changed` is said of those alone whose name it has.
Voided = Literal["withdrawn", "changed", "erased"]

WITHHELD: Final[tuple[Withheld, ...]] = get_args(Withheld)
VOIDED: Final[tuple[Voided, ...]] = get_args(Voided)
_CONSENT: Final = "consent"
_PROTECTION: Final = "protection"
# What is no business of a body nobody withholds from it: None.
_TOLD: Final[Mapping[str, Withheld | None]] = {
    "numbers": "numbers",
    "totals": _PROTECTION,
    "gbv": _PROTECTION,
    "consent_level": _CONSENT,
    "consent_body": _CONSENT,
    "consent_expired": _CONSENT,
    "withdrawn": _CONSENT,
    "no_assent": _CONSENT,
    "own_people": _PROTECTION,
    "few_alike": _PROTECTION,
    "suspended": _PROTECTION,
    "not_valid": _PROTECTION,
    "facts_missing": "facts",
    "kind": None,
    "place": None,
    "there": None,
    "elsewhere": None,
}


def withheld(against: Mapping[str, int]) -> dict[Withheld, int]:
    """How many complaints were withheld, by what a body is told of why, in the order in which people read it.

    Raises KeyError for what can't stand against a line.
    """
    found = dict.fromkeys(WITHHELD, 0)
    for why, number in against.items():
        told = _TOLD[why]
        if told is not None:
            found[told] += number
    return found


def of_void(void: Void) -> Voided:
    """What a body is told of why a line stands no more."""
    why: Against | Ended = void.why
    return why if why == "changed" or why == "erased" else "withdrawn"
