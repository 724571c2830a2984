"""`seere duplicates`: a coordinator at the terminal reads a pair, decides, thinks again."""

import re
from collections.abc import Callable
from functools import partial

import pytest
import sqlalchemy as sa
from click.testing import Result

from server.domain.matching import complaints
from server.domain.matching.levels import Level
from server.domain.matching.link_ids import written
from server.hub import Hub
from server.i18n import LANGUAGES, catalogue
from server.services.accounts.people import Post
from server.store.match_tables import link, match_profile
from tests.builders import enrolled
from tests.matching import ENGLISH, links, match_all, report

Run = Callable[..., Result]
Join = Callable[..., Run]
_COORDINATOR = Post("coordinator", is_named_reader=True)


@pytest.fixture
def hub(folder_hub: Hub) -> Hub:
    return folder_hub


@pytest.fixture
def seere(join: Join) -> Run:
    """Runs `seere duplicates` as Awa, a coordinator for everything."""
    return partial(join("Awa", _COORDINATOR), "duplicates")


@pytest.fixture
def pair(hub: Hub) -> str:
    """The link of two reports that the matcher found, of no sample, as people type it."""
    report(enrolled(hub, "Gao 1", team="gao"), "a")
    report(enrolled(hub, "Mopti 1", team="mopti"), "b", names=("Exemplaire Fatoumata",), narrative=ENGLISH)
    match_all(hub)
    with hub.store.write() as connection:
        known = {"reasons": [("people", 5, 9.5), ("when", 1, -0.42)], "draw": 2**31 - 1, "shelf": link.c.band}
        known |= {"weight": 9.7, "was_scored": True}
        connection.execute(sa.update(link).values(known))
        connection.execute(sa.delete(link).where(link.c.relation != "same_incident"))
    [found] = links(hub).values()
    return written(found.id)


def test_pair_is_shown_read_decided_and_taken_back(seere: Run, hub: Hub, pair: str) -> None:
    numbers = [f"SRE-{hub.clock().year}-00000{at}" for at in (1, 2)]
    shown = seere("next")
    assert shown.exit_code == 0, shown.output
    assert f"Paire {pair} · le même fait ? · {numbers[0]} et {numbers[1]}" in shown.output
    assert "Proposition forte" in shown.output
    assert "+9,5  personnes nommées : pareil" in shown.output
    assert "-0,4  date : différent" in shown.output
    assert "Chaque point double les chances" in shown.output
    assert f"Décider : seere duplicates decide {pair} oui --as Awa (ou non)" in shown.output

    assert "30 paires au plus pour aujourd'hui, sur 30 par jour" in shown.output
    assert "La liste s'arrête ici" not in shown.output
    assert "La liste s'arrête ici : rien d'autre n'attend" in seere("next", "--limit", "5").output

    read = seere("explain", pair)
    assert "Le compte part de +0,6, la rareté d'une paire" in read.output
    assert "il arrive à +9,7," in read.output
    assert re.search(r"équipe : gao \| mopti", read.output)
    assert "quand : 03/10/2026 – 05/10/2026 (Jour sûr)" in read.output
    assert "Exemplaire" not in read.output + shown.output

    told = seere("decide", pair, "oui", "--reason", "personnes")
    assert told.exit_code == 0, told.output
    assert "elles vont ensemble" in told.output
    assert f"seere duplicates undo {pair} 1 --as Awa" in told.output
    assert f"2 plaintes ({numbers[0]}, {numbers[1]})" in seere("clusters", numbers[0]).output
    decided = seere("explain", pair).output
    assert "Pourquoi : les mêmes personnes" in decided
    assert f"seere duplicates undo {pair} 1 --as Awa" in decided
    assert seere("next").output.startswith("Aucune paire")

    assert "de nouveau : proposée" in seere("undo", pair, "1").output
    assert f"Paire {pair}" in seere("next").output


def test_command_that_is_printed_after_an_undo_is_accepted(seere: Run, pair: str) -> None:
    seere("decide", pair, "oui")
    seere("undo", pair, "1")
    for shown in (seere("next"), seere("explain", pair)):
        assert f"seere duplicates decide {pair} oui --after 2 --as Awa (ou non)" in shown.output
    assert seere("decide", pair, "oui", "--after", "2").exit_code == 0


