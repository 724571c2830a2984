"""Log: a thousand random edits of the exported log, half of them signed again by the hub's own key, and one witness."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from tests.benchmarks.figure import Figure, note
from tests.benchmarks.harness import Plan
from tests.log_edits import edits, is_caught, rewriter

FIGURES: Final = ("log_edits_tried", "log_edits_caught")
_EDITS: Final = 1_000
_SEED: Final = 1922


def measure(_: Plan) -> Iterator[Figure]:
    """Each edit alone, against the anchor that a device kept; the untouched log must pass."""
    with TemporaryDirectory() as folder:
        made = rewriter(Path(folder))
    tried = list(edits(made, _EDITS, _SEED))
    missed = [kind for kind, lines in tried if not is_caught(made, lines)]
    if is_caught(made, made.lines):
        # A verifier that always cries wolf catches everything.
        missed = [kind for kind, _ in tried]
    note(f"not caught: {missed}" if missed else "none missed, and the untouched log passed")
    yield Figure("log_edits_tried", len(tried), "edits", "=", _EDITS)
    yield Figure("log_edits_caught", len(tried) - len(missed), "edits", "=", _EDITS)
