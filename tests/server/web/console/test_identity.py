"""S7: a name is shown for a reason, to whom it is assigned, on one answer; no other page, cookie or log has it."""

import logging
import re

import pytest
import sqlalchemy as sa
from werkzeug.test import TestResponse

from server.hub import Hub
from server.store.due_tables import notice
from server.store.schema import assignment, event, opening
from tests.browsing import Browser, person_at, seen_on
from tests.builders import ROOT, Sender, clear_content, enrolled, operation, publish_keyring

NAME, PHONE = "Awa Canari", "+223 00 00 98 76"
IDENTITY = {"persons": [{"no": 1, "name": NAME, "phone": PHONE}], "contact": {"how": "par la cousine"}}
WHY = {"reason": "contact", "words": "rappeler la plaignante"}


@pytest.fixture
def hub(sealing_hub: Hub) -> Hub:
    return sealing_hub


@pytest.fixture
def phone(hub: Hub) -> Sender:
    return enrolled(hub, "Gao 1", team="gao")


def sealed(phone: Sender, name: object = "a", **facts: object) -> bytes:
    content = clear_content(**{"contact_ok": "yes"} | facts) | {"identity": {"clear": IDENTITY}}
    return operation("complaint", name, phone.seal(name, content))


@pytest.fixture
def path(hub: Hub, awa: Browser, phone: Sender) -> str:
    """Of the identity of a complaint that was sealed to `awa` among others, and is assigned to nobody."""
    assert awa
    publish_keyring(hub, bytes(ROOT))
    phone.send(sealed(phone))
    return f"/console/cases/SRE-{hub.clock().year}-000001/identity"


def charged(awa: Browser, path: str, name: str = "Awa") -> None:
    assert awa.post(f"{path}/charge", to=name, seen=seen_on(awa.get(path))).status_code == 303


def opened(awa: Browser, path: str, **said: str) -> TestResponse:
    awa.get(path)
    return awa.post(path, **WHY | said)


def rows(hub: Hub, table: sa.Table) -> int:
    with hub.store.read() as connection:
        return connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0


def test_name_is_opened_for_a_reason_and_closes_by_itself(hub: Hub, awa: Browser, path: str) -> None:
    charged(awa, path)
    answer = opened(awa, path)
    assert answer.status_code == 200
    assert all(word in answer.text for word in (NAME, PHONE, "par la cousine", "Refermer", "se referme seule"))
    assert answer.headers["Refresh"] == f"600; url={path}/closed"
    assert answer.headers["Cache-Control"] == "no-store"
    main = answer.text[answer.text.index("<main") :]
    first = re.search(r"<(a|button|input)\b[^>]*>", main)
    assert first is not None
    assert all(part in first[0] for part in ("autofocus", 'data-key="escape"'))
    with hub.store.read() as connection:
        kept = connection.execute(sa.select(opening.c.compartment, opening.c.reason)).all()
        told = connection.execute(sa.select(event.c.object, event.c.words).where(event.c.action == "open")).all()
    assert [tuple(row) for row in kept] == [("identity", "Contacter la personne : rappeler la plaignante")]
    assert [tuple(row) for row in told] == [("complaint:1", "Contacter la personne : rappeler la plaignante")]


def test_closing_leads_to_the_case_and_changes_the_cookie_so_that_no_browser_keeps_the_page(
    awa: Browser, path: str
) -> None:
    charged(awa, path)
    assert f'href="{path}/closed"' in opened(awa, path).text
    closed = awa.get(f"{path}/closed")
    assert (closed.status_code, closed.location) == (303, path.removesuffix("/identity"))
    assert "Set-Cookie" in closed.headers


@pytest.mark.parametrize(
    "said", [{"words": "trop peu"}, {"words": "         x         "}, {"words": "x" * 501}, {"reason": "curiosity"}]
)
def test_nothing_is_opened_without_a_reason_in_words(hub: Hub, awa: Browser, path: str, said: dict[str, str]) -> None:
    charged(awa, path)
    answer = opened(awa, path, **said)
    assert (answer.status_code, rows(hub, opening)) == (422, 0)
    assert NAME not in answer.text
    assert said.get("words", WHY["words"]) in answer.text