def test_who_is_unsure_sees_the_pair_no_more_and_others_do(seere: Run, join: Join, pair: str) -> None:
    told = seere("decide", pair, "nesaispas").output
    assert f"Paire {pair} : sans avis (décision 1)." in told
    assert pair not in seere("next").output
    salif = partial(join("Salif", _COORDINATOR), "duplicates")
    assert pair in salif("next").output
    assert f"Décider : seere duplicates decide {pair} oui --as Salif (ou non)" in salif("explain", pair).output
    assert seere("undo", pair, "1").exit_code == 0
    assert pair in seere("next", "--further", "0").output


def test_second_opinion_is_offered_and_the_first_decision_stays(seere: Run, join: Join, hub: Hub, pair: str) -> None:
    seere("decide", pair, "oui")
    salif = partial(join("Salif", _COORDINATOR), "duplicates")
    assert f"seere duplicates decide {pair} oui --second --as Salif" in salif("explain", pair, "--blind").output
    refused = salif("decide", pair, "non").stderr
    assert "Awa a décidé entre-temps" in refused
    assert "--second" in refused
    assert "la première décision reste" in salif("decide", pair, "non", "--second").output
    assert "--second" not in salif("explain", pair, "--blind").output
    assert links(hub).popitem()[1].state == "confirmed"


@pytest.mark.parametrize("command", ["next", "estimates"])
def test_account_that_handles_no_complaints_is_told_so(join: Join, command: str) -> None:
    refused = join("Bintou", Post("administrator"))("duplicates", command)
    assert (refused.exit_code, "ce compte ne traite pas de plaintes" in refused.stderr) == (1, True)


def test_reasons_of_an_earlier_decision_are_told_once_where_they_are_the_same(
    seere: Run, hub: Hub, pair: str
) -> None:
    seere("decide", pair, "oui")
    assert seere("explain", pair).output.count("personnes nommées") == 1
    with hub.store.write() as connection:
        connection.execute(sa.update(link).values(probability=0.5))
    assert seere("explain", pair).output.count("personnes nommées") == 2


def test_reason_that_weighs_the_other_way_than_it_reads_is_called_a_correction(
    seere: Run, hub: Hub, pair: str
) -> None:
    reasons = [("wording", 1, 1.4), ("same_victim_and_sum", None, -0.6), ("when", 1, -4.8)]
    with hub.store.write() as connection:
        connection.execute(sa.update(link).values(reasons=reasons))
    shown = seere("next").output
    assert "mots du récit : différent (corrige ce qui est déjà compté ailleurs)" in shown
    assert "même victime et même somme (corrige" in shown
    assert "date : différent\n" in shown


@pytest.mark.parametrize(
    ("probability", "said"), [(0.9999, "plus de 99 chances"), (0.97, " 97 chances"), (0.0001, "moins de 1 chances")]
)
def test_nobody_says_that_something_is_certain(
    seere: Run, hub: Hub, pair: str, probability: float, said: str
) -> None:
    with hub.store.write() as connection:
        connection.execute(sa.update(link).values(probability=probability))
    assert said in seere("next").output


def test_question_on_the_same_two_complaints_is_announced(seere: Run, hub: Hub, pair: str) -> None:
    with hub.store.write() as connection:
        row = dict(connection.execute(sa.select(link)).mappings().one())
        del row["id"]
        again = row | {"relation": "same_complainant", "model": "same_complainant-1"}
        connection.execute(sa.insert(link).values(again))
    assert "Les deux mêmes plaintes attendent aussi une autre réponse" in seere("next").output


def test_decision_is_taken_back_by_its_number_alone(seere: Run, pair: str) -> None:
    seere("decide", pair, "oui")
    assert seere("undo", pair).exit_code == 2
    assert "elles vont ensemble" in seere("explain", pair).output


def test_complaint_that_says_too_little_to_be_compared_is_said_to(seere: Run, hub: Hub, pair: str) -> None:
    number = f"SRE-{hub.clock().year}-000002"
    assert "trop peu" not in seere("explain", pair).output
    with hub.store.write() as connection:
        connection.execute(sa.update(match_profile).where(match_profile.c.complaint == 2).values(is_matchable=False))
    assert f"{number} en dit trop peu" in seere("explain", pair).output


