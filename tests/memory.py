"""Where tests may keep files in memory: a sync is free there, and a killed program loses what it would on a disk."""

import os
import shutil
from pathlib import Path

_RAM = Path("/dev/shm")
# A container may be given 64 MB of it; a run of all tests has about a tenth of this there at a time.
_ROOM_BYTES = 4 * 2**30


def ram() -> Path | None:
    """A folder in memory with room for a run of all tests; None where there is none."""
    if not os.access(_RAM, os.W_OK) or shutil.disk_usage(_RAM).free < _ROOM_BYTES:
        return None
    return _RAM
