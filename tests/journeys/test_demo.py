"""`make demo`: the story is told, adds up, and would not if a complaint were missing or there twice."""

import re
import shutil
import signal
import socket
import termios
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlcipher3 import dbapi2 as sqlcipher

from fixtures.demo.__main__ import CHECKOUT, DATA, EXIT_DONE, EXIT_MISUSED, language
from fixtures.demo.count import HUB, count, database_key, open_hub_file
from fixtures.demo.recount import Month, recount
from tests.story import STORES, Told, free_port, start, told
from tests.terminal import Terminal

pytestmark = pytest.mark.ci
# A moment to call things late by, which none of the rows hangs on.
NOW = "2026-01-01T00:00:00Z"
STORY = r"""
This hub unlocks itself: .*
Mopti 2: 21 written, 21 here · cut (?P<cuts>\d+) times, 0 lost, 0 twice, (?P<kilobytes>\d+) KB
Sikasso 1: 24, sent twice on purpose, stored once
Ségou 3: 16, 15 here, 1 set aside \(form of 2024\)
hub killed in batch 7, back in (?P<seconds>\d+\.\d) s, same answers
61 written = 60 stored \+ 1 set aside
Mopti 2: a voice and 3 photos, (?P<size>\d+) KB in (?P<up>\d+) KB .*: the voice first, 4 of 4 arrived, .* it is noted
Mopti 2 and Sikasso 1 told .* in French and in Bambara: proposed in (?P<proposed>\d+\.\d) s · (?P<reasons>.*)
decided: they belong together; taken back: proposed, all is as before
One month of the network, .*
Legal aid\. Mopti 2 heard it in Djenné: .* Found: corroborated\. .*: Suspended sentence
  Mopti 2: told 8×, read 8×; last: “There is a result\. Result: it is before the courts\.”
One-stop centre for survivors\. Mopti 2 heard it in Mopti: .* Found: she chose a centre\. .*: Cared for
  Mopti 2: told 6×, read 6×; last: “There is a result\.”
Land commission\. Ségou 3 heard it in Niono: .* Found: corroborated\. .*: Dispute settled
  Ségou 3: told 8×, read 8×; last: “There is a result\. Result: an agreement was found\.”
Mediation, .*\. Sikasso 1 heard it in Koutiala: .* Found: inconclusive\. .*: The settlement harmed the person
  Sikasso 1: told 6×, read 6×; last: “Somebody is working on the complaint\.”
Visit to a place of detention\. Mopti 2 heard it in Bandiagara: .* Found: unverified\. .*: Released
  Mopti 2: told 7×, read 7×; last: “The work is finished\. .*”
Road corridor complaint\. Sikasso 1 heard it in Sikasso: .* Found: corroborated\. .*: Money returned
  Sikasso 1: told 7×, read 7×; last: “There is a result\. Result: the wrong is put right\.”
Electoral dispute\. Ségou 3 heard it in San: .* Found: unverified\. Election authority: Mistake corrected
  Ségou 3: told 7×, read 7×; last: “The work is finished\. .*”
Service not rendered\. Ségou 3 heard it in Ségou: .* Found: corroborated\. Commune: Service promised
  Ségou 3: told 5×, read 5×; last: “The body has answered\. .* Result: a promise was made\. .*”
Trafficking in persons\. Sikasso 1 heard it in Kadiolo: .* Found: unverified\. .*: Sheltered
  Sikasso 1: told 4×, read 4×; last: “An answer has come\.”
Conflict\. Mopti 2 .* of SRE-\d+-000066 in two ways: both are kept, and 1 waits for a person\.
  Mopti 2: told 1×, read 1×; last: .*
A clock of 2016\. Sikasso 1 wrote on 2016-01-01, .*; received on (?P<received_on>\S+), .* counts from (?P=received_on)\.
  Sikasso 1: told 2×, read 2×; last: .*
A lost device\. Mopti 3 is revoked: .* receipt hears: “Somebody is working on the complaint\.”
  Mopti 3: told 2×, read 0×; last: “Somebody is working on the complaint\.”
Consent taken back\. Ségou 3 heard it in Bla: .* asked to give it back; modibo was told that the body had it\.
  Ségou 3: told 4×, read 4×; last: “Somebody is working on the complaint\.”
For the commission\. Mopti 2 heard it in Mopti: Torture\. Found: corroborated\. It goes with the package.*
  Mopti 2: told 3×, read 3×; last: “A team is checking the facts\.”
For the commission\. Ségou 3 heard it in Macina: Threats, .* Found: unverified\. It goes with .*
  Ségou 3: told 2×, read 2×; last: “Somebody is working on the complaint\.”
Due on the last day, .*: Follow-up at 30 days 2 · .* · First triage 71, 71 late
Told to: awa: .* · fanta: .*1 task done.* · modibo: 1 consent taken back, .*1 person worse off than before
Figures of \d+-\d+: received 85 · processed 9 · women (?P<women>\d+) · youth (?P<youth>\d+)
87 written = 85 stored \+ 2 set aside
The quarter is over\. On \d+-(?:01|04|07|10)-01 the hub has prepared (?P<package>CNDH-\d{4}-T[1-4]-0001) .* itself: .*
  Withheld: 20 × The person did not choose this body · 4 × fewer than five are alike.* · 5 × violence .*
  For another body, .*: PNEF-\d{4}-T[1-4]-0001, 5 lines .*, 0 with the name\. Withheld: .* · 1 × The body is accused: .*
fanta has looked at it and sealed it: 6 identities were opened, .* nana lets it go: (?P=package)\.zip\.age, \d+ KB
The clerk, without Seere: (?P<programs>.*) files whole\. .* 6 lines without a name and 6 with the name, such as:
  P-\w{10} · Droits humains, sans dire lequel · Mopti · \d{4}-T[1-4] · 18 ans et plus
  P-\w{10} · Aminata Coulibaly; Seydou Coulibaly · Torture · Mopti · Mopti · \d{4}-\d\d-02 · 18 à 24 ans
She answers by accuse\.json: kept 10 · refused 2 \(“Corruption : .*”\)
  In the case SRE-\d+-\d{6}: kept there as (?P<file>CNDH/\d{4}/\d{4})\. Mopti 2 was told: “.*: (?P=file)\.”
A week later .* fanta prepares CNDH-\d{4}-T[1-4]-0002: with the name 1 · no longer valid 1 · changed 1\. .*
"""


