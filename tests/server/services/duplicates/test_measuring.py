"""Evaluation: a small table whose duplicates are known, by the shipped models."""

from collections.abc import Iterator, Sequence
from itertools import count
from random import Random
from typing import Any

import pytest

from server.domain.matching.levels import FieldName
from server.domain.matching.model import Relation, shipped
from server.domain.matching.records import Form, Kind, Record
from server.services.duplicates.arriving import (
    CLEAR,
    NUMBERS_OF_A_TEXT,
    WORDS_ANYWHERE,
    WORDS_OF_A_TEXT,
    Comparison,
    Passage,
    send,
    veiled,
)
from server.services.duplicates.measuring import evaluate
from server.services.duplicates.tables import Pairs, Table

NAME, STREET, TOWN, SPOT = (FieldName(name) for name in ("name", "street", "town", "spot"))
FORM = Form("people", {NAME: Kind.PERSON, STREET: Kind.WORDS, TOWN: Kind.CODE})
PEPPER = bytes(range(32))
_SYLLABLES = ("ba", "di", "fo", "ga", "ko", "la", "mi", "nu", "sa", "te", "yo", "zi")


def word(draw: Random, length: int = 4) -> str:
    return "".join(draw.choice(_SYLLABLES) for _ in range(length))


def a_person(draw: Random) -> Record:
    street = f"{draw.randrange(1, 300)} rue {word(draw)}"
    return {NAME: (f"{word(draw)} {word(draw)}",), STREET: (street,), TOWN: (str(draw.randrange(8000, 8100)),)}


def misspelt(draw: Random, record: Record) -> Record:
    """One letter of the name, of which the parts change places; and often no town."""
    first, last = record[NAME][0].split()
    at = draw.randrange(len(last))
    changed = {**record, NAME: (f"{last[:at]}x{last[at + 1 :]} {first}",)}
    if draw.random() < 0.4:
        del changed[TOWN]
    return changed


def people(originals: int, twice: int, seed: int = 1) -> tuple[Table, Pairs]:
    """Records of one side `a`, and misspelt ones of side `b`, in any order; with the pairs."""
    draw = Random(seed)
    firsts = [a_person(draw) for _ in range(originals)]
    told = [(at, "a", record) for at, record in enumerate(firsts)]
    told += [(at, "b", misspelt(draw, firsts[at])) for at in range(twice)]
    draw.shuffle(told)
    places: dict[int, list[int]] = {}
    for place, (at, _, _) in enumerate(told):
        places.setdefault(at, []).append(place)
    true = frozenset((each[0], each[1]) for each in places.values() if len(each) == 2)
    table = Table(FORM, [str(at) for at in range(len(told))], [record for *_, record in told], [""] * len(told), {})
    return table, Pairs(true, unknown=0, same_side=0)


def ticking() -> Iterator[float]:
    """A clock on which everything takes two milliseconds."""
    return (tick * 0.002 for tick in count())


def reached(table: Table, pairs: Pairs, comparison: Comparison = CLEAR, labels: int = 0) -> dict[str, Any]:
    model = shipped("table" if comparison is CLEAR else "table_veiled")
    clock = ticking().__next__
    return evaluate(table, pairs, model, comparison, labels=labels, seed=0, pepper=PEPPER, clock_s=clock)


def test_misspelt_people_are_found_and_strangers_are_not() -> None:
    told = reached(*people(300, 150))
    assert told["retrieval_recall"] == 1
    # With twelve syllables strangers are called alike as well.
    assert told["shipped"]["precision"] > 0.97
    assert told["shipped"]["recall"] > 0.95
    assert told["recall_at_5"] == 1
    assert told["calibration_error"] < 0.1


def test_under_veils_nearly_as_many_are_found() -> None:
    told = reached(*people(300, 150), comparison=veiled(PEPPER))
    assert told["shipped"]["precision"] > 0.98
    assert told["shipped"]["recall"] > 0.85


def test_the_same_table_and_seed_give_the_same_answer() -> None:
    assert reached(*people(120, 60)) == reached(*people(120, 60))


def test_what_it_took_is_said_by_the_clock_that_was_given() -> None:
    told = reached(*people(40, 10))
    assert told["ms_per_record"] == {"median": pytest.approx(2.0), "p95": pytest.approx(2.0)}
    assert (told["records"], told["pairs"]["true"]) == (50, 10)


def test_pairs_that_were_missed_lower_the_recall() -> None:
    table, pairs = people(100, 50)
    # Nobody could find these: the first and the last have nothing in common.
    invented = {(at, len(table.ids) - 1 - at) for at in range(25)} - pairs.true
    told = reached(table, Pairs(pairs.true | invented, 0, 0))
    assert told["shipped"]["recall"] == pytest.approx(50 / (50 + len(invented)), abs=0.04)
    assert told["retrieval_recall"] < 0.8


def test_no_more_labels_are_asked_than_given_and_they_help() -> None:
    told = reached(*people(300, 150), labels=40)["labels"]
    assert told["asked"] == 40
    assert told["is_fitted"]
    assert told["shipped"]["f1"] > 0.97
    assert told["not_asked"]["shipped"]["f1"] > 0.97


