"""Help in a browser: every status, urgency, finding and level of consent has its word and its anchor."""

from typing import get_args

from client_sync.protocol.vocabulary import VOCABULARY
from server.domain.casework import STATUSES, URGENCIES
from server.domain.people import ROLES
from server.domain.verification import State
from tests.browsing import Browser


def test_each_word_of_the_console_has_its_anchor(awa: Browser, auditor: Browser) -> None:
    for browser in (awa, auditor):
        text = browser.get("/console/help").text
        for kind, codes in (
            ("status", STATUSES),
            ("urgency", URGENCIES),
            ("state", get_args(State)),
            ("level", VOCABULARY.lists["consent_level"]),
            ("role", ROLES),
            ("device", ("waiting", "ready", "revoked", "silent", "replaced", "six_words", "left_over", "wipe")),
        ):
            assert {code for code in codes if f'id="{kind}-{code}"' not in text} == set()
