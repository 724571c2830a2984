"""A phone is enrolled by a code and six words, which both sides show; a code that was used is one of none."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa
from playwright.sync_api import expect

from client_sync.enrolment import enrol
from client_sync.errors import HubRefuses
from client_sync.stores import Folder
from client_sync.tables import Enrolled
from client_sync.transport import HttpTransport
from server.hub import Hub
from server.store.schema import device
from tests.console_pages import people_of
from tests.console_tab import Tab

pytestmark = [pytest.mark.prove, pytest.mark.ci]

LABEL = "Calebasse 47"


def _enrol(folder: Path, address: str, code: str) -> Enrolled:
    with closing(HttpTransport(address)) as transport:
        return enrol(Folder(folder), address, code, transport, label=LABEL)


def _state(hub: Hub) -> str | None:
    with hub.store.read() as connection:
        return connection.scalar(sa.select(device.c.state).where(device.c.label == LABEL))


def test_phone_and_console_show_the_same_words_and_the_code_serves_once(
    hub: Hub, address: str, sit_down: Callable[[str], Tab], tmp_path: Path
) -> None:
    people_of(hub)
    page = sit_down("administrator").page
    page.goto(f"{address}/console/devices/new", wait_until="networkidle")
    page.keyboard.type(LABEL)
    page.keyboard.press("Enter")
    code = page.locator(".code").inner_text()
    phone = _enrol(tmp_path / "phone", address, code)
    page.keyboard.press("Enter")
    expect(page.locator(".six-words li")).to_have_text(phone.words)
    assert _state(hub) == "waiting"
    page.keyboard.press("Enter")
    expect(page.locator(".six-words")).to_have_count(0)
    assert _state(hub) == "ready"
    said = []
    for wrong in (code, code[::-1]):
        with pytest.raises(HubRefuses) as refused:
            _enrol(tmp_path / wrong, address, wrong)
        said.append((refused.value.code, refused.value.args))
    assert said[0] == said[1]
