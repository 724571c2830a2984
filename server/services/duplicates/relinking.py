"""Relinking: Splink on DuckDB links complaints once more, all at once and in memory. Needs the extra `linkage`."""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from importlib import resources
from typing import Any, Final

import duckdb
from splink import DuckDBAPI, Linker, SettingsCreator, block_on
from splink.internals.exceptions import EMTrainingException, SplinkException

from server.domain.errors import RelinkingRefused
from server.domain.matching.complaints import ACCUSED, COMPLAINANTS, PEOPLE, VICTIMS
from server.domain.matching.levels import FieldName
from server.domain.matching.model import Relation
from server.services.duplicates.handing import COLUMNS, HALVES, Row

Steps = Callable[[str], None]
Ends = tuple[int, int]

# Nothing goes to disk, and nothing is fetched: what does not fit in memory ends with an error.
_IN_MEMORY: Final = {
    "temp_directory": "",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
}
# Pairs that say how often strangers agree, and the draw of them.
_STRANGERS: Final = 2e5
_SEED: Final = 1
_LEARNED_FROM_MOST: Final = 5e5
# Of a column by which pairs are found, a value that more complaints share leads to none of them.
SHARED_MOST: Final = 200
_FOUND_BY: Final = ("phones", PEOPLE, f"{PEOPLE}_sounds", f"{PEOPLE}_kin", "keys")
# Among pairs that agree in these, Splink learns how matches agree in all other columns.
_LEARNED_WITHIN: Final = {
    Relation.SAME_INCIDENT: (("cercle", "month"), (f"{VICTIMS}_one",), (f"{ACCUSED}_one",)),
    Relation.SAME_COMPLAINANT: (("cercle",), (f"{COMPLAINANTS}_one",), (f"{VICTIMS}_one",)),
}
# Bits of 128 in which the sketches of two names differ that are alike, and lanes that those of two stories share.
_NAME_BITS_APART: Final = 35
_STORY_LANES: Final = {"near": 40, "close": 20, "faint": 10}
_WORDING_SHARES: Final = {"near": 0.3, "faint": 0.1}
_DAYS_APART: Final = 3
_MONTH_DAYS: Final = 30
_LIBRARIES: Final = ("vega", "vega-lite", "vega-embed")

Comparison = dict[str, Any]


@dataclass(frozen=True)
class Relinked:
    """The pairs of at least the wanted probability, and charts by name, each a specification for Vega-Lite."""

    chances: dict[Ends, float]
    charts: dict[str, dict[str, Any]]


def relink(pages: Iterable[Sequence[Row]], relation: Relation, partners: float, least: float, tell: Steps) -> Relinked:
    """Link complaints by Splink's model, learned from them without a label.

    `partners`: how many others one is expected to match. `least`: the probability from which pairs are given.
    `tell` is called with the name of each step that begins. Raises RelinkingRefused where memory does not hold them.
    """
    # Its notices are for whoever tunes a model by hand.
    logging.getLogger("splink").setLevel(logging.ERROR)
    with _within_memory(), closing(duckdb.connect(":memory:", config=_IN_MEMORY)) as database:
        database.execute("SET enable_external_access = false")
        tell("reading")
        count = _load(database, pages)
        linker = Linker(DuckDBAPI(database).register("complaint"), _settings(relation, partners, count), log_level=None)
        tell("learning")
        linker.training.estimate_u_using_random_sampling(max_pairs=_STRANGERS, seed=_SEED)
        for columns in _LEARNED_WITHIN[relation]:
            if _has_pairs(database, columns):
                _learn_within(linker, columns)
        tell("linking")
        found = linker.inference.predict()
        chances = _chances(found.as_duckdbpyrelation(), least)
        charts = {
            "weights": linker.visualisations.match_weights_chart(),
            "parameters": linker.visualisations.m_u_parameters_chart(),
            "histogram": linker.visualisations.match_weights_histogram(found),
            "unlinkable": linker.evaluation.unlinkables_chart(),
        }
        return Relinked(chances, {name: chart.chart_dict for name, chart in charts.items()})


def libraries() -> list[str]:
    """The programs that draw the charts, as they come with Splink."""
    folder = resources.files("splink") / "internals" / "files" / "external_js"
    by_name = {each.name.partition("@")[0]: each for each in folder.iterdir()}
    return [by_name[name].read_text("utf-8") for name in _LIBRARIES]


@contextmanager
def _within_memory() -> Iterator[None]:
    try:
        yield
    except (duckdb.OutOfMemoryException, SplinkException) as failed:
        # Splink wraps what its database says.
        if not isinstance(failed.__cause__ or failed, duckdb.OutOfMemoryException):
            raise
        raise RelinkingRefused(fault="memory") from failed


def _load(database: duckdb.DuckDBPyConnection, pages: Iterable[Sequence[Row]]) -> int:
    """Lay down all complaints; gives how many."""
    columns = ", ".join(f"{name} {sort}" for name, sort in COLUMNS.items())
    database.execute(f"CREATE TABLE complaint ({columns})")
    values = ", ".join(f"unnest(CAST(${at} AS {sort}[]))" for at, sort in enumerate(COLUMNS.values(), 1))
    for page in pages:
        database.execute(f"INSERT INTO complaint SELECT {values}", [[row[name] for row in page] for name in COLUMNS])
    for column in _FOUND_BY:
        _drop_shared(database, column)
    return int(database.execute("SELECT count(*) FROM complaint").fetchall()[0][0])


