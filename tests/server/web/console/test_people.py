"""People in a browser: who has which account and keys, and closing the account of somebody who leaves."""

import logging
import re
from dataclasses import dataclass
from typing import Any

import pytest
from werkzeug.test import TestResponse

from server.domain.permission import OPERATOR
from server.hub import Hub
from server.services.accounts import people
from server.services.accounts.people import Made, Post
from server.store import audit, recipients
from server.store.accounts import Account
from server.store.audit import Event
from tests.browsing import WORDS, Browser, person_at
from tests.builders import Clock, app_of, complaint, enrolled

LIST = "/console/people"
WHY = "décidé en réunion d'équipe"


@dataclass(frozen=True)
class Secrets:
    """What is shown once to whoever made or reset an account."""

    words: str
    secret: str | None


def make(hub: Hub, name: str, post: Post) -> str:
    """An account that nobody logged in to; gives its id."""
    return people.make(hub.store, hub.secrets.totp, OPERATOR, name, post, WORDS, hub.clock()).account.id


def row(browser: Browser, name: str) -> str:
    """The words in the row of somebody."""
    found = re.search(rf"<tr><th scope=\"row\">(?:<a[^>]*>)?<b>{name}</b>.*?</tr>", browser.get(LIST).text, re.DOTALL)
    assert found is not None
    return " ".join(re.sub(r"<[^>]+>", " ", found[0]).split())


def account(hub: Hub, name: str) -> Account:
    return next(each for each in people.listed(hub.store, OPERATOR) if each.name == name)


def id_of(hub: Hub, name: str) -> str:
    return account(hub, name).id


def held_by(hub: Hub, name: str) -> set[str]:
    """The ids of the keys that an account holds."""
    with hub.store.read() as connection:
        return {each.kid for each in recipients.of_account(connection, id_of(hub, name)) if each.state == "current"}


def all_acts(hub: Hub) -> list[Event]:
    with hub.store.read() as connection:
        return [event for _, event in audit.events(connection)]


def last_act(hub: Hub, action: str) -> Event:
    return [event for event in all_acts(hub) if event.action == action][-1]


def secrets_in(text: str) -> Secrets:
    """What a page shows once."""
    words = re.search(r'<ol class="six-words">(.*?)</ol>', text)
    secret = re.search(r'class="code small"[^>]*>([A-Z2-7]+)<', text)
    said = " ".join(re.findall(r"<li>(.*?)</li>", words[1])) if words else ""
    return Secrets(said, secret[1] if secret else None)


def add(browser: Browser, **said: Any) -> TestResponse:
    browser.get(f"{LIST}/new")
    return browser.post(f"{LIST}/new", **({"language": "fr"} | said))


def added(browser: Browser, **said: Any) -> Secrets:
    answer = add(browser, **said)
    assert answer.status_code == 200
    return secrets_in(answer.text)


def taken_back(browser: Browser, page: str) -> None:
    """Press the bar that takes back what was just done."""
    bar = re.search(r'<form class="undo" method="post" action="([^"]+)"(.*?)</form>', browser.get(page).text, re.DOTALL)
    assert bar is not None
    fields = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', bar[2]))
    assert browser.post(bar[1], **fields).status_code == 303


def test_row_tells_role_scope_keys_and_the_day_of_the_last_login(hub: Hub, administrator: Browser) -> None:
    make(hub, "Moussa", Post("verifier", teams=["gao"]))
    person_at(hub, "Fanta", "coordinator", regions=["ml-r-gao"], is_named_reader=True)
    assert row(administrator, "Moussa").startswith("Moussa Vérificateur gao – pas encore publiée jamais actif")
    fanta = row(administrator, "Fanta")
    assert fanta.startswith("Fanta Coordinateur Gao oui pas encore publiée 21 nov. 2026 actif")
    assert row(administrator, "nationale").startswith("nationale Coordinateur tout oui en service jamais actif")
    assert row(administrator, "Issa") == "Issa Administrateur tout – – 21 nov. 2026 actif"


