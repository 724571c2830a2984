"""People in a browser: who has which account and keys, and closing the account of somebody who leaves."""

import re

import pytest

from server.domain.permission import OPERATOR
from server.hub import Hub
from server.services.accounts import people
from server.services.accounts.people import Post
from server.store import accounts
from tests.browsing import WORDS, Browser, person_at
from tests.builders import complaint, enrolled

LIST = "/console/people"


def make(hub: Hub, name: str, post: Post) -> str:
    """An account that nobody logged in to; gives its id."""
    return people.make(hub.store, hub.secrets.totp, OPERATOR, name, post, WORDS, hub.clock()).account.id


def row(browser: Browser, name: str) -> str:
    """The words in the row of somebody."""
    found = re.search(rf"<tr><th scope=\"row\"><b>{name}</b>.*?</tr>", browser.get(LIST).text, re.DOTALL)
    assert found is not None
    return " ".join(re.sub(r"<[^>]+>", " ", found[0]).split())


def state_of(hub: Hub, id: str) -> str:
    with hub.store.read() as connection:
        account = accounts.find(connection, id)
    assert account is not None
    return account.state


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
    id = next(each.id for each in people.listed(hub.store, OPERATOR) if each.name == "Fanta")
    address = f"{LIST}/{id}/leave"
    assert "Fermer le compte de Fanta" in administrator.get(address).text
    assert administrator.post(address, name="Moussa").status_code == 422
    assert state_of(hub, id) == "active"
    assert administrator.post(address, name=" fanta ").location == LIST
    assert state_of(hub, id) == "left"
    assert leaver.get("/console/account").location.startswith("/login")
    assert administrator.get(address).status_code == 404
    assert "parti le 21 nov. 2026" in row(administrator, "Fanta")


def test_nobody_closes_their_own_account(hub: Hub, administrator: Browser) -> None:
    id = next(each.id for each in people.listed(hub.store, OPERATOR) if each.name == "Issa")
    assert "Personne ne ferme son propre compte" in administrator.get(f"{LIST}/{id}/leave").text
    assert administrator.post(f"{LIST}/{id}/leave", name="Issa").status_code == 422
    assert state_of(hub, id) == "active"


@pytest.mark.parametrize("path", ["", "?format=csv"])
def test_page_shows_no_case_and_is_for_administrators_alone(
    sealing_hub: Hub, administrator: Browser, awa: Browser, path: str
) -> None:
    enrolled(sealing_hub, "Gao 1", team="gao").send(complaint("a"))
    assert "SRE-2026" not in administrator.get(LIST + path).text
    assert awa.get(LIST + path).status_code == 404
