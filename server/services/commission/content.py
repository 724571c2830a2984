"""Content: all that one package says, as the modules that write its files are given it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from server.domain.packages import Number
from server.domain.places import Gazetteer
from server.domain.referral import Destination
from server.domain.release import Line
from server.domain.statistics import Release
from server.services.commission.choosing import Correction, Void


@dataclass(frozen=True)
class Copied:
    """A file of a package that was made anew of a piece of evidence, with a line. `no`: the place of the piece among
    the files of its complaint; `sha256`: of this file, in hexadecimal digits."""

    ref: str
    no: int
    file: str
    kind: str
    role: str
    sha256: str


@dataclass(frozen=True)
class Content:
    """A package before it is written: the same content makes the same bytes, wherever and whenever.

    `lines` in the order of their references; `against`: how many complaints of the quarter have no line, by what stands
    against one, None where a package said it before; `tables` of the quarter, small numbers hidden. `key_id`: of the
    key that references go by; `public_key`: the file of the one that its signature is checked by. `previous`: the
    number and the SHA-256 of the manifest of the package sealed before; None for the first. `as_of`: what is said is
    as of then. `coalition`: who sends it; `version` of this program. `copies`: the files of pieces that
    are in it.
    """

    number: Number
    destination: Destination
    coalition: str
    as_of: datetime
    lines: Sequence[Line] = field(repr=False)
    voids: Sequence[Void]
    corrections: Sequence[Correction] = field(repr=False)
    against: Mapping[str, int] | None
    tables: Sequence[Release]
    key_id: str
    public_key: bytes
    previous: tuple[str, str] | None
    version: str
    places: Gazetteer | None = field(repr=False)
    copies: Sequence[Copied] = ()

    @property
    def pieces(self) -> int:
        """Of how many pieces it has copies."""
        return len({(each.ref, each.no) for each in self.copies})
