"""Lines of a package: what consent lets out, and nothing that tells fewer than five apart."""

from collections import Counter
from dataclasses import replace
from itertools import product

import pytest

from server.domain.anonymity import LEAST
from server.domain.referral import PARTS
from server.domain.release import COLUMNS, Candidate, Named, Somewhere, Victim, line, shown, victim

FACTS = frozenset({"facts"})
AISSATA = Named("Aïssata Inventée", "+223 00 00 00 00")
ONE = Candidate(
    complaint=1,
    case=None,
    ref="P-AAAA2222BB",
    consent="C2",
    parts=FACTS,
    received="2026-T3",
    received_month="2026-08",
    happened="2026-08-14",
    where=Somewhere("ml-r-segou", "ml-c-bla", "ml-m-bla"),
    kind="HR-ARR",
    author="police",
    victim=Victim("f", "18-24", 1),
    verification="corroborated",
    verified_late=False,
    status="in_progress",
    urgency="U2",
    summary="Arrêtée au marché, libérée contre paiement.",
    summary_tells_cercle=False,
)
NAMED = replace(ONE, complaint=9, consent="C3", parts=frozenset({"facts", "identity"}))


def _alike(many: int) -> list[Candidate]:
    return [replace(ONE, complaint=id, ref=f"P-{id}") for id in range(1, many + 1)]


def test_line_without_a_name_says_a_cercle_and_a_month_at_the_nearest() -> None:
    made = line(ONE, shown(_alike(LEAST))[1], None)
    assert made.shape == "line"
    assert made.said["happened"] == "2026-08"
    assert (made.said["region"], made.said["cercle"]) == ("ml-r-segou", "ml-c-bla")
    assert not {"commune", "name", "phone"} & made.said.keys()
    assert made.said["summary"] == ONE.summary


def test_few_that_are_alike_say_less_and_one_alone_has_no_line() -> None:
    four = _alike(LEAST - 1)
    elsewhere = replace(ONE, complaint=77, where=Somewhere("ml-r-segou", "ml-c-niono", ""))
    said = shown([*four, elsewhere])
    assert all(line(each, said[each.complaint], None).said.get("cercle") is None for each in (*four, elsewhere))
    assert line(elsewhere, said[77], None).said["happened"] == "2026-T3"
    assert shown([ONE])[1] is None
    with pytest.raises(ValueError, match="without a name"):
        line(ONE, None, None)


def test_named_line_is_of_whom_consent_names_and_a_telephone_of_whom_it_lets_be_called() -> None:
    made = line(NAMED, None, AISSATA)
    assert (made.shape, made.said["name"], made.said["happened"]) == ("named", AISSATA.name, "2026-08-14")
    assert "phone" not in made.said
    may_be_called = replace(NAMED, consent="C4", parts=NAMED.parts | {"contacts"})
    assert line(may_be_called, None, AISSATA).said["phone"] == AISSATA.phone
    with pytest.raises(ValueError, match="named"):
        line(NAMED, None, None)


def test_named_lines_do_not_hide_among_the_others_nor_hide_them() -> None:
    said = shown([*_alike(LEAST - 1), NAMED])
    assert NAMED.complaint not in said
    assert set(said.values()) == {None}


@pytest.mark.parametrize(
    "parts", [set(each) for n in range(16) if (each := [p for i, p in enumerate(PARTS) if n >> i & 1])]
)
def test_nothing_stands_in_a_line_but_its_columns(parts: set[str]) -> None:
    candidate = replace(ONE, parts=frozenset(parts))  # type: ignore[arg-type]
    named = AISSATA if candidate.is_named else None
    said = None if named else shown([replace(candidate, complaint=id) for id in range(1, LEAST + 1)])[1]
    made = line(candidate, said, named)
    assert list(made.said) == [name for name in COLUMNS if name in made.said]
    assert ("name" in made.said) == ("identity" in parts)
    assert ("phone" in made.said) == ({"identity", "contacts"} <= parts)


def test_no_group_of_lines_is_below_five_whatever_a_quarter_brings() -> None:
    kinds, cercles, ages = ("HR-ARR", "HR-TOR", "COR-EXT"), ("ml-c-bla", "ml-c-niono"), ("18-24", "12-17", "60+")
    several = [
        replace(
            ONE, complaint=id, kind=kind, where=Somewhere("ml-r-segou", cercle, ""), victim=Victim("f", age, 1 + id % 7)
        )
        for id, (kind, cercle, age, _) in enumerate(product(kinds, cercles, ages, range(3)))
    ]
    said = shown(several)
    sizes = Counter(str(sorted(each.items())) for each in said.values() if each is not None)
    assert sizes
    assert min(sizes.values()) >= LEAST


def test_neighbours_who_tell_of_the_same_man_do_not_hide_him() -> None:
    of_one_case = [replace(each, case=40) for each in _alike(LEAST + 2)]
    assert set(shown(of_one_case).values()) == {None}
    of_others = [replace(ONE, complaint=id, case=id) for id in range(40, 40 + LEAST)]
    said = shown([*of_one_case, *of_others[1:]])
    assert None not in said.values()
    # A case and a complaint without one are not the same for having the same number.
    alone = [replace(each, complaint=each.complaint + 100, case=None) for each in of_others[:2]]
    known = [replace(each, case=140 + at) for at, each in enumerate(of_others[: LEAST - 2])]
    assert None not in shown([*known, *alone]).values()


def test_line_without_a_name_says_of_consent_what_it_goes_by() -> None:
    chose_nobody = [replace(each, consent="C4") for each in _alike(LEAST)]
    assert line(chose_nobody[0], shown(chose_nobody)[1], None).said["consent"] == "C2"
    assert line(NAMED, None, AISSATA).said["consent"] == "C3"


def test_summary_that_tells_the_cercle_goes_with_lines_that_do() -> None:
    near = [replace(each, summary="Arrêtée à Bla.", summary_tells_cercle=True) for each in _alike(LEAST - 1)]
    elsewhere = replace(ONE, complaint=77, where=Somewhere("ml-r-segou", "ml-c-niono", ""))
    said = shown([*near, elsewhere])
    assert "summary" not in line(near[0], said[1], None).said
    assert line(elsewhere, said[77], None).said["summary"] == ONE.summary
    more = shown([*near, replace(near[0], complaint=50)])
    assert line(near[0], more[1], None).said["summary"] == "Arrêtée à Bla."
    assert line(replace(near[0], parts=NAMED.parts), None, AISSATA).said["summary"] == "Arrêtée à Bla."


def test_several_victims_are_told_apart_only_where_they_are_alike() -> None:
    assert victim([("f", "18-24", 1), ("f", "25-59", 2)]) == Victim("f", "several", 3)
    assert victim([]) == Victim("", "", 0)