def test_labelled_pairs_are_measured_by_themselves_and_only_they_are_asked() -> None:
    table, pairs = people(200, 100)
    true = sorted(pairs.true)
    # Each match beside its record and one that nothing led to.
    false = {(first, then - 1) for first, then in true if first < then - 1} - pairs.true
    told = reached(table, Pairs(pairs.true, 0, 0, pairs.true | false), labels=60)
    assert (told["labelled_pairs"]["true"], told["labelled_pairs"]["false"]) == (len(true), len(false))
    assert told["labelled_pairs"]["average_precision"] > 0.99
    assert (told["pairs"]["true"], told["pairs"]["false"]) == (len(true), len(false))
    left = told["labels"]["labelled_pairs_not_asked"]
    assert left["true"] + left["false"] == len(true) + len(false) - told["labels"]["asked"]
    assert told["labels"]["is_fitted"]


def test_a_pair_that_nobody_labelled_is_neither_right_nor_wrong() -> None:
    table, pairs = people(200, 100)
    half = frozenset(sorted(pairs.true)[:50])
    stranger = (0, next(then for then in range(1, 9) if (0, then) not in pairs.true))
    told = reached(table, Pairs(half, 0, 0, half | {stranger}))
    assert told["shipped"]["precision"] == 1
    assert told["pairs"]["unlabelled_found"] == pytest.approx(50, abs=8)
    # Without a word of what does not match, all the others are told not to.
    assert reached(table, Pairs(half, 0, 0))["shipped"]["precision"] < 0.6


def test_values_in_the_wrong_column_are_found_without_a_label() -> None:
    draw = Random(3)
    table, pairs = people(250, 125)
    form = Form("people", {NAME: Kind.WORDS, STREET: Kind.WORDS, TOWN: Kind.WORDS})
    mixed = [astray(draw, record) for record in table.records]
    told = reached(Table(form, table.ids, mixed, table.sides, {}), pairs)
    # Where only fields are compared, 0.57.
    assert told["shipped"]["f1"] > 0.75


def astray(draw: Random, record: Record) -> Record:
    """Half of the streets and towns stand behind the name."""
    moved = [field for field in (STREET, TOWN) if field in record and draw.random() < 0.5]
    kept = {field: values for field, values in record.items() if field not in moved}
    return {**kept, NAME: (" ".join(record[field][0] for field in (NAME, *moved)),)}


def test_a_code_tells_products_apart_that_are_called_alike() -> None:
    form = Form("shop", {NAME: Kind.WORDS})
    kinds = ("corded phone", "microwave oven", "wall mount", "ink cartridge")
    firsts = [f"Panasonic {kinds[at % 4]} white - KX{at * 7919 % 9973}TS" for at in range(200)]
    seconds = [f"KX-{at * 7919 % 9973}TS {kinds[at % 4]} by Panasonic" for at in range(100)]
    table = Table(form, [str(at) for at in range(300)], [{NAME: (text,)} for text in firsts + seconds], [""] * 300, {})
    pairs = Pairs(frozenset((at, 200 + at) for at in range(100)), 0, 0)
    told = reached(table, pairs, labels=60)
    assert told["retrieval_recall"] == 1
    assert told["labels"]["not_asked"]["shipped"]["f1"] > 0.95


def test_answers_that_allow_no_fit_leave_the_model_as_it_was() -> None:
    table, pairs = people(60, 30)
    told = reached(table, Pairs(frozenset({(0, len(table.ids) - 1)}) - pairs.true, 0, 0), labels=10)
    assert told["labels"]["is_fitted"] is False


def sided(sides: Sequence[str], records: Sequence[Record], form: Form = FORM) -> Table:
    return Table(form, [str(at) for at in range(len(records))], records, sides, {})


def sent(table: Table) -> Passage:
    return send(table, (), shipped("table"), CLEAR, seed=0, pepper=PEPPER, clock_s=ticking().__next__)


def found(table: Table) -> set[tuple[int, int]]:
    return {(first, then) for then, firsts in enumerate(sent(table).compared) for first in firsts}


def test_across_sources_records_of_one_source_are_not_compared() -> None:
    same = a_person(Random(5))
    assert found(sided(["a", "a", "b"], [same] * 3)) == {(0, 2), (1, 2)}
    assert found(sided(["", "", ""], [same] * 3)) == {(0, 1), (0, 2), (1, 2)}


def test_an_empty_record_is_passed_over() -> None:
    assert found(sided([""] * 3, [{}, a_person(Random(5)), {}])) == set()


def test_a_point_that_many_share_is_no_place() -> None:
    form = Form("spots", {SPOT: Kind.POINT, TOWN: Kind.CODE})
    default = [{SPOT: ("42.3594,-71.0587",), TOWN: ("1",)}] * 60
    agreeing = {pair.then for pair in sent(sided([""] * 60, default, form)).pairs if pair.levels[SPOT]}
    assert agreeing == set(range(1, 20))


def test_shipped_models_tell_the_same_record_and_nothing_else() -> None:
    for name in ("table", "table_veiled"):
        model = shipped(name)
        assert (model.relation, set(model.kinds)) == (Relation.SAME_RECORD, set(Kind))
        assert set(model.fields) == {WORDS_OF_A_TEXT, NUMBERS_OF_A_TEXT, WORDS_ANYWHERE}
        assert (model.strong, model.possible) == (0.95, 0.30)
