"""What an attacker would write: a script in everything that a device or a person may say, told to a hub."""

from collections.abc import Iterator
from typing import Any, Final

import sqlalchemy as sa
from flask import Flask

from server.domain.permission import OPERATOR
from server.hub import Hub
from server.services.accounts import people
from server.services.accounts.people import Post
from server.store.schema import account, device, registry
from tests.builders import clear_content, enrolled, operation
from tests.console_pages import HEAD, NOBODY, REGIONAL, Shown, action_of, arguments_of, page_rules, pages, path_of
from tests.console_story import WORDS
from tests.console_tab import MARKER, Tab, Trouble

# It leaves an attribute and a sentence, and runs as soon as it is part of a page; short enough for every field.
SCRIPT: Final = f"""'"><img src=x onerror=console.log("{MARKER}")>"""
LOOKERS: Final = (HEAD, REGIONAL, "administrator", "auditor", "verifier", NOBODY)
# Forms that would end the session of whoever fills them in, or ask for a passphrase.
_NOT_FILLED: Final = ("/logout", "/passphrase", "/sessions/")
# Whatever a person may type in the n-th form of a page is the script, whatever the page would not let through first.
_FILL: Final = """([at, script]) => {
  const form = document.querySelectorAll("main form")[at];
  form.noValidate = true;
  const typed = "textarea, input:not([type]), input[type=text], input[type=search]";
  for (const field of form.querySelectorAll(typed)) field.value = script;
  form.requestSubmit(form.querySelector("button:not([type=button]):not(:disabled)") ?? undefined);
}"""
_FORMS: Final = """() => [...document.querySelectorAll("main form")].map((form) =>
  form.querySelector("textarea, input:not([type]), input[type=text], input[type=search]") ? form.action : "")"""


def plant(hub: Hub) -> str:
    """Let a device and an account say nothing but the script; gives the number of the complaint."""
    people.make(hub.store, hub.secrets.totp, OPERATOR, SCRIPT, Post("coordinator"), WORDS, hub.clock())
    phone = enrolled(hub, SCRIPT, team=SCRIPT)
    enrolled(hub, SCRIPT, is_confirmed=False)
    phone.send(operation("complaint", "planted", _content()))
    phone.send(operation("complaint", "unknown", _content() | {"form": f"complaint/{SCRIPT}"}, seq=2))
    with hub.store.read() as connection:
        last = connection.execute(sa.select(registry).order_by(registry.c.complaint.desc()).limit(1)).one()
    return f"{last.prefix}-{last.year}-{last.number:06}"


def _content() -> dict[str, Any]:
    identity = {"no": 1, "name": SCRIPT, "phone": SCRIPT, "address": SCRIPT}
    return clear_content(place={"said": SCRIPT}) | {
        "statement": {"clear": {"narrative": SCRIPT, "lang": "fra", "summary": SCRIPT}},
        "traces": {"clear": {"said": SCRIPT}},
        "identity": {"clear": {"persons": [identity]}},
    }


def planted_pages(hub: Hub, app: Flask, number: str) -> list[Shown]:
    """Every page, those of the complaint, the devices and the account that were planted, and the script as what is
    asked for."""
    with hub.store.read() as connection:
        devices = list(connection.scalars(sa.select(device.c.id).where(device.c.label == SCRIPT)))
        planted = list(connection.scalars(sa.select(account.c.id).where(account.c.name == SCRIPT)))
    values = {("number",): [number], ("device",): devices, ("account",): planted}
    more = [
        Shown(path_of(app, rule, (value,)), action_of(app, rule))
        for rule in page_rules(app)
        for value in values.get(arguments_of(rule), [])
    ]
    queries = [Shown(f"{path}={SCRIPT}", "handle_case") for path in _QUERIES]
    return [*pages(hub, app), *more, Shown(f"/console/inbox?sel={number}", "handle_case"), *queries]


_QUERIES: Final = (
    "/login?next",
    "/console/search?q",
    "/console/cases?q",
    "/console/inbox?view",
    "/console/inbox?sel",
    "/console/dashboard?from",
)


def fill_in_everything(tab: Tab, address: str, page: Shown) -> Iterator[Trouble]:
    """Say the script in each form of a page, and give what came of it."""
    url = f"{address}{page.path}"
    tab.page.goto(url, wait_until="networkidle")
    for at, action in enumerate(tab.page.evaluate(_FORMS)):
        if not action or any(part in action for part in _NOT_FILLED):
            continue
        tab.page.goto(url, wait_until="networkidle")
        if at < tab.page.locator("main form").count():
            tab.page.evaluate(_FILL, [at, SCRIPT])
            tab.page.wait_for_load_state("networkidle")
        yield from tab.look(page.path, [])
