"""Expiry: what came from the hub leaves a device that has been without contact for too long.

Unsent operations never leave, and what expired comes again at the next contact: a wrong clock can only make a
person wait. Even so a clock set years ahead must not erase at once what one set right would keep. So time is
counted twice. What *surely* passed since the contact is the time that the machine ran, and between two runs what
the wall clock says, a day at the most. What the wall clock *claims* may be anything: when it claims that the days are
over, it has to go on claiming so for one sure day, in which a person is told and can set it right.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from client_sync.clocks import Clocks, surely_passed_s

_DAY_S: Final = 86_400.0


@dataclass(frozen=True)
class Absence:
    """How long a device has been without its hub, as of the last look at its clocks.

    `contact_at` is the hub's time at the last contact, `ahead_s` how far the device's clock ran ahead of it then;
    what came may stay `most_days`. `sure_s` surely passed since; `claimed_from_s` is its value when the wall clock
    first claimed that the days are over, None while it does not.
    """

    contact_at: datetime
    ahead_s: int
    most_days: int
    looked: Clocks
    sure_s: float = 0.0
    claimed_from_s: float | None = None

    def looked_at(self, clocks: Clocks) -> "Absence":
        """The absence as of another look."""
        by_wall = (clocks.wall - self.looked.wall).total_seconds()
        ran = surely_passed_s(self.looked.running_s, clocks.running_s)
        sure_s = self.sure_s + max(ran, min(by_wall, _DAY_S))
        looked = replace(self, looked=clocks, sure_s=sure_s)
        if looked._claimed_s < self.most_days * _DAY_S:
            return replace(looked, claimed_from_s=None)
        return looked if looked.is_claimed else replace(looked, claimed_from_s=sure_s)

    @property
    def is_claimed(self) -> bool:
        """Whether the wall clock says that the days are over."""
        return self.claimed_from_s is not None

    @property
    def is_over(self) -> bool:
        """Whether what came has to leave."""
        has_stood = self.claimed_from_s is not None and self.sure_s - self.claimed_from_s >= _DAY_S
        return has_stood or self.sure_s >= self.most_days * _DAY_S

    @property
    def days(self) -> int:
        """Whole days without contact, by the clock that says more."""
        return int(max(self.sure_s, self._claimed_s) // _DAY_S)

    @property
    def days_left(self) -> int:
        """Whole days until what came leaves, by what surely passed."""
        return max(self.most_days - int(self.sure_s // _DAY_S), 0)

    @property
    def _claimed_s(self) -> float:
        return (self.looked.wall - self.contact_at).total_seconds() - self.ahead_s