@pytest.fixture(scope="module")
def story() -> Told:
    """The story, told with today's code."""
    return told(is_of_this_run=True)


@pytest.fixture
def stores(story: Told, tmp_path: Path) -> Path:
    """A copy of all stores as the story left them."""
    return Path(shutil.copytree(STORES, tmp_path / "stores"))


@pytest.fixture
def month(stores: Path) -> Month:
    """What a second process finds of the month."""
    return recount(stores, NOW)


def _change_hub(stores: Path, *statements: str) -> None:
    connection: Any = sqlcipher.connect(str(stores / HUB / "hub.db"), isolation_level=None)
    connection.execute(f"PRAGMA key = \"x'{database_key(stores)}'\"")
    for statement in statements:
        connection.execute(statement)
    connection.close()


def test_the_story_adds_up(story: Told) -> None:
    said = re.fullmatch(STORY.strip(), story.text.strip())
    assert said, story.text
    assert int(said["cuts"]) == 4
    # 21 complaints with what seals them and finds their duplicates, and what four cuts cost.
    assert 0 < int(said["kilobytes"]) < 40
    # Each cut costs a chunk at most, and what goes around it.
    assert int(said["size"]) <= int(said["up"]) < 1.5 * int(said["size"])
    # Words are compared as nobody can read them, under keys that no two hubs share: now and then not all agree.
    assert re.search("what the narrative tells: (nearly )?the same", said["reasons"])
    # Each of them once: what a line says, what stands in totals, what is withheld and what concerns others.
    whole = re.search(r"(\d+) stored = (.*) concern to it", story.text)
    assert whole
    assert int(whole[1]) == sum(map(int, re.findall(r"(?<![\w-])\d+", whole[2]))) == 85
    assert story.exit_code == EXIT_DONE


def test_a_second_reading_finds_the_same(stores: Path) -> None:
    counts = count(stores)
    assert (counts.total("written"), counts.stored, counts.aside) == (87, 85, 2)
    assert counts.adds_up