def test_account_whose_keys_are_gone_is_said_to_have_none(hub: Hub, administrator: Browser) -> None:
    make(hub, "Moussa", Post("verifier"))
    key, now = hub.secrets.totp, hub.clock()
    people.set_post(hub.store, key, OPERATOR, "Moussa", Post("monitor"), now)
    people.set_post(hub.store, key, OPERATOR, "Moussa", Post("verifier"), now)
    assert "sans clé" in row(administrator, "Moussa")


def test_account_is_closed_once_its_name_was_typed(hub: Hub, administrator: Browser) -> None:
    leaver = person_at(hub, "Fanta", "coordinator")
    address = f"{LIST}/{id_of(hub, 'Fanta')}/leave"
    assert "Fermer le compte de Fanta" in administrator.get(address).text
    assert administrator.post(address, name="Moussa", reason=WHY).status_code == 422
    assert administrator.post(address, name="Fanta", reason="part").status_code == 422
    assert account(hub, "Fanta").state == "active"
    assert administrator.post(address, name=" fanta ", reason=WHY).location == LIST
    assert account(hub, "Fanta").state == "left"
    assert leaver.get("/console/account").location.startswith("/login")
    assert administrator.get(address).status_code == 404
    assert "parti le 21 nov. 2026" in row(administrator, "Fanta")
    assert last_act(hub, "end_account").words == WHY


def test_added_person_enters_by_the_words_shown_once_and_chooses_others_first(hub: Hub, administrator: Browser) -> None:
    shown = added(administrator, name="Fanta", role="coordinator", regions=["ml-r-gao"], named="yes", language="en")
    made = account(hub, "Fanta")
    assert (made.role, made.regions, made.is_named_reader, made.language) == ("coordinator", ["ml-r-gao"], True, "en")
    fanta = Browser(app_of(hub))
    fanta.log_in(Made(made, shown.secret), hub, shown.words)
    assert fanta.get("/console/inbox").location == "/console/account"
    assert "Choose your passphrase" in fanta.get("/console/account").text
    assert fanta.post("/console/complaints").location == "/console/account"
    again = fanta.post("/console/account/passphrase", old=shown.words, new=shown.words, again=shown.words)
    assert (again.status_code, "old passphrase again" in again.text) == (400, True)
    fanta.post("/console/account/passphrase", old=shown.words, new=WORDS, again=WORDS)
    assert fanta.get("/console/inbox").status_code == 200
    assert "Sessions ouvertes" not in fanta.get("/console/account").text
    assert account(hub, "Fanta").change_by is None
    made_by = last_act(hub, "make_account")
    assert (made_by.actor.startswith("account:"), b'"named":true' in made_by.canonical) == (True, True)


def test_words_let_nobody_in_once_their_days_are_over(hub: Hub, administrator: Browser) -> None:
    shown = added(administrator, name="Moussa", role="monitor")
    assert isinstance(hub.clock, Clock)
    hub.clock.pass_(days=3, seconds=1)
    moussa = Browser(app_of(hub))
    refused = moussa.log_in(Made(account(hub, "Moussa"), None), hub, shown.words)
    assert refused.status_code != 303
    assert moussa.get("/console/account").location.startswith("/login")


