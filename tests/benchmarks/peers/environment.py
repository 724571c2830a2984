"""The peers' own environment: made of peers.lock under var/figures, and asked through a process."""

import json
import os
import subprocess
import sys
import venv
from functools import cache
from hashlib import sha256
from pathlib import Path
from shutil import rmtree
from typing import Any, Final

from tests.benchmarks.figure import note
from tests.benchmarks.harness import FIGURES

HERE: Final = Path(__file__).parent
LOCK: Final = HERE / "peers.lock"
# Published as a source only: a compiler builds it.
_FROM_SOURCE: Final = "affinegap"
_PIP: Final = ("-m", "pip", "-qq", "--no-input", "--disable-pip-version-check", "install", "--require-hashes")
_WHEELS: Final = ("--only-binary", ":all:", "--no-binary", _FROM_SOURCE)
_SAID_MOST_CHARS: Final = 2_000
_STAMP_CHARS: Final = 12


class PeersMissing(Exception):
    """The environment can't be made here: no network the first time, or no compiler."""


def ask(script: str, request: dict[str, Any]) -> Any:
    """What a script of `inside` answers to a request. Raises PeersMissing, or CalledProcessError when it fails."""
    # Sets of words would come in another order each time, and models with them.
    environment = os.environ | {"PYTHONHASHSEED": "0"}
    command = [_python(), str(HERE / "inside" / script)]
    done = subprocess.run(command, input=json.dumps(request), env=environment, capture_output=True, text=True)
    if done.returncode:
        note(done.stderr[-_SAID_MOST_CHARS:])
    done.check_returncode()
    return json.loads(done.stdout)


def folder() -> Path:
    """Where the environment of this lock and this Python lies, or will."""
    stamp = sha256(LOCK.read_bytes() + sys.version.encode()).hexdigest()[:_STAMP_CHARS]
    return FIGURES / "peers" / stamp


@cache
def _python() -> str:
    """The interpreter of the environment, which is made when there is none."""
    place = folder()
    python = str(place / "bin" / "python")
    if not (place / "made").exists():
        note("peers: their environment is made, once; it takes about a minute and 600 MB")
        rmtree(place.parent, ignore_errors=True)
        venv.create(place, with_pip=True)
        made = subprocess.run([python, *_PIP, *_WHEELS, "-r", str(LOCK)], capture_output=True, text=True)
        if made.returncode:
            raise PeersMissing(made.stderr[-_SAID_MOST_CHARS:])
        (place / "made").touch()
    return python
