"""How Splink is set up for each table: comparisons, blocking rules, and the rules that its EM starts from."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Final

import pyarrow as pa
import splink.comparison_level_library as levels
import splink.comparison_library as comparisons
from splink import block_on

_TEXT: Final = pa.string()
_TEXTS: Final = pa.list_(_TEXT)
_NUMBER: Final = pa.int64()


@dataclass(frozen=True)
class Setup:
    """What Splink is told of a table.

    `certain` are rules that hardly ever hold by chance and find `certain_recall` of the matches; from `random_pairs` it
    learns what agrees by chance, from pairs of each rule in `learning` by EM what agrees in matches.
    """

    columns: pa.Schema
    comparisons: Sequence[Any]
    blocking: Sequence[Any]
    random_pairs: float
    learning: Sequence[Any]
    certain: Sequence[Any]
    certain_recall: float


_FEBRL_FIELDS: Final = ("given_name", "surname", "street_number", "address_1", "address_2", "suburb", "postcode")
_BIRTH: Final = "date_of_birth"
# Typing errors in the first of two names hide a pair from rules that ask for whole values.
_FEBRL_STARTS: Final = (
    ("substr(given_name, 1, 3)", "substr(surname, 1, 3)"),
    ("substr(given_name, 1, 3)", "postcode"),
    ("substr(surname, 1, 3)", "postcode"),
    ("substr(given_name, 1, 3)", "substr(suburb, 1, 4)"),
    ("substr(surname, 1, 3)", "substr(suburb, 1, 4)"),
    ("substr(given_name, 1, 3)", "substr(address_1, 1, 5)"),
    ("substr(surname, 1, 3)", "substr(address_1, 1, 5)"),
)
_FEBRL_SWAPPED: Final = "l.given_name = r.surname and l.surname = r.given_name"


def febrl(has_birth: bool) -> Setup:
    """Records of Febrl: every pair of whole fields is a rule, and starts of names beside them."""
    fields = (*_FEBRL_FIELDS, _BIRTH) if has_birth else _FEBRL_FIELDS
    birth = [comparisons.DateOfBirthComparison(_BIRTH, input_is_string=True, datetime_format="%Y%m%d")]
    pairs = [block_on(*pair) for pair in combinations(fields, 2)]
    return Setup(
        columns=pa.schema([(name, _TEXT) for name in ("id", *fields, "state")]),
        comparisons=[
            comparisons.ForenameSurnameComparison("given_name", "surname"),
            comparisons.DamerauLevenshteinAtThresholds("street_number", 1).configure(term_frequency_adjustments=True),
            comparisons.JaroWinklerAtThresholds("address_1", [0.9, 0.8]).configure(term_frequency_adjustments=True),
            comparisons.JaroWinklerAtThresholds("address_2", [0.9, 0.8]).configure(term_frequency_adjustments=True),
            comparisons.JaroWinklerAtThresholds("suburb", [0.9, 0.8]).configure(term_frequency_adjustments=True),
            comparisons.DamerauLevenshteinAtThresholds("postcode", [1, 2]).configure(term_frequency_adjustments=True),
            comparisons.ExactMatch("state").configure(term_frequency_adjustments=True),
            *(birth if has_birth else []),
        ],
        blocking=[*pairs, *(block_on(*start) for start in _FEBRL_STARTS), _FEBRL_SWAPPED],
        random_pairs=1e7,
        learning=[block_on("suburb", "postcode"), block_on("given_name", "surname")],
        certain=[block_on("given_name", "surname", "postcode"), block_on("surname", "address_1", "suburb")],
        certain_recall=0.6,
    )


_COMPLAINT_COLUMNS: Final = pa.schema(
    [
        *((name, _TEXT) for name in ("id", "victim", "complainant", "place", "commune", "cercle")),
        *((name, _TEXT) for name in ("day", "month", "kind", "sex", "age")),
        *((name, _TEXTS) for name in ("victim_words", "complainant_words", "accused_words", "name_words", "phones")),
        *((name, _TEXTS) for name in ("place_words", "kinds", "bodies", "text_words")),
        ("amount", _NUMBER),
    ]
)
_DAYS_APART: Final = "abs(date_diff('day', try_cast(day_l as date), try_cast(day_r as date)))"
# Twice the words that both have by the words of both: 1 when all are the same.
_DICE: Final = "2 * len(list_intersect(text_words_l, text_words_r)) / (len(text_words_l) + len(text_words_r))"
_DICE_LEAST: Final = (0.4, 0.25, 0.17, 0.1)


def complaints() -> Setup:
    """Complaints: all that rows hold is compared; blocks are wide, as some thousand complaints allow it."""
    return Setup(
        columns=_COMPLAINT_COLUMNS,
        comparisons=[
            _names("victim", "victim_words"),
            _names("complainant", "complainant_words"),
            _listed("accused_words", [levels.ArrayIntersectLevel("accused_words", size) for size in (2, 1)]),
            _listed("phones", [levels.ArrayIntersectLevel("phones")]),
            _place(),
            _listed("day", [levels.CustomLevel(f"{_DAYS_APART} <= {days}") for days in (0, 2, 7, 31, 180)]),
            _listed("kinds", [levels.ArrayIntersectLevel("kinds", size) for size in (2, 1)]),
            _listed("bodies", [levels.ArrayIntersectLevel("bodies")]),
            _listed("amount", [levels.PercentageDifferenceLevel("amount", share) for share in (0.001, 0.1, 0.3)]),
            comparisons.ExactMatch("sex"),
            comparisons.ExactMatch("age"),
            _listed("text_words", [levels.CustomLevel(f"{_DICE} >= {share}") for share in _DICE_LEAST]),
        ],
        blocking=_COMPLAINT_BLOCKS,
        # A quarter of all there are; lists of words take long to compare.
        random_pairs=5e5,
        learning=[block_on("victim"), block_on("cercle", "day"), block_on("commune", "kind")],
        certain=[block_on("victim", "cercle", "month")],
        certain_recall=0.3,
    )


# Rules that take no list apart. They alone compare 0.94 of the matches of the kit's test half.
COMPLAINT_WHOLE_BLOCKS: Final = (
    block_on("cercle", "month"),
    block_on("cercle", "kind"),
    block_on("cercle", "amount"),
    block_on("commune"),
    block_on("day"),
)
_COMPLAINT_BLOCKS: Final = (
    block_on("victim_words", arrays_to_explode=["victim_words"]),
    block_on("name_words", "cercle", arrays_to_explode=["name_words"]),
    block_on("name_words", "kind", arrays_to_explode=["name_words"]),
    block_on("name_words", "month", arrays_to_explode=["name_words"]),
    block_on("place_words", arrays_to_explode=["place_words"]),
    block_on("phones", arrays_to_explode=["phones"]),
    *COMPLAINT_WHOLE_BLOCKS,
)
# The columns whose frequencies count.
COMPLAINT_FREQUENCIES: Final = ("victim", "complainant", "place", "commune", "cercle")


def _names(first: str, words: str) -> Any:
    """One of several people: how frequent the first one's name is counts where it is the same letter by letter."""
    return comparisons.CustomComparison(
        output_column_name=first,
        comparison_levels=[
            levels.NullLevel(first),
            levels.ExactMatchLevel(first, term_frequency_adjustments=True),
            levels.JaroWinklerLevel(first, 0.94),
            levels.ArrayIntersectLevel(words, 2),
            levels.JaroWinklerLevel(first, 0.86),
            levels.ArrayIntersectLevel(words, 1),
            levels.ElseLevel(),
        ],
    )


def _place() -> Any:
    return comparisons.CustomComparison(
        output_column_name="place",
        comparison_levels=[
            levels.NullLevel("place"),
            levels.ExactMatchLevel("place", term_frequency_adjustments=True),
            levels.JaroWinklerLevel("place", 0.92),
            levels.ArrayIntersectLevel("place_words", 2),
            levels.ArrayIntersectLevel("place_words", 1),
            levels.ExactMatchLevel("commune", term_frequency_adjustments=True),
            levels.ExactMatchLevel("cercle", term_frequency_adjustments=True),
            levels.ElseLevel(),
        ],
    )


def _listed(column: str, graded: Sequence[Any]) -> Any:
    return comparisons.CustomComparison(
        output_column_name=column,
        comparison_levels=[levels.NullLevel(column), *graded, levels.ElseLevel()],
    )
