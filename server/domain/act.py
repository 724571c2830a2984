"""Acts: who did what to whom, the unit of verification and of counting; whoever is accused is so until judged."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from typing import Final, Literal

from server.domain.casework import CASEWORK
from server.domain.errors import JudgementRefused

Verdict = Literal["convicted", "acquitted"]

# Roles of whoever is accused; the first is said of nobody whom a court convicted.
ALLEGED: Final = "alleged_perpetrator"
PERPETRATOR: Final = "perpetrator"
ACQUITTED: Final = "acquitted"
ACCUSED_ROLES: Final = frozenset({ALLEGED, "accomplice", "intermediary"})
VICTIM: Final = "victim"


@dataclass(frozen=True)
class Judgement:
    """What a court decided of one person in one act. `is_final`: nobody can appeal any more."""

    verdict: Verdict
    court: str
    on: date
    is_final: bool


@dataclass(frozen=True)
class Involvement:
    """One person, by number in the complaint, in one role in an act. `count`: how many persons it stands for."""

    person: int
    role: str
    category: str | None
    count: int = 1
    judgement: Judgement | None = None

    @property
    def is_accused(self) -> bool:
        """Whether the complaint accuses this person."""
        return self.role in ACCUSED_ROLES

    @property
    def is_alleged(self) -> bool:
        """Whether no court has decided for good: until then nobody is called anything but accused."""
        return self.is_accused and (self.judgement is None or not self.judgement.is_final)

    @property
    def role_shown(self) -> str:
        """The role as people are shown it."""
        if not self.is_accused or self.is_alleged or self.judgement is None:
            return self.role
        if self.judgement.verdict == "acquitted":
            return ACQUITTED
        return PERPETRATOR if self.role == ALLEGED else self.role


@dataclass(frozen=True)
class Act:
    """One kind of act that a complaint reports; complaint and kind name it.

    `involved` is everybody in the complaint: which of them in which act nobody asked.
    """

    complaint: int
    kind: str
    involved: tuple[Involvement, ...]

    @property
    def victims(self) -> int:
        """How many persons it was done to, as far as was said."""
        return sum(each.count for each in self.involved if each.role == VICTIM)


def judge(act: Act, person: int, judgement: Judgement) -> Act:
    """The act with what a court decided of a person whom it accuses; a final decision stands.

    Raises JudgementRefused by fault: `nobody` accused has this number, or it was decided for good (`final`).
    """
    accused = [each for each in act.involved if each.person == person and each.is_accused]
    if not accused:
        raise JudgementRefused(fault="nobody")
    if not all(each.is_alleged for each in accused):
        raise JudgementRefused(fault="final")
    judged = (replace(each, judgement=judgement) if each in accused else each for each in act.involved)
    return replace(act, involved=tuple(judged))


def accused_categories(acts: Iterable[Act]) -> frozenset[str]:
    """Categories of all whom the acts accuse, those who were acquitted too: their colleagues know of it."""
    return frozenset(each.category for act in acts for each in act.involved if each.is_accused and each.category)


def is_own_people(body: str, acts: Iterable[Act]) -> bool:
    """Whether a body's own people are accused in one of the acts: then no complaint of their case goes there."""
    own = (CASEWORK.own_people.get(category, frozenset()) for category in accused_categories(acts))
    return any(body in bodies for bodies in own)
