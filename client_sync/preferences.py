"""What a person chose for this device: language, price of a megabyte, auto-lock. Says nothing about complaints."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Self

from client_sync.protocol.vocabulary import LANGUAGES
from client_sync.stores import Folder, write_durably

# 500 MB at 4,700 FCFA, as a campaign against prices in Mali quoted them (bamada.net): rather too high than too low.
PRICE_XOF_PER_MB: Final = 10
# Long enough to look at the person who speaks, short enough for a device left on a table.
LOCK_AFTER_MINUTES: Final = 2
LOCK_MOST_MINUTES: Final = 60
_FILE: Final = "preferences.json"


@dataclass(frozen=True)
class Preferences:
    """`language` is fr, en or bm; `price_xof_per_mb` what the network asks for 1,000,000 bytes, either way.

    After `lock_after_minutes` in which nothing is typed the vault is locked.
    """

    language: str = "fr"
    price_xof_per_mb: int = PRICE_XOF_PER_MB
    lock_after_minutes: int = LOCK_AFTER_MINUTES

    def __post_init__(self) -> None:
        if self.language not in LANGUAGES:
            raise ValueError(self.language)
        if not 1 <= self.lock_after_minutes <= LOCK_MOST_MINUTES:
            raise ValueError(self.lock_after_minutes)

    @classmethod
    def load(cls, folder: Folder) -> Self:
        """The preferences kept in the folder, else those that come with the program."""
        try:
            return cls(**json.loads(_path(folder).read_bytes()))
        except (FileNotFoundError, ValueError, TypeError):
            # A spoilt preference must not stand between a person and their complaints.
            return cls()

    def save(self, folder: Folder) -> None:
        """Keep the preferences in the folder, made if it is not there."""
        folder.make()
        write_durably(_path(folder), json.dumps(asdict(self)).encode())

    def cost_xof(self, size_bytes: int) -> int:
        """What so many bytes are likely to cost, rounded up."""
        return -(-size_bytes * self.price_xof_per_mb // 1_000_000)


def forget(folder: Folder) -> None:
    """Delete the preferences, if there are any."""
    _path(folder).unlink(missing_ok=True)


def _path(folder: Folder) -> Path:
    return folder.path / _FILE
