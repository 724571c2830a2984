"""Profiles: two reports of one incident share keys, whoever told them; and nothing in a profile can be read."""

from typing import Any

import pytest

from server.domain.matching import composites, profiles
from server.domain.matching.composites import blocking_keys
from server.domain.matching.profiles import EMPTY, Profile, Told, renewed

PEPPER = bytes(range(32))


def told(**changes: Any) -> Told:
    known: dict[str, Any] = {
        "kinds": ("COR-RACKET", "HR-THR"),
        "place_id": "ml-c-gao",
        "incident_from": "2026-10-03",
        "incident_to": None,
        "precision": "day",
        "amounts": (15_000,),
        "bodies": ("police", "customs"),
        "roles": {1: ("complainant", "victim")},
    }
    return Told(**known | changes)


def profile(
    facts: Told | None = None,
    *,
    names: tuple[str, ...] = ("Fanta Exemplaire",),
    phones: tuple[str, ...] = (),
    found: tuple[str, ...] = (),
    said: str = "Kouakourou, près du marché",
    pepper: bytes = PEPPER,
) -> Profile:
    return renewed(
        EMPTY,
        [
            profiles.of_facts(facts or told(), None, pepper),
            profiles.of_identity(list(enumerate(names, 1)), phones, pepper),
            profiles.of_statement(found, ["=money", "mouton"], bytes(range(64)), [], [], pepper),
            profiles.of_traces(None, said, None, pepper),
        ],
    )


def shared(ours: Profile, theirs: Profile) -> set[int]:
    return set(blocking_keys(ours, PEPPER)) & set(blocking_keys(theirs, PEPPER))


BARE = told(kinds=("HR-TOR",), place_id=None, incident_from=None, amounts=())


@pytest.mark.parametrize(
    "theirs",
    [
        profile(BARE, names=("EXAMPLAIRE Fanta",), said=""),
        profile(BARE, names=(), found=("Fanta Exemplaire",), said=""),
        profile(BARE, names=("Fanta Autrement",), said="Kwakuru"),
        profile(told(kinds=("HR-TOR",), amounts=(), incident_from="2026-10-09"), names=("Fanta",), said=""),
        profile(told(amounts=()), names=(), said="village de Kouakourou"),
    ],
    ids=["name in another order", "name in the narrative", "name and village by sound", "name, cercle, week", "what"],
)
def test_reports_that_share_two_facts_share_a_key(theirs: Profile) -> None:
    ours = Profile(profile().veils, {k: v for k, v in profile().numbers.items() if k not in ("sm", "sp")})
    assert shared(ours, Profile(theirs.veils, {k: v for k, v in theirs.numbers.items() if k not in ("sm", "sp")}))


@pytest.mark.parametrize("name", ["Traoré", "Kodio", "Mamadou"])
def test_name_that_many_bear_is_in_no_key_by_itself(name: str) -> None:
    assert blocking_keys(profile(names=(name,), found=(name,)), PEPPER) == blocking_keys(profile(names=()), PEPPER)
    where = renewed(EMPTY, [profiles.of_traces(None, f"Kouakourou, chez {name}", None, PEPPER)])
    assert len(where.numbers[profiles.SAID]) == 1


def test_two_parts_that_many_bear_are_in_no_key_of_a_place_alone() -> None:
    timeless = told(incident_from=None, bodies=())
    without = blocking_keys(profile(timeless, names=()), PEPPER)
    assert blocking_keys(profile(timeless, names=("Mamadou Traoré",)), PEPPER) == without
    assert set(blocking_keys(profile(timeless, names=("Mamadou Zanzibarre",)), PEPPER)) > set(without)


def test_pair_that_most_bear_has_as_many_keys_as_one_that_fewer_do() -> None:
    keys = [blocking_keys(profile(names=(name,)), PEPPER) for name in ("Mamadou Traoré", "Moussa Samaké")]
    without = len(blocking_keys(profile(names=()), PEPPER))
    assert len(keys[0]) > without
    # The rarer one stands with the cercle alone as well.
    assert len(keys[0]) == len(keys[1]) - 1


def test_rare_part_of_a_name_is_in_keys_of_a_place_and_a_time_only() -> None:
    without = set(blocking_keys(profile(names=()), PEPPER))
    assert set(blocking_keys(profile(names=("Zanzibarre",)), PEPPER)) > without
    timeless = profile(told(incident_from=None), names=("Zanzibarre",))
    assert blocking_keys(timeless, PEPPER) == blocking_keys(profile(told(incident_from=None), names=()), PEPPER)


def test_no_key_is_of_a_pivot_that_may_be_a_name() -> None:
    def stated(*pivots: str) -> Profile:
        return renewed(profile(), [profiles.of_statement([], pivots, b"", [], [], PEPPER)])

    money_and_road = blocking_keys(stated("=money", "=road"), PEPPER)
    assert blocking_keys(stated("=money", "=road", "traore", "coulibal"), PEPPER) == money_and_road
    assert set(money_and_road) > set(blocking_keys(stated(), PEPPER))


