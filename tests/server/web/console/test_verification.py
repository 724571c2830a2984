"""S9: a finding with its ground, by somebody else than who recorded it; checked on the hub's rows."""

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from server.hub import Hub
from server.store.case_tables import note
from server.store.referral_tables import finding, judgement
from tests.browsing import Browser, person_at
from tests.builders import Clock, Sender, complaint, enrolled

ACT = {"kind": "HR-THR"}


@pytest.fixture
def hub(sealing_hub: Hub) -> Hub:
    return sealing_hub


@pytest.fixture
def phone(hub: Hub) -> Sender:
    return enrolled(hub, "Gao 1", team="gao")


@pytest.fixture
def number(hub: Hub, awa: Browser, phone: Sender) -> str:
    """A complaint of racket and threats, whose case nobody opened."""
    assert awa
    phone.send(complaint("a"))
    return f"SRE-{hub.clock().year}-000001"


def path(number: str) -> str:
    return f"/console/cases/{number}/verification"


def begin(browser: Browser, number: str, after: int = 0, **said: str) -> int:
    browser.get(path(number))
    form = ACT | {"number": number, "do": "begin", "after": str(after)} | said
    return browser.post(path(number), **form).status_code


def visited(hub: Hub, number: str, after: int, **said: str) -> dict[str, str]:
    return (
        ACT
        | {
            "number": number,
            "do": "conclude",
            "after": str(after),
            "state": "corroborated",
            "method": "visit",
            "sources": "2",
            "certainty": "reasonable_grounds",
            "on": hub.clock().date().isoformat(),
        }
        | said
    )


def rows(hub: Hub, table: sa.Table, *names: str) -> list[tuple[Any, ...]]:
    with hub.store.read() as connection:
        select = sa.select(*(table.c[name] for name in names)).order_by(table.c.no)
        return [tuple(row) for row in connection.execute(select)]


def test_act_is_verified_with_its_ground_and_a_note(hub: Hub, awa: Browser, number: str) -> None:
    assert "Commencer la vérification" in awa.get(path(number)).text
    assert begin(awa, number) == 303
    page = awa.get(path(number)).text
    assert f'action="/console/cases/{number}/undo"' in page
    assert 'name="certainty"' in page
    assert awa.post(path(number), **visited(hub, number, 2, note="Vu le chef.")).status_code == 303
    assert rows(hub, finding, "kind", "no", "state", "method", "sources") == [
        ("HR-THR", 1, "under_verification", None, None),
        ("HR-THR", 2, "corroborated", "visit", 2),
    ]
    with hub.store.read() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(note)) == 1
    assert "<dd>motifs raisonnables de croire</dd>" in awa.get(path(number)).text
    assert begin(awa, number, 3, reason="new_source") == 303


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"sources": "1"}, "deux sources indépendantes"),
        ({"method": ""}, "par une méthode de la liste"),
        ({"on": "hier"}, "pas encore venu"),
        ({"state": "nonsense"}, "pas là"),
        ({"device": "M-1"}, "à une autre personne"),
    ],
)
def test_finding_that_can_not_stand_is_refused_in_place_and_what_was_typed_is_kept(
    hub: Hub, awa: Browser, number: str, said: dict[str, str], why: str
) -> None:
    begin(awa, number)
    awa.get(path(number))
    answer = awa.post(path(number), **visited(hub, number, 2, note="Vu le chef.", **said))
    assert answer.status_code == 422
    assert why in answer.text
    assert "Vu le chef." in answer.text
    assert rows(hub, finding, "state") == [("under_verification",)]


def test_who_recorded_it_is_not_offered_and_the_page_says_why(
    hub: Hub, awa: Browser, number: str, phone: Sender
) -> None:
    assert phone
    other = enrolled(hub, "Gao 2", team="gao")
    begin(awa, number)
    page = awa.get(path(number)).text
    assert "Gao 1 a recueilli la plainte et ne la vérifie pas" in page
    assert '<option value="M-1"' not in page
    assert '<option value="M-2"' in page
    assert awa.post(path(number), **visited(hub, number, 2, device="M-2")).status_code == 303
    assert rows(hub, finding, "verifier")[-1] == (other.lineage,)


def test_late_finding_is_said_before_it_is_saved(hub: Hub, awa: Browser, number: str, phone: Sender) -> None:
    begin(awa, number)
    assert "Conclusion tardive." not in awa.get(path(number)).text
    phone.send(complaint("b", incident={"from": "2026-08-01", "to": "2026-08-03", "precision": "day"}))
    number = number.replace("000001", "000002")
    begin(awa, number)
    assert "Conclusion tardive." in awa.get(path(number)).text
    awa.post(path(number), **visited(hub, number, 2))
    assert rows(hub, finding, "is_late")[-1] == (True,)


def test_of_what_is_strict_the_page_asks_for_a_second_person(
    hub: Hub, awa: Browser, binta: Browser, phone: Sender
) -> None:
    phone.send(complaint("s", confidentiality="strict"))
    number = f"SRE-{hub.clock().year}-000001"
    assert binta.get(path(number)).status_code == 404
    begin(awa, number)
    assert "une autre personne que celle qui a commencé" in awa.get(path(number)).text
    assert awa.post(path(number), **visited(hub, number, 2)).status_code == 422
    second = person_at(hub, "Cheick", "coordinator", is_named_reader=True)
    second.get(path(number))
    assert second.post(path(number), **visited(hub, number, 2)).status_code == 303


def test_decision_of_a_court_is_noted(hub: Hub, awa: Browser, number: str) -> None:
    awa.get(path(number))
    decided = {"number": number, "person": "2", "verdict": "convicted", "court": "assize", "after": "0"}
    assert awa.post(f"{path(number)}/judgements", **decided, on="").status_code == 422
    later = (hub.clock().date() + timedelta(days=1)).isoformat()
    assert awa.post(f"{path(number)}/judgements", **decided, on=later).status_code == 422
    assert awa.post(f"{path(number)}/judgements", **decided, on="2026-11-02", final="1").status_code == 303
    assert rows(hub, judgement, "verdict", "court", "is_final") == [("convicted", "assize", True)]
    assert "condamnée" in awa.get(path(number)).text


def test_stale_page_is_refused_with_what_stands(hub: Hub, awa: Browser, number: str) -> None:
    assert isinstance(hub.clock, Clock)
    begin(awa, number)
    assert begin(awa, number, 0, kind="COR-RACKET") == 409
    assert len(rows(hub, finding, "state")) == 1
