"""S21, help: what keys do, and what statuses, urgencies, levels, roles and the words of the network mean."""

from typing import Final

from flask import Blueprint

from client_sync.protocol.vocabulary import VOCABULARY
from server.domain.casework import STATUSES, URGENCIES
from server.domain.people import ROLES
from server.i18n import catalogue
from server.services.accounts.sessions import Login
from server.services.cases import phrases
from server.web.auth import for_person
from server.web.console.pages import page

blueprint = Blueprint("help", __name__, url_prefix="/console/help")

# Keys that do the same on every page, and what they are called in the catalogues.
_KEYS: Final = {"J": "next", "K": "previous", "↵": "open", "U": "undo", "/": "search", "?": "keys"}
_STATES: Final = (
    "unverified", "under_verification", "corroborated", "inconclusive", "falsely_attributed", "unfounded",
)  # fmt: skip
_WORDS: Final = (
    "complaint", "receipt", "case", "fact", "duplicate", "follow_up", "clocks", "task", "referral", "deputy",
    "identity", "traces", "strict", "named_reader", "keyring", "recovery", "sign_up", "factor", "log", "aside",
    "hidden",
)  # fmt: skip
_DEVICES: Final = ("waiting", "ready", "revoked", "silent", "replaced", "six_words", "left_over", "wipe")


@blueprint.get("")
@for_person("use_account")
def show(person: Login) -> str:
    """The page, each part under an anchor of its own."""
    texts = catalogue(person.language)
    return page(
        "help.html",
        person,
        keys={key: texts.text(f"glossary.key_{name}") for key, name in _KEYS.items()},
        statuses=[(code, texts.text(f"glossary.status_{code}")) for code in STATUSES],
        urgencies=[(code, texts.text(f"glossary.urgency_{code}")) for code in URGENCIES],
        states=[(code, phrases.finding(texts, code), texts.text(f"glossary.state_{code}")) for code in _STATES],
        roles=[(code, texts.text(f"role.{code}"), texts.text(f"people_page.role_{code}")) for code in ROLES],
        devices=[
            (name, texts.text(f"glossary.word_device_{name}"), texts.text(f"glossary.device_{name}"))
            for name in _DEVICES
        ],
        levels=[(code, texts.text(f"glossary.consent_{code}")) for code in VOCABULARY.lists["consent_level"]],
        words=[(name, texts.text(f"glossary.word_{name}"), texts.text(f"glossary.{name}")) for name in _WORDS],
    )
