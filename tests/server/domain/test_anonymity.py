"""Anonymity: no line says what fewer than five say."""

from collections import Counter
from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from server.domain import anonymity
from server.domain.anonymity import LEAST, Ladders, Said

ORDER = ("month", "place", "sex")


def _line(month: str, place: str, sex: str = "f") -> Ladders:
    return {"month": (month, "2026-T3"), "place": (place, "Ségou"), "sex": (sex, "")}


def blurred(lines: Mapping[int, Ladders], order: tuple[str, ...], least: int = LEAST) -> dict[int, Said | None]:
    """What lines say of which each tells of somebody else."""
    return anonymity.blurred(lines, order, {id: id for id in lines}, least)


def test_what_enough_say_is_said_as_it_is() -> None:
    lines = {id: _line("2026-08", "Bla") for id in range(LEAST)}
    assert set(map(str, blurred(lines, ORDER).values())) == {str({"month": "2026-08", "place": "Bla", "sex": "f"})}


def test_lines_of_a_small_group_alone_give_up_one_thing_after_the_other() -> None:
    many = {id: _line("2026-08", "Bla") for id in range(LEAST)}
    few = {
        10: _line("2026-07", "Bla"),
        11: _line("2026-08", "Niono"),
        **{12 + n: _line("2026-09", "Tominian") for n in range(3)},
    }
    said = blurred(many | few, ORDER)
    assert all(said[id] == {"month": "2026-08", "place": "Bla", "sex": "f"} for id in many)
    assert all(said[id] == {"month": "2026-T3", "place": "Ségou", "sex": "f"} for id in few)


def test_a_line_that_nothing_makes_like_others_is_withheld() -> None:
    lines = {id: _line("2026-08", "Bla") for id in range(LEAST)} | {
        9: {**_line("2026-08", "Bla"), "place": ("Gao", "Gao")}
    }
    assert blurred(lines, ORDER)[9] is None


def test_lines_that_tell_of_the_same_count_once() -> None:
    lines = {id: _line("2026-08", "Bla") for id in range(LEAST)}
    of_two = {id: id % 2 for id in lines}
    assert set(anonymity.blurred(lines, ORDER, of_two).values()) == {None}
    more = lines | {id: _line("2026-08", "Bla") for id in range(10, 10 + LEAST - 2)}
    assert None not in anonymity.blurred(more, ORDER, of_two | {id: id for id in more if id >= 10}).values()


_ANY_LINE = st.builds(_line, st.sampled_from(["2026-07", "2026-08"]), st.sampled_from("ABCD"), st.sampled_from("fm"))


@given(st.lists(st.tuples(_ANY_LINE, st.integers(0, 30)), max_size=60), st.integers(2, 7))
def test_no_group_is_smaller_than_it_may_and_nothing_is_made_up(told: list[tuple[Ladders, int]], least: int) -> None:
    lines, sources = [each for each, _ in told], {id: source for id, (_, source) in enumerate(told)}
    said = anonymity.blurred(dict(enumerate(lines)), ORDER, sources, least)
    sizes = Counter(each for each, _ in {(str(each), sources[id]) for id, each in said.items() if each is not None})
    assert all(size >= least for size in sizes.values())
    assert all(each is None or all(each[name] in lines[id][name] for name in ORDER) for id, each in said.items())
