"""A program that prepares and seals the package of a quarter again and again, a round for each line that it reads.

Argument: the folder of a quarter (`tests.benchmarks.quarter`). It says `ready`, then for every line `sealed NUMBER`,
or the code of the refusal. Each round begins with whatever the last one left: what was prepared is sealed, and what was
sealed is cancelled, so that the next number is drawn.
"""

import sys
from pathlib import Path

from server.domain.errors import SeereError
from server.services.commission import preparing
from tests.benchmarks.quarter import Quarter, again
from tests.case_work import at_desk


def serve(folder: Path) -> None:
    """Prepare and seal for each line of the standard input."""
    with again(folder) as made:
        _say("ready")
        for _ in sys.stdin:
            try:
                _say(f"sealed {press_once(made)}")
            except SeereError as refusal:
                _say(refusal.code)


def press_once(made: Quarter) -> str:
    """One round; gives the number that was sealed."""
    [*_, last] = [None, *sorted(made.made(), key=lambda each: each.number.no)]
    if last is not None and last.state == "sealed":
        preparing.cancel(made.hub.store, at_desk(made.hub, made.first), last.number.text, "Préparé pour un essai.")
    package = last if last is not None and last.state == "prepared" else made.prepare()
    return made.seal(package).number.text


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