@dataclass(frozen=True)
class Became:
    """What rows and a device say of a story: its status, what each body answered, and what the device was told."""

    status: str
    found: str
    answers: dict[str, str | None]
    told: str


_WITHDRAWN = "acknowledged worked_on referred worked_on"
BECAME = {
    "legal_aid": Became(
        "resolved",
        "corroborated",
        {"aide-juridique-mopti": "suspended_sentence"},
        "acknowledged worked_on verifying referred body_answered body_answered worked_on resolved",
    ),
    # For a case that is strictly confidential, no body and no answer is named.
    "one_stop": Became(
        "resolved",
        "",
        {"one-stop-mopti": "cared_for"},
        "acknowledged worked_on referred_unnamed body_answered_unnamed worked_on resolved",
    ),
    "land_commission": Became(
        "resolved",
        "corroborated",
        {"cofo-niono": "settled"},
        "acknowledged worked_on verifying referred body_answered body_answered worked_on resolved",
    ),
    "mediation": Became(
        "in_progress",
        "inconclusive",
        {"mediateur": "harmful"},
        "acknowledged worked_on verifying referred body_answered worked_on",
    ),
    "detention_visit": Became(
        "closed",
        "",
        {"cndh-visite-mopti": "released"},
        "acknowledged worked_on referred body_answered worked_on resolved closed package_accepted",
    ),
    "corridor": Became(
        "resolved",
        "corroborated",
        {"corridor-sikasso": "amount_returned"},
        "acknowledged worked_on verifying referred body_answered worked_on resolved",
    ),
    "election": Became(
        "closed",
        "",
        {"elections": "corrected"},
        "acknowledged worked_on referred body_answered worked_on resolved closed",
    ),
    "service": Became(
        "referred",
        "corroborated",
        {"commune-segou": "promised"},
        "acknowledged worked_on verifying referred body_answered",
    ),
    "trafficking": Became(
        "referred", "", {"pjs": "sheltered"}, "acknowledged worked_on referred_unnamed body_answered_unnamed"
    ),
    "conflict": Became("acknowledged", "", {}, "acknowledged"),
    "clock": Became("in_progress", "", {}, "acknowledged worked_on"),
    "revoked": Became("in_progress", "", {}, "acknowledged worked_on"),
    "taken_back": Became("in_progress", "", {"cofo-bla": None}, _WITHDRAWN),
    "commission": Became("resolved", "corroborated", {}, "acknowledged worked_on verifying package_accepted resolved"),
    "gone_and_back": Became("in_progress", "", {}, "acknowledged worked_on package_accepted"),
}


def test_each_story_is_what_its_rows_and_its_device_say(month: Month) -> None:
    assert month.stories.keys() == BECAME.keys()
    for name, became in BECAME.items():
        outcome = month.stories[name]
        answers = {str(destination): answer for destination, _, _, _, answer in outcome.sent}
        assert Became(outcome.status, outcome.found, answers, " ".join(outcome.told)) == became, name
        assert outcome.adds_up, name


def test_what_went_wrong_in_the_month_is_in_its_rows(month: Month) -> None:
    stories = month.stories
    assert stories["one_stop"].done == [["choice", "chosen"]]
    assert stories["conflict"].conflicts == 1
    assert (stories["clock"].entered_on, stories["clock"].due_from) == ("2016-01-01", stories["clock"].received_on)
    assert (stories["revoked"].device_state, stories["revoked"].seen) == ("revoked", 0)
    assert ["modibo", "consent_taken_back"] in stories["taken_back"].notices
    assert stories["taken_back"].sent[0][3] == "recalled"
    assert ["modibo", "referral_harmful"] in stories["mediation"].notices


def test_figures_of_the_month_are_those_of_the_rows(story: Told, stores: Path, month: Month) -> None:
    said = re.fullmatch(STORY.strip(), story.text.strip())
    assert said
    assert (month.received, month.processed) == (85, 9)
    hub = open_hub_file(stores)
    count = "SELECT count(*) FROM person WHERE roles LIKE '%complainant%' AND"
    [[women], [youth]] = (hub.execute(f"{count} {which}").fetchone() for which in ("sex = 'f'", "age = '18-24'"))
    hub.close()
    assert (int(said["women"]), int(said["youth"])) == (women, youth)


