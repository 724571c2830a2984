"""Copying: copies of pieces of evidence as files of a package, made one after another as they are written."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from server.domain.errors import PieceRefused
from server.domain.release import Candidate, Enclosed
from server.domain.working_copy import Covered, Made, NotCopied
from server.services.commission.content import Copied

# Makes a copy of a piece, by its id, without what is covered. Raises PieceRefused and NotCopied where there is none.
MakeCopy = Callable[[int, Covered], Made]
# Opens the pieces of complaints for a package, by the number of that, and logs it.
OpenPieces = Callable[[Sequence[int], str], MakeCopy]


@dataclass(eq=False)
class Copies:
    """The copies that go with lines as files of a package, each with what is told of it; to be iterated once.

    Those of one piece are in memory at a time. A piece of which no copy can be made is left out. At the end `made` has
    the ids of the others by complaint, and `held` how many were left out, by why.
    """

    lines: Sequence[Candidate]
    make: MakeCopy = field(repr=False)
    made: dict[int, list[int]] = field(default_factory=dict, init=False)
    held: Counter[str] = field(default_factory=Counter, init=False)

    def __iter__(self) -> Iterator[tuple[Copied, bytes]]:
        for line in self.lines:
            for piece in line.pieces:
                for file, data in self._files(line, piece):
                    yield Copied(line.ref, piece.no, file, piece.kind, piece.role, _sum(data)), data
                    # Before the next one is made.
                    del data

    def counts(self) -> Mapping[str, object]:
        """How many pieces there are copies of, and how many were left out, by why."""
        return {"pieces": sum(map(len, self.made.values())), "pieces_held": dict(sorted(self.held.items()))}

    def _files(self, line: Candidate, piece: Enclosed) -> list[tuple[str, bytes]]:
        """Its pictures and its sound, by the names of their files."""
        try:
            copy = self.make(piece.id, piece.covered)
        except PieceRefused as refused:
            self.held[str(refused.values["fault"])] += 1
            return []
        except NotCopied as fault:
            self.held[fault.fault] += 1
            return []
        self.made.setdefault(line.complaint, []).append(piece.id)
        name = f"pieces/{line.ref}-{piece.no}"
        is_alone = len(copy.pictures) == 1
        files = [
            (f"{name}.jpg" if is_alone else f"{name}-{page}.jpg", data) for page, data in enumerate(copy.pictures, 1)
        ]
        return files + ([(f"{name}.ogg", copy.sound)] if copy.sound else [])


def _sum(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