def test_every_key_but_a_telephones_comes_of_two_facts_or_more() -> None:
    busy = profile(names=("Fanta Exemplaire", "Awa Exemple"), phones=("00001234",), found=("Modibo Inventé",))
    assert all(len(atoms) > 1 for _, atoms in composites.composites(busy))


def test_keys_are_bounded_whatever_is_told() -> None:
    names = tuple(f"Prenom{letter} Nom{letter}" for letter in "abcdefghijkl")
    assert len(blocking_keys(profile(names=names, found=names), PEPPER)) == composites.KEYS_MOST


def test_nothing_is_alike_under_another_pepper() -> None:
    other = bytes(32)
    assert not set(blocking_keys(profile(), PEPPER)) & set(blocking_keys(profile(pepper=other), other))
    same, differing = profile().numbers, profile(pepper=other).numbers
    # Days, sums and roles are numbers of their own.
    assert {label for label in same if same[label] == differing[label]} == {"fw", "fm", "fr"}


def test_later_word_of_one_compartment_replaces_only_that() -> None:
    before = profile(found=("Modibo Inventé",))
    after = renewed(before, [profiles.of_identity([(1, "Awa Exemple")], [], PEPPER)])
    assert after.numbers["i1"] != before.numbers["i1"]
    assert {**after.numbers, "i1": ()} == {**before.numbers, "i1": ()}


def test_compartment_that_says_nothing_any_more_is_empty() -> None:
    after = renewed(profile(), [profiles.of_identity([], [], PEPPER), profiles.of_traces(None, "", None, PEPPER)])
    assert not {label for label in (*after.veils, *after.numbers) if label[0] in "it"}


@pytest.mark.parametrize(
    ("precision", "first", "last", "days"),
    [
        ("day", "2026-10-03", None, ("2026-10-03", "2026-10-03")),
        ("day", "2026-10-03", "2026-10-05", ("2026-10-03", "2026-10-05")),
        ("week", "2026-10-05", None, ("2026-10-05", "2026-10-11")),
        ("month", "2026-10-09", None, ("2026-10-01", "2026-10-31")),
        ("year", "2026-10-09", None, ("2026-01-01", "2026-12-31")),
        ("estimate", "2026-10-16", None, ("2026-10-01", "2026-10-31")),
    ],
)
def test_day_means_as_much_as_its_precision_says(precision: str, first: str, last: str, days: tuple[str, str]) -> None:
    made = profiles.of_facts(told(incident_from=first, incident_to=last, precision=precision), None, PEPPER)
    expected = profiles.of_facts(told(incident_from=days[0], incident_to=days[1]), None, PEPPER)
    assert made.numbers["fw"] == expected.numbers["fw"]


def test_day_that_nobody_knows_is_none() -> None:
    assert profiles.of_facts(told(precision="unknown"), None, PEPPER).numbers["fw"] == ()


@pytest.mark.parametrize("name", ["Gendarmerie Nationale", "Mairie de Konna", "Police"])
def test_office_in_a_narrative_is_nobodys_name(name: str) -> None:
    assert not renewed(EMPTY, [profiles.of_statement([name], [], b"", [], [], PEPPER)]).names()


@pytest.mark.parametrize(
    ("facts", "names", "said", "lacking"),
    [
        (told(), ("Fanta",), "Kouakourou", set()),
        (told(incident_from=None), ("Fanta",), "", set()),
        (told(), (), "", set()),
        (told(incident_from=None), (), "Kouakourou", set()),
        (told(incident_from=None), (), "", {"who", "when"}),
        (told(place_id=None, incident_from=None), ("Fanta",), "près du marché", {"where", "when"}),
    ],
)
def test_complaint_is_matchable_by_two_of_who_where_and_when_or_a_story_of_a_village(
    facts: Told, names: tuple[str, ...], said: str, lacking: set[str]
) -> None:
    assert profiles.why_unmatchable(profile(facts, names=names, said=said)) == lacking


def test_packed_profile_is_small_and_comes_back_whole() -> None:
    typical = profile(names=("Fanta Exemplaire", "Awa Exemple"), phones=("00001234",), found=("Modibo Inventé",))
    packed = profiles.pack_profile(typical)
    assert profiles.unpack_profile(packed) == typical
    assert len(packed) <= 768


def test_every_part_of_a_packed_profile_comes_back_whatever_its_numbers() -> None:
    numbers = {label: (0, 1, 255, 256, 2**24, 2**32 - 1)[at % 3 :] for at, label in enumerate(profiles._LABELS[2:])}
    said = Profile({}, numbers | {"i0": (0,), "i999": (2**32 - 1,), "s5": (7, 8)})
    assert profiles.unpack_profile(profiles.pack_profile(said)) == said
    assert profiles.unpack_profile(profiles.pack_profile(EMPTY)) == EMPTY


@pytest.mark.parametrize("name", ["Awa Ba", "Abdoulaye Sanankouatoumbou", "Fatoumata Traoré"])
def test_size_of_a_packed_profile_tells_nothing_of_a_name(name: str) -> None:
    assert len(profiles.pack_profile(profile(names=(name,)))) == len(profiles.pack_profile(profile()))
