"""How far two values of one field agree."""

from collections.abc import Mapping
from enum import IntEnum
from typing import NewType


class Level(IntEnum):
    """One scale for every kind of field; MISSING, on either side, is no evidence and weighs nothing."""

    MISSING = 0
    DIFFERS = 1
    FAINT = 2
    CLOSE = 3
    NEAR = 4
    EQUAL = 5


FieldName = NewType("FieldName", str)
Levels = Mapping[FieldName, Level]
