"""A program that prepares and seals the package of a quarter that is there, as a hub does on which there are no tests.

Arguments: the folder, the passphrase of its hub, a moment as ISO 8601 has it, the destination and the quarter. It says
how many seconds that took, and how many MB it held at most.
"""

import pickle
import sys
from datetime import datetime
from pathlib import Path
from time import perf_counter

from server import credential, press
from server.app import create_app
from server.config import Settings
from server.domain.desk import Desk
from server.hub import open_hub
from server.services.commission import preparing


def main(folder: Path, passphrase: str, now: datetime, destination: str, quarter: str) -> None:
    """See above."""
    settings = Settings(data=folder, coalition="Coalition d'essai")
    hub = open_hub(settings, credential.unlock(settings.credential, passphrase), lambda: now)
    # What seals is the hub that people look at.
    create_app(hub)
    first, second = (
        Desk(actor, hub.gazetteer(), now, keys) for actor, keys in pickle.loads((folder / "people.pickle").read_bytes())
    )
    began = perf_counter()
    package = preparing.prepare(hub.store, first, hub.secrets.pepper, destination, quarter)
    press.seal(hub, second, package.number.text, package.choice)
    took_s = perf_counter() - began
    print(took_s, _held_most_mb())
    hub.close()


def _held_most_mb() -> float:
    """Of this program alone: what getrusage says has what the one that started it held, too."""
    [line] = [each for each in Path("/proc/self/status").read_text().splitlines() if each.startswith("VmHWM")]
    return int(line.split()[1]) * 1024 / 1e6


if __name__ == "__main__":
    _folder, _passphrase, _now, _to, _of = sys.argv[-5:]
    main(Path(_folder), _passphrase, datetime.fromisoformat(_now), _to, _of)