def _drop_shared(database: duckdb.DuckDBPyConnection, column: str) -> None:
    """Keep beside a column of values, as `by_…`, those of them that few enough complaints share."""
    database.execute(f"ALTER TABLE complaint ADD COLUMN by_{column} BIGINT[]")
    database.execute(
        f"""
        UPDATE complaint SET by_{column} = list_filter({column}, lambda value: NOT list_contains(shared.many, value))
        FROM (
            SELECT coalesce(list(value), []) AS many FROM (
                SELECT unnest({column}) AS value FROM complaint GROUP BY value HAVING count(*) > {SHARED_MOST}
            )
        ) AS shared
        """
    )


def _has_pairs(database: duckdb.DuckDBPyConnection, columns: Sequence[str]) -> bool:
    known = " AND ".join(f"{name} IS NOT NULL" for name in columns)
    alike = f"SELECT 1 FROM complaint WHERE {known} GROUP BY {', '.join(columns)} HAVING count(*) > 1"
    return bool(database.execute(f"{alike} LIMIT 1").fetchall())


def _learn_within(linker: Linker, columns: Sequence[str]) -> None:
    # Its refusal of pairs that are too few, or too much alike; the other columns teach the same weights.
    with suppress(EMTrainingException, ValueError):
        linker.training.estimate_parameters_using_expectation_maximisation(
            block_on(*columns), max_pairs=_LEARNED_FROM_MOST
        )


def _chances(found: duckdb.DuckDBPyRelation, least: float) -> dict[Ends, float]:
    shown = found.filter(f"match_probability >= {least}")
    rows = shown.project("unique_id_l, unique_id_r, match_probability").fetchall()
    return {(min(a, b), max(a, b)): chance for a, b, chance in rows}


def _settings(relation: Relation, partners: float, count: int) -> SettingsCreator:
    return SettingsCreator(
        link_type="dedupe_only",
        comparisons=_COMPARISONS[relation],
        blocking_rules_to_generate_predictions=[
            block_on(f"by_{column}", arrays_to_explode=[f"by_{column}"]) for column in _FOUND_BY
        ],
        probability_two_random_records_match=min(2 * partners / max(count, 1), 0.5),
        retain_matching_columns=False,
    )


def _compared(name: str, missing: str, **levels: str) -> Comparison:
    """A comparison by the conditions of its levels, the best first."""
    known = [{"sql_condition": condition, "label_for_charts": label} for label, condition in levels.items()]
    first = {"sql_condition": missing, "label_for_charts": "missing", "is_null_level": True}
    last = {"sql_condition": "ELSE", "label_for_charts": "differs"}
    return {"output_column_name": name, "comparison_levels": [first, *known, last]}


def _role(role: FieldName) -> Comparison:
    return _compared(
        role,
        _empty(role),
        equal=_any(role),
        # Both speak of one thing; the first is what pairs are learned within.
        near=f"{role}_one_l = {role}_one_r OR {_any(f'{role}_sounds')}",
        close=f"{_any(f'{role}_kin')} OR {_apart(role)} <= {_NAME_BITS_APART}",
    )


def _apart(role: FieldName) -> str:
    return " + ".join(f"bit_count(xor({role}_{half}_l, {role}_{half}_r))" for half in HALVES)


def _any(column: str) -> str:
    return f"list_has_any({column}_l, {column}_r)"


def _shared(column: str) -> str:
    return f"len(list_intersect({column}_l, {column}_r))"


def _empty(column: str) -> str:
    return f"(len({column}_l) = 0 OR len({column}_r) = 0)"


_PHONES: Final = _compared("phones", _empty("phones"), equal=_any("phones"), near=_any("phone_slips"))
_PLACE: Final = _compared(
    "place",
    f"{_empty('cercles')} AND {_empty('villages')}",
    equal=_any("places"),
    near=_any("villages"),
    close=_any("communes"),
    faint="cercle_l = cercle_r",
)
_WHEN: Final = _compared(
    "when",
    "month_l IS NULL OR month_r IS NULL",
    equal="first_day_l = first_day_r AND last_day_l = last_day_r",
    near=f"first_day_l <= last_day_r + {_DAYS_APART} AND first_day_r <= last_day_l + {_DAYS_APART}",
    close=f"month_l = month_r OR abs(first_day_l - first_day_r) <= {_MONTH_DAYS}",
)
_KINDS: Final = _compared(
    "kinds", _empty("kinds"), equal="kinds_l[1] = kinds_r[1]", near=_any("kinds"), faint=_any("families")
)
_BODIES: Final = _compared("bodies", _empty("bodies"), close=_any("bodies"))
_MONEY: Final = _compared("money", _empty("sums"), equal=_any("sums"))
_STORY: Final = _compared(
    "story",
    _empty("story_lanes"),
    **{label: f"{_shared('story_lanes')} >= {least}" for label, least in _STORY_LANES.items()},
)
_WORDING: Final = _compared(
    "wording",
    _empty("minima"),
    **{label: f"{_shared('minima')} >= {share} * len(minima_l)" for label, share in _WORDING_SHARES.items()},
)
_COMPARISONS: Final = {
    Relation.SAME_INCIDENT: [_role(VICTIMS), _role(ACCUSED), _PLACE, _WHEN, _KINDS, _BODIES, _MONEY, _STORY, _WORDING],
    Relation.SAME_COMPLAINANT: [_role(COMPLAINANTS), _role(VICTIMS), _PHONES, _PLACE, _STORY],
}