def test_what_was_shown_once_is_in_no_address_no_cookie_and_no_log(
    hub: Hub, administrator: Browser, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    answer = add(administrator, name="Fanta", role="coordinator")
    shown = secrets_in(answer.text)
    assert answer.headers["Cache-Control"] == "no-store"
    kept = str(all_acts(hub)) + administrator.cookie + str([vars(each) for each in caplog.records])
    assert not any(each in kept for each in (shown.words, shown.words.split()[0] + " " + shown.words.split()[1]))
    assert shown.secret is not None
    assert shown.secret not in kept
    done = administrator.get(f"{LIST}/noted")
    assert (done.location, "Set-Cookie" in done.headers) == (LIST, True)
    assert shown.secret not in administrator.get(LIST).text


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ({"name": "Fanta"}, "Choisissez un rôle"),
        ({"name": "", "role": "monitor"}, "1 à 80 caractères"),
        ({"name": "ISSA", "role": "monitor"}, "déjà pris"),
        ({"name": "Fanta", "role": "auditor", "named": "yes"}, "il faut un rôle qui a des clés"),
        ({"name": "Fanta", "role": "monitor", "regions": ["ml-r-gao", "nulle-part"]}, "n&#39;est pas dans la liste"),
        ({"name": "Fanta", "role": "monitor", "teams": "x" * 81}, "80 caractères au plus"),
        ({"name": "Fanta", "role": "monitor", "language": "tlh"}, "Choisissez une langue"),
    ],
)
def test_form_that_cannot_be_keeps_what_was_typed(
    hub: Hub, administrator: Browser, said: dict[str, Any], sentence: str
) -> None:
    known = len(people.listed(hub.store, OPERATOR))
    answer = add(administrator, **({"partners": "maison des femmes"} | said))
    assert (answer.status_code, sentence in answer.text) == (422, True)
    assert 'value="maison des femmes"' in answer.text
    assert len(people.listed(hub.store, OPERATOR)) == known


def test_role_and_scope_change_at_once_for_a_reason_and_are_taken_back(hub: Hub, administrator: Browser) -> None:
    binta = person_at(hub, "Binta", "coordinator", regions=["ml-r-gao"], teams=["gao", "ansongo"])
    address = f"{LIST}/{id_of(hub, 'Binta')}"
    assert re.search(r'value="ml-r-gao" checked', administrator.get(address).text)
    narrower = {"role": "verifier", "regions": ["ml-r-gao"], "teams": "gao"}
    assert administrator.post(address, **narrower).status_code == 422
    assert binta.get("/console/inbox").status_code == 200
    assert administrator.post(address, **narrower, reason=WHY).location == address
    assert binta.get("/console/inbox").location.startswith("/login")
    assert (account(hub, "Binta").role, account(hub, "Binta").teams) == ("verifier", ["gao"])
    assert last_act(hub, "set_post").words == WHY
    taken_back(administrator, address)
    assert (account(hub, "Binta").role, account(hub, "Binta").teams) == ("coordinator", ["ansongo", "gao"])
    assert account(hub, "Binta").regions == ["ml-r-gao"]


def test_role_that_needs_a_second_factor_shows_it_and_one_without_keys_is_not_taken_back(
    hub: Hub, administrator: Browser
) -> None:
    make(hub, "Moussa", Post("verifier"))
    address = f"{LIST}/{id_of(hub, 'Moussa')}"
    administrator.get(address)
    administrator.post(address, role="monitor", reason=WHY)
    assert 'class="undo"' not in administrator.get(address).text
    assert not held_by(hub, "Moussa")
    answer = administrator.post(address, role="auditor", reason=WHY)
    assert (secrets_in(answer.text).words, secrets_in(answer.text).secret is None) == ("", False)


def test_reset_access_opens_by_new_words_and_reads_nothing_of_before(hub: Hub, administrator: Browser) -> None:
    fanta = person_at(hub, "Fanta", "coordinator", is_named_reader=True)
    before = held_by(hub, "Fanta")
    address = f"{LIST}/{id_of(hub, 'Fanta')}/reset"
    assert "n&#39;ouvrent rien de ce qui était scellé avant" in administrator.get(address).text
    assert administrator.post(address, reason="").status_code == 422
    shown = secrets_in(administrator.post(address, reason=WHY).text)
    assert fanta.get("/console/inbox").location.startswith("/login")
    assert not before & held_by(hub, "Fanta")
    assert Browser(app_of(hub)).log_in(Made(account(hub, "Fanta"), None), hub).status_code != 303
    again = Browser(app_of(hub))
    again.log_in(Made(account(hub, "Fanta"), shown.secret), hub, shown.words)
    assert again.get("/console/inbox").location == "/console/account"
    assert last_act(hub, "reset_account").words == WHY