def test_whoever_has_no_right_opens_nothing_and_asks_a_named_reader(
    hub: Hub, awa: Browser, binta: Browser, path: str
) -> None:
    charged(awa, path)
    page = binta.get(path)
    assert "Demander à un lecteur nommé" in page.text
    assert 'name="words"' not in page.text
    refused = opened(binta, path)
    assert (refused.status_code, rows(hub, opening)) == (403, 0)
    assert NAME not in refused.text

    assert binta.post(f"{path}/ask", reader="Awa").location == f"{path}?asked="
    assert binta.post(f"{path}/ask", reader="Awa").status_code == 303
    assert binta.post(f"{path}/ask", reader="Binta").status_code == 422
    with hub.store.read() as connection:
        assert list(connection.scalars(sa.select(notice.c.code))) == ["identity_asked"]


def test_complaints_of_the_case_are_assigned_from_its_page(hub: Hub, awa: Browser, path: str) -> None:
    assert 'name="words"' not in awa.get(path).text
    assert awa.post(f"{path}/charge", to="Personne").status_code == 422
    assert rows(hub, assignment) == 0
    charged(awa, path)
    assert 'name="words"' in awa.get(path).text
    assert rows(hub, assignment) == 1


def test_who_charges_somebody_sees_first_who_else_was_charged_meanwhile(hub: Hub, awa: Browser, path: str) -> None:
    person_at(hub, "Vieux", "verifier")
    early = seen_on(awa.get(path))
    charged(awa, path)
    late = awa.post(f"{path}/charge", to="Vieux", seen=early)
    assert (late.status_code, rows(hub, assignment)) == (409, 1)
    assert "quelqu&#39;un d&#39;autre en a été chargé entre-temps" in late.text
    assert awa.post(f"{path}/charge", to="Vieux", seen=seen_on(late)).status_code == 303
    assert rows(hub, assignment) == 2


def test_without_the_key_the_page_says_that_nothing_is_lost(hub: Hub, awa: Browser, path: str) -> None:
    late = person_at(hub, "Cheick", "coordinator")
    charged(late, path, "Cheick")
    answer = opened(late, path)
    assert answer.status_code == 200
    assert "clé absente. Rien n&#39;est perdu, voir la garde." in answer.text
    assert NAME not in answer.text


def test_strict_complaint_is_found_by_named_readers_alone(
    hub: Hub, awa: Browser, binta: Browser, phone: Sender
) -> None:
    phone.send(sealed(phone, "s", confidentiality="strict"))
    path = f"/console/cases/SRE-{hub.clock().year}-000001/identity"
    assert awa.get(path).status_code == 200
    hidden, never = binta.get(path), binta.get(path.replace("000001", "000009"))
    assert hidden.status_code == never.status_code == 404


def test_verifier_opens_what_is_assigned_and_finds_nothing_else(hub: Hub, awa: Browser, path: str) -> None:
    verifier = person_at(hub, "Vieux", "verifier")
    assert verifier.get(path).status_code == 404
    charged(awa, path)
    charged(awa, path, "Vieux")
    page = verifier.get(path)
    assert page.status_code == 200
    assert "charge" not in page.text
    assert NAME in opened(verifier, path).text


def test_identity_is_on_no_other_page_nor_in_cookie_nor_log(
    hub: Hub, awa: Browser, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    charged(awa, path)
    with caplog.at_level(logging.DEBUG):
        assert NAME in opened(awa, path).text
    case = path.removesuffix("/identity")
    pages = [awa.get(each).text for each in (path, case, "/console/cases", "/console/account")]
    said = [*pages, awa.cookie, *(f"{each.getMessage()} {vars(each)}" for each in caplog.records)]
    assert [text for text in said if NAME in text or PHONE in text or "cousine" in text] == []
    with hub.store.read() as connection:
        events = connection.execute(sa.select(event)).all()
    assert events
    assert [row for row in events if NAME in str(row)] == []