def test_a_step_that_its_device_does_not_have_does_not_add_up(stores: Path) -> None:
    _change_hub(stores, "DELETE FROM told_step WHERE template = 'closed'")
    stories = recount(stores, NOW).stories
    assert {name for name, outcome in stories.items() if not outcome.adds_up} == {"detention_visit", "election"}


def test_a_complaint_that_is_missing_is_counted_lost(stores: Path) -> None:
    _change_hub(stores, "DELETE FROM complaint WHERE id = (SELECT max(id) FROM complaint)")
    counts = count(stores)
    assert counts.total("lost") == 1
    assert not counts.adds_up


def test_a_complaint_that_is_there_again_is_counted_twice(stores: Path) -> None:
    columns = "lineage, op, seq, hash, line, device, received_at"
    _change_hub(
        stores,
        f"INSERT INTO received (id, client_id, {columns})"
        f" SELECT 100000, '00000000-0000-4000-8000-000000000001', {columns} FROM received WHERE id = 1",
        "CREATE TEMP TABLE again AS SELECT * FROM complaint WHERE id = 1",
        "UPDATE again SET id = 100000",
        "INSERT INTO complaint SELECT * FROM again",
    )
    counts = count(stores)
    assert counts.total("twice") == 1
    assert not counts.adds_up


@pytest.mark.prove
def test_without_a_terminal_it_serves_until_it_is_stopped() -> None:
    port = free_port()
    with start(port, PYTHONUNBUFFERED="1") as running:
        assert running.stdout is not None
        assert any(f"http://127.0.0.1:{port}" in line for line in running.stdout)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/") as page:
            assert "<dd>85</dd>" in page.read().decode()
        running.send_signal(signal.SIGTERM)
        assert running.stdout.read().endswith("Stopped.\n")
    assert running.returncode == EXIT_DONE
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0
    shutil.rmtree(CHECKOUT / DATA / str(port))


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    """A terminal that hangs up at the end."""
    terminal = Terminal()
    yield terminal
    terminal.close()


# The whole story, and then keys that each wait for the one before.
@pytest.mark.prove
@pytest.mark.timeout(300)
def test_keys_cut_the_link_kill_the_hub_pass_time_and_stop(terminal: Terminal) -> None:
    port, settings = free_port(), termios.tcgetattr(terminal.theirs)
    running = start(port, at=terminal.theirs)
    try:
        terminal.read_until("Keys: ")
        terminal.press("cctkq")
        assert "on the devices 3 · at the hub 85 · set aside 2 · lost 0" in terminal.read_until("Link restored")
        assert "on the devices 0 · at the hub 88 · set aside 2 · lost 0" in terminal.read_until("Ten days have")
        passed = terminal.read_until("Hub killed and back")
        assert passed.count("silent for 10 days") == 3
        assert re.search(r"Follow-up at 30 days since \S+: SRE-\d+-000065, awa asks how it is", passed)
        assert "on the devices 0 · at the hub 91 · set aside 2 · lost 0" in terminal.read_until("Stopped.")
        assert running.wait() == EXIT_DONE
    finally:
        running.kill()
        running.wait()
    assert termios.tcgetattr(terminal.theirs) == settings
    shutil.rmtree(CHECKOUT / DATA / str(port))


def test_a_busy_port_is_said_and_another_offered() -> None:
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = busy.getsockname()[1]
        running = start(port)
        text, _ = running.communicate()
    assert text == f"Port {port} is busy. Try: make demo PORT={port + 1}\n"
    assert running.returncode == EXIT_MISUSED


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, "en"),
        ({"LANG": "C.UTF-8"}, "en"),
        ({"LANG": "en_GB.UTF-8"}, "en"),
        ({"LANG": "fr_ML.UTF-8"}, "fr"),
        ({"LANG": "bm_ML"}, "fr"),
        ({"LANG": "en_GB.UTF-8", "LC_ALL": "fr_FR.UTF-8"}, "fr"),
    ],
)
def test_it_speaks_english_where_the_locale_does_or_says_nothing(environ: dict[str, str], expected: str) -> None:
    assert language(environ) == expected