def test_suspended_account_lets_nobody_in_until_it_is_restored(hub: Hub, administrator: Browser) -> None:
    fanta = person_at(hub, "Fanta", "coordinator", is_named_reader=True)
    address, held = f"{LIST}/{id_of(hub, 'Fanta')}", held_by(hub, "Fanta")
    administrator.get(address)
    assert administrator.post(f"{address}/suspend").status_code == 422
    assert administrator.post(f"{address}/suspend", reason=WHY).location == address
    assert fanta.get("/console/inbox").location.startswith("/login")
    made = Made(account(hub, "Fanta"), None)
    assert Browser(app_of(hub)).log_in(made, hub).status_code != 303
    assert "suspendu" in row(administrator, "Fanta")
    assert administrator.post(f"{address}/suspend", reason=WHY).status_code == 422
    administrator.post(f"{address}/restore", reason=WHY)
    assert (account(hub, "Fanta").state, held_by(hub, "Fanta")) == ("active", held)
    assert Browser(app_of(hub)).log_in(made, hub).status_code == 303
    taken_back(administrator, address)
    assert account(hub, "Fanta").state == "suspended"


def test_nobody_changes_their_own_account(hub: Hub, administrator: Browser) -> None:
    address = f"{LIST}/{id_of(hub, 'Issa')}"
    person_at(hub, "Oumar", "administrator")
    assert "C&#39;est votre compte" in administrator.get(address).text
    assert "Personne ne ferme son propre compte" in administrator.get(f"{address}/leave").text
    for path in ("", "/reset", "/suspend", "/leave"):
        answer = administrator.post(address + path, role="monitor", name="Issa", reason=WHY)
        assert (answer.status_code, "votre propre compte" in answer.text) == (422, True)
    assert (account(hub, "Issa").state, account(hub, "Issa").role) == ("active", "administrator")


def test_head_of_the_network_is_named_and_taken_back(hub: Hub, administrator: Browser) -> None:
    first, other = make(hub, "Moussa", Post("coordinator")), make(hub, "Fanta", Post("coordinator"))
    people.name_head(hub.store, OPERATOR, "Moussa", hub.clock())
    administrator.get(f"{LIST}/{other}")
    administrator.post(f"{LIST}/{other}/head")
    assert "Dirige le réseau" in row(administrator, "Fanta")
    administrator.post(f"{LIST}/{other}/head")
    administrator.post(f"{LIST}/{first}/head")
    taken_back(administrator, f"{LIST}/{first}")
    assert "Dirige le réseau" in row(administrator, "Fanta")


def test_last_key_for_what_is_strict_is_warned_of(hub: Hub, administrator: Browser) -> None:
    only = make(hub, "Fanta", Post("coordinator", is_named_reader=True))
    people.end(hub.store, OPERATOR, "nationale", hub.clock())
    warning = "seule la clé de recours"
    assert all(warning in administrator.get(f"{LIST}/{only}{path}").text for path in ("", "/reset", "/leave"))
    make(hub, "Binta", Post("coordinator", is_named_reader=True))
    assert warning not in administrator.get(f"{LIST}/{only}").text


@pytest.mark.parametrize("path", ["", "?format=csv"])
def test_page_shows_no_case_and_is_for_administrators_alone(
    sealing_hub: Hub, administrator: Browser, awa: Browser, path: str
) -> None:
    enrolled(sealing_hub, "Gao 1", team="gao").send(complaint("a"))
    assert "SRE-2026" not in administrator.get(LIST + path).text
    assert awa.get(LIST + path).status_code == 404
