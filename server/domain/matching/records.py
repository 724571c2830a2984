"""What is compared: records of several values a field, and forms that say what kind each field is."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from server.domain.matching.levels import FieldName


class Kind(StrEnum):
    """What sort of value a field holds, which decides how it is compared and which blocking keys it gives.

    `person`: a full name, its parts in any order. `words`: a title, an address. `place`: a name of a place, or its
    path `region/cercle/commune/village`. `code`: a code or a number that names. `birth`: a day that identifies,
    `YYYYMMDD`. `when`: the day or span of an event, `FROM..TO`, days as `YYYY-MM-DD`. `point`: `LAT,LON` in
    degrees. `amount`: a sum. `phone`: digits. `story`: a text of sentences.
    """

    PERSON = "person"
    WORDS = "words"
    PLACE = "place"
    CODE = "code"
    BIRTH = "birth"
    WHEN = "when"
    POINT = "point"
    AMOUNT = "amount"
    PHONE = "phone"
    STORY = "story"


@dataclass(frozen=True)
class Form:
    """The fields of one sort of record."""

    name: str
    fields: Mapping[FieldName, Kind]


# Values by field, as they were written; a field that is not there is missing.
Record = Mapping[FieldName, tuple[str, ...]]
