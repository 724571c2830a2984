"""Every list of the console leads to a file of its rows; a page that is new has one, or is named here as no list."""

import csv
import io
import re
from datetime import timedelta

import pytest

from server.hub import Hub
from server.services import statistics
from tests.browsing import Browser
from tests.builders import Clock, app_of, complaint, enrolled

# Forms, and what shows one thing, or some that were chosen before.
NO_LISTS = {
    "account.show", "case.ask_attach", "case.ask_move", "case.show", "cases.preview", "devices.ask",
    "devices.ask_revoke", "devices.await_words", "devices.look", "duplicates.show", "entry.ask", "entry.receipt",
    "evidence.show", "help.show", "identity.close", "identity.show", "inbox.preview", "package.download", "people.ask",
    "people.ask_leave", "people.ask_reset", "people.forget", "people.look", "quarantine.one", "quarantine.technical",
    "referrals.choose", "referrals.show", "referrals.write", "summaries.show", "tasks.show", "verification.show",
}  # fmt: skip
# Lists of what a package says, and of those for a destination, which test_packages.py has.
OF_PACKAGES = {"package.look", "received.look", "received.show"}


def lists(hub: Hub) -> dict[str, str]:
    """Addresses of all other pages of the console, by endpoint."""
    others = NO_LISTS | OF_PACKAGES
    return {
        rule.endpoint: rule.rule
        for rule in app_of(hub).url_map.iter_rules()
        if rule.rule.startswith("/console") and "GET" in (rule.methods or ()) and rule.endpoint not in others
    }


def rows(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text.removeprefix("\ufeff")), delimiter=";"))


@pytest.fixture
def number(hub: Hub) -> str:
    """Of a complaint that waits."""
    enrolled(hub, "Gao 1", team="gao").send(complaint("a"))
    return f"SRE-{hub.clock().year}-000001"


def test_every_list_has_its_file(hub: Hub, awa: Browser, administrator: Browser, number: str) -> None:
    found = lists(hub)
    assert {"inbox.show", "search.show", "tasks.ask", "referrals.of_case", "devices.show_silent"} <= found.keys()
    statistics.count_current(hub.store, hub.gazetteer(), hub.clock())
    without = []
    for endpoint, rule in found.items():
        address = f"{rule.replace('<number>', number)}?format=csv&q={number}"
        answers = [who.get(address) for who in (awa, administrator)]
        if not any(each.status_code == 200 and each.mimetype == "text/csv" for each in answers):
            without.append(endpoint)
    assert without == []


def test_file_of_a_search_has_what_was_found(awa: Browser, number: str) -> None:
    shown = awa.get(f"/console/search?q={number}").text
    assert "Exporter 1 ligne affichée (CSV)" in shown
    [address] = re.findall(r'href="(/console/search\?[^"]*format=csv[^"]*)"', shown)
    [head, row] = rows(awa.get(address.replace("&amp;", "&")).text)
    assert (head[0], row[0]) == ("Numéro", number)


def test_file_of_silent_devices_has_their_numbers(hub: Hub, awa: Browser) -> None:
    assert isinstance(hub.clock, Clock)
    hub.clock.pass_(days=-9)
    enrolled(hub, "Calebasse", team="gao")
    hub.clock.pass_(days=9)
    assert "Exporter 1 ligne affichée (CSV)" in awa.get("/console/devices/silent").text
    assert rows(awa.get("/console/devices/silent?format=csv").text)[1:] == [["M-1", "9"]]


def test_file_of_the_tasks_of_a_case_has_what_is_to_be_done(sealing_hub: Hub, awa: Browser) -> None:
    hub = sealing_hub
    number = f"SRE-{hub.clock().year}-000001"
    enrolled(hub, "Gao 1", team="gao").send(complaint("a", contact_ok="yes"))
    enrolled(hub, "Gao 2", team="gao")
    address, today = f"/console/cases/{number}/tasks", hub.clock().date()
    awa.get(address)
    days = {"from": today.isoformat(), "to": (today + timedelta(days=9)).isoformat()}
    made = awa.post(f"{address}/new", kind="visit", device="M-2", after="0", words="Demander le chef.", **days)
    assert made.status_code == 303
    assert "Exporter 1 ligne affichée (CSV)" in awa.get(address).text
    [head, row] = rows(awa.get(f"{address}?format=csv").text)
    assert head == ["Plainte", "Ce qui est à faire", "Appareil", "Du", "Au", "État"]
    assert (row[0], row[2]) == (number, "Gao 2")
    assert "Demander" not in "".join(row)
