"""Picture names: how a monitor recognises a complaint on a device that says nothing about it."""

import tomllib
from collections.abc import Container
from importlib import resources
from random import Random
from typing import Final

PICTURES: Final[dict[str, str]] = tomllib.loads((resources.files("client_sync") / "pictures.toml").read_text("utf-8"))[
    "pictures"
]
# No leading zero: "Calebasse 07" is said in two ways, "Calebasse 47" in one.
_NUMBERS: Final = range(10, 100)
NAMES: Final = tuple(f"{picture} {number}" for picture in PICTURES.values() for number in _NUMBERS)


def draw(taken: Container[str], rng: Random) -> str:
    """A picture name that is not in `taken`, such as "Calebasse 47", each as likely as any other.

    Raises LookupError when all 2,880 names are taken.
    """
    free = [name for name in NAMES if name not in taken]
    if not free:
        raise LookupError("no picture name is free")
    return rng.choice(free)
