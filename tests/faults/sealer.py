"""A program that seals a package again and again, each time it is told to, and says what became of it.

Arguments: the folder, the recipient, or "" and a passphrase, and optionally the operation log to mark. It says `ready`,
then for every line that it reads `sealed DIGEST` or the code of the refusal.
"""

import sys
from pathlib import Path
from typing import Final

from server.domain.errors import SeereError
from server.services.commission.sealing import clean, seal
from tests.faults.shim import mark_acknowledged
from tests.packing import NUMBER, bag

# Of some 60 writes.
SIZE_BYTES: Final = 4_000_000


def serve(folder: Path, recipient: str, passphrase: str, log: Path | None) -> None:
    """Seal for each line of the standard input."""
    _say("ready")
    for _ in sys.stdin:
        clean(folder)
        try:
            sealed = seal(bag(SIZE_BYTES), folder, NUMBER, recipient=recipient, passphrase=passphrase)
        except SeereError as refusal:
            _say(refusal.code)
        else:
            if log is not None:
                mark_acknowledged(log, sealed.digest.encode())
            _say(f"sealed {sealed.digest}")


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    serve(Path(sys.argv[1]), sys.argv[2], sys.argv[3], Path(sys.argv[4]) if len(sys.argv) > 4 else None)