def test_words_and_codes_that_are_none_are_refused(seere: Run, pair: str) -> None:
    for arguments in (("decide", pair, "peut-être"), ("decide", pair, "oui", "--reason", "Fanta"), ("undo", "12", "1")):
        assert seere(*arguments).exit_code == 2
    assert "oui : elles vont ensemble" in seere("decide", pair, "peut-être").stderr
    assert "3f9a0-27bc1" in seere("undo", "12", "1").stderr
    wrong = seere("decide", pair, "oui", "--reason", "erreur")
    assert (wrong.exit_code, "homonyme, autre-date" in wrong.stderr) == (2, True)
    assert seere("decide", pair.upper().replace("-", ""), "rejected", "--reason", "other").exit_code == 0


def test_both_decisions_are_told_where_one_came_too_late(seere: Run, pair: str) -> None:
    seere("decide", pair, "non")
    late = seere("decide", pair, "oui")
    assert late.exit_code == 1
    lines = [line.strip() for line in late.stderr.splitlines()]
    assert "Avant : elles ne vont pas ensemble. Cela vaut." in lines
    assert "Maintenant : elles vont ensemble. Cela n'est pas gardé." in lines
    after = re.search(r"--after (\d+)", late.stderr)
    assert after is not None
    assert seere("decide", pair, "oui", "--after", after[1]).exit_code == 0


def test_pair_of_a_sample_is_shown_without_score_or_reasons(seere: Run, hub: Hub, pair: str) -> None:
    with hub.store.write() as connection:
        connection.execute(sa.update(link).values(draw=0, shelf="blind", was_scored=False))
    for shown in (seere("next"), seere("explain", pair)):
        assert "À juger par vous-même" in shown.output
        assert "Proposition" not in shown.output
    seere("decide", pair, "oui")
    assert "Jugée sans aide" in seere("explain", pair).output
    told = seere("estimates").output
    assert "propositions fortes : environ 1 paire, 1 jugée, 1 va ensemble" in told
    assert "100 sur 100 (entre 2 et 100" in told


def test_recall_that_waits_for_other_bands_says_so(seere: Run, hub: Hub, pair: str) -> None:
    with hub.store.write() as connection:
        connection.execute(sa.update(link).values(draw=0, shelf="blind", was_scored=False))
    assert "aucune de ces paires n'a été jugée sans aide" in seere("estimates").output
    seere("decide", pair, "oui")
    report(enrolled(hub, "Kidal 1", team="kidal"), "c")
    match_all(hub)
    with hub.store.write() as connection:
        connection.execute(sa.update(link).where(link.c.state == "proposed").values(draw=0, band="possible"))
    assert "trop peu de paires ont été jugées sans aide dans les autres rangs" in seere("estimates").output


def test_statement_is_opened_on_request_alone_and_the_log_knows(seere: Run, hub: Hub, pair: str) -> None:
    assert "demandé de l'argent" not in seere("explain", pair).output
    opened = seere("explain", pair, "--open", "statement").output
    assert opened.count("récit : On m'a demandé de l'argent") == 2
    with hub.store.read() as connection:
        opened = connection.scalar(sa.text("SELECT count(*) FROM event WHERE action = 'open'"))
    assert opened == 2


def test_identity_that_is_nobodys_yet_is_refused_with_the_way_to_it(seere: Run, hub: Hub, pair: str) -> None:
    refused = seere("explain", pair, "--open", "identity", "--reason", "comparer")
    assert refused.exit_code == 1
    assert f"seere assign SRE-{hub.clock().year}-000001 " in refused.output


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_reason_of_a_shipped_model_has_its_words(language: str) -> None:
    texts = catalogue(language)
    names = [f"field_{field}" for field in complaints.FORM.fields]
    names += [f"together_{each.name}" for of in complaints.RELATIONS for each in complaints.shipped(of).interactions]
    names += [f"level_{level.value}" for level in Level if level]
    assert all(texts.text(f"duplicates.{name}") for name in names)


@pytest.mark.parametrize("command", [("explain",), ("decide", "oui"), ("undo", "1")])
def test_what_is_not_there_is_refused(seere: Run, pair: str, command: tuple[str, ...]) -> None:
    assert pair
    refused = seere(command[0], "00000-00404", *command[1:])
    assert (refused.exit_code, "00000-00404" in refused.stderr) == (1, True)
