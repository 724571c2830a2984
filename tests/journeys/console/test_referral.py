"""A complaint whose consent covers no body stays: the page says why, and no form is taken."""

import re
from collections.abc import Callable

import pytest
import sqlalchemy as sa
from playwright.sync_api import expect

from server.hub import Hub
from server.store.case_tables import casefile
from server.store.referral_tables import referral
from server.store.schema import complaint
from tests.console_pages import HEAD
from tests.console_tab import Tab
from tests.console_triage import INBOX, press_for_next

pytestmark = [pytest.mark.prove, pytest.mark.ci]

BODY = "pnef"


def _c1_that_waits(hub: Hub) -> str:
    joined = sa.select(casefile.c.ref).join(complaint, complaint.c.id == casefile.c.complaint)
    c1 = joined.where(complaint.c.consent_level == "C1", complaint.c.confidentiality != "strict")
    with hub.store.read() as connection:
        waits = c1.where(casefile.c.status == "acknowledged", complaint.c.kind.like("COR-%"))
        return connection.scalars(waits.order_by(casefile.c.ref).limit(1)).one()


def _referrals(hub: Hub) -> int:
    with hub.store.read() as connection:
        return connection.scalar(sa.select(sa.func.count()).select_from(referral)) or 0


def test_c1_case_cannot_be_referred_to_the_economic_pole(
    hub: Hub, address: str, sit_down: Callable[[str], Tab]
) -> None:
    tab, number, before = sit_down(HEAD), _c1_that_waits(hub), _referrals(hub)
    tab.page.goto(f"{address}{INBOX}?sel={number}", wait_until="networkidle")
    press_for_next(tab, "Enter")
    tab.page.goto(f"{address}/console/cases/{number}/referrals/new", wait_until="networkidle")
    button = tab.page.locator(f"button[aria-describedby=why-{BODY}]")
    expect(button).to_be_disabled()
    expect(button).to_have_accessible_description(re.compile("accord"))
    token = tab.page.locator("input[name=csrf_token]").first.input_value()
    for doing in ("prepare", "read", "send"):
        form = {"csrf_token": token, "to": BODY, "do": doing, "what": "facts", "confirmed": "1", "after": "3"}
        answer = tab.page.request.post(f"{address}/console/cases/{number}/referrals/new", form=form)
        assert answer.status == 422
        assert "accord" in answer.text()
    assert _referrals(hub) == before
