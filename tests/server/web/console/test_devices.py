"""Devices in a browser: enrolled by a code and six words, revoked for a reason; a coordinator hears of silences."""

import re
from typing import Any

from nacl.public import PrivateKey
from nacl.signing import SigningKey

from client_sync.protocol.enrolment import fingerprint, normal_code
from client_sync.protocol.frames import from_text
from server.commands.terms import terms_of
from server.hub import Hub
from server.services import devices, keyrings
from server.services.keyrings import Administrators
from server.store import audit
from tests.browsing import Browser
from tests.builders import ADMINISTRATOR, ROOT, Clock, app_of, application, complaint, enrolled

LIST = "/console/devices"


def ask(hub: Hub, body: dict[str, Any]) -> Any:
    return app_of(hub).test_client().post("/api/v1/enrol", json=body)


def code_shown(browser: Browser) -> str:
    """The code that the page for a new device shows."""
    browser.get(f"{LIST}/new")
    answer = browser.post(f"{LIST}/new", label="Calebasse", team="gao")
    found = re.search(r'class="code"[^>]*>([0-9A-Z-]+)<', answer.text)
    assert answer.status_code == 200
    assert found is not None
    return normal_code(found[1])


def withdrawal(browser: Browser) -> str:
    """Where the form leads that withdraws the only open code."""
    [address] = re.findall(rf'action="({LIST}/codes/\w+/withdraw)"', browser.get(LIST).text)
    return str(address)


def last_act(hub: Hub, action: str) -> Any:
    with hub.store.read() as connection:
        return [event for _, event in audit.events(connection) if event.action == action][-1]


def test_both_sides_show_the_same_six_words_and_then_the_device_is_ready(
    sealing_hub: Hub, administrator: Browser
) -> None:
    key, box = SigningKey.generate(), PrivateKey.generate()
    body = application(code_shown(administrator), key, box)
    assert "Aucun appareil n&#39;a encore utilisé son code" in administrator.get(f"{LIST}/waiting").text
    admitted = ask(sealing_hub, body).json
    answer = administrator.get(f"{LIST}/waiting")
    assert answer.location == f"{LIST}/{admitted['device']}"
    own = [bytes(key.verify_key), bytes(box.public_key)]
    said = fingerprint(bytes(sealing_hub.identity.sign_key.verify_key), from_text(admitted["root"]), *own)
    words = re.search(r'<ol class="six-words">(.*?)</ol>', administrator.get(answer.location).text)
    assert words is not None
    assert re.findall(r"<li>(.*?)</li>", words[1]) == said
    administrator.post(f"{answer.location}/confirm")
    device = devices.with_id(sealing_hub.store, admitted["device"])
    assert (device.state, device.label, device.team) == ("ready", "Calebasse", "gao")
    assert last_act(sealing_hub, "confirm").actor.startswith("account:")


def test_code_is_shown_with_a_picture_and_used_once(sealing_hub: Hub, administrator: Browser) -> None:
    code = code_shown(administrator)
    assert "Calebasse" in administrator.get(LIST).text
    page = administrator.post(f"{LIST}/new", label="Tabouret").text
    assert re.search(r'<svg viewBox="[^"]+" class="qr">', page)
    assert "style=" not in page
    assert ask(sealing_hub, application(code, SigningKey.generate(), PrivateKey.generate())).status_code == 201
    again = ask(sealing_hub, application(code, SigningKey.generate(), PrivateKey.generate()))
    never = ask(sealing_hub, application("0" * 20, SigningKey.generate(), PrivateKey.generate()))
    assert (again.status_code, again.data) == (never.status_code, never.data)


def test_form_that_says_too_little_keeps_what_was_typed(sealing_hub: Hub, administrator: Browser) -> None:
    administrator.get(f"{LIST}/new")
    answer = administrator.post(f"{LIST}/new", label="   ", team="gao")
    assert answer.status_code == 422
    assert "Donnez un nom" in answer.text
    assert 'name="team" value="gao"' in answer.text
    assert administrator.post(f"{LIST}/new", label="x" * 81).status_code == 422
    assert "Codes donnés" not in administrator.get(LIST).text


def test_device_is_revoked_since_a_moment_for_a_reason(sealing_hub: Hub, administrator: Browser) -> None:
    sender = enrolled(sealing_hub, "Gao 1", team="gao")
    address = f"{LIST}/{sender.device}/revoke"
    administrator.get(address)
    for typed in ({"day": "2026-11-31"}, {"day": "2026-12-01"}, {"time": "18:30"}):
        assert administrator.post(address, reason="saisi", **typed).status_code == 422
    assert administrator.post(address).status_code == 422
    assert devices.with_id(sealing_hub.store, sender.device).state == "ready"
    answer = administrator.post(address, reason="saisi", day="2026-11-20", time="18:30")
    device = devices.with_id(sealing_hub.store, sender.device)
    assert (answer.status_code, device.state) == (303, "revoked")
    assert device.suspect_since is not None
    assert device.suspect_since.isoformat() == "2026-11-20T18:30:00+00:00"
    assert last_act(sealing_hub, "revoke").actor.startswith("account:")
    assert "révoqué" in administrator.get(LIST).text


def test_open_code_is_withdrawn_and_enrols_nothing(sealing_hub: Hub, administrator: Browser) -> None:
    code, address = code_shown(administrator), withdrawal(administrator)
    assert administrator.post(address).location == LIST
    assert "Calebasse" not in administrator.get(LIST).text
    assert ask(sealing_hub, application(code, SigningKey.generate(), PrivateKey.generate())).status_code != 201
    assert last_act(sealing_hub, "withdraw_invitation").actor.startswith("account:")
    assert administrator.post(address).status_code == 404


def test_code_that_a_device_used_is_not_withdrawn(sealing_hub: Hub, administrator: Browser) -> None:
    code, address = code_shown(administrator), withdrawal(administrator)
    assert code not in address
    ask(sealing_hub, application(code, SigningKey.generate(), PrivateKey.generate()))
    assert administrator.post(address).status_code == 404


def test_replacement_is_proposed_with_name_and_team_and_goes_on_in_the_same_lineage(
    sealing_hub: Hub, administrator: Browser
) -> None:
    old = enrolled(sealing_hub, "Gao 1", team="gao")
    old.send(complaint("a"))
    sheet = administrator.get(f"{LIST}/{old.device}").text
    assert "1 envois lus, dont 0 dans une sauvegarde" in sheet
    form = administrator.get(f"{LIST}/new?succeeds={old.device}").text
    assert 'value="Gao 1"' in form
    assert f'value="{old.device}" selected' in form
    shown = administrator.post(f"{LIST}/new", label="Gao 1 bis", succeeds=old.device).text
    code = re.search(r'class="code"[^>]*>([0-9A-Z-]+)<', shown)
    assert code is not None
    body = application(normal_code(code[1]), SigningKey.generate(), PrivateKey.generate())
    admitted = ask(sealing_hub, body | {"succeeds": old.device}).json
    assert admitted["lineage"] == old.lineage
    assert "Remplacé par" in administrator.get(f"{LIST}/{old.device}").text
    assert f'href="{LIST}/{old.device}"' in administrator.get(f"{LIST}/{admitted['device']}").text


def test_sheet_tells_whether_an_order_was_handed_over(sealing_hub: Hub, administrator: Browser) -> None:
    sender = enrolled(sealing_hub, "Gao 1", team="gao")
    address = f"{LIST}/{sender.device}"
    administrator.get(address)
    administrator.post(f"{address}/revoke", reason="saisi")
    assert "l&#39;ordre l&#39;attend" in administrator.get(address).text
    assert isinstance(sealing_hub.clock, Clock)
    sealing_hub.clock.pass_(minutes=5)
    sender.send(complaint("a"))
    assert "l&#39;ordre lui a été remis" in administrator.get(address).text


def test_wipe_is_told_as_it_is_done_or_with_what_is_lacking_for_it(sealing_hub: Hub, administrator: Browser) -> None:
    address = f"{LIST}/{enrolled(sealing_hub, 'Gao 1', team='gao').device}"
    assert "seere devices wipe M-1" in administrator.get(address).text
    terms = terms_of(sealing_hub)
    nobody = Administrators(lost=frozenset([bytes(ADMINISTRATOR.verify_key)]))
    made = keyrings.draft(sealing_hub.store, terms, sealing_hub.clock(), root=None, administrators=nobody)
    document = keyrings.signed(made, bytes(ROOT))
    keyrings.publish(sealing_hub.store, document, terms, sealing_hub.identity.sign_key, sealing_hub.clock())
    text = administrator.get(address).text
    assert ("seere devices wipe" in text, "seere devices admin-key" in text) == (False, True)


def test_silent_devices_come_first_and_coordinators_hear_of_their_number_alone(
    sealing_hub: Hub, administrator: Browser, binta: Browser
) -> None:
    assert isinstance(sealing_hub.clock, Clock)
    sealing_hub.clock.pass_(days=-9)
    lively, silent = (enrolled(sealing_hub, label, team="gao") for label in ("Tabouret", "Calebasse"))
    sealing_hub.clock.pass_(days=9)
    lively.send(complaint("a"))
    text = administrator.get(LIST).text
    assert text.index("Calebasse") < text.index("Tabouret")
    assert "silencieux depuis 9 j" in text
    told = binta.get(f"{LIST}/silent").text
    assert "M-2" in told
    assert "silencieux depuis 9 j" in told
    assert "Calebasse" not in told
    assert "M-1" not in told
    assert binta.get(LIST).status_code == binta.get(f"{LIST}/{silent.device}").status_code == 404


def test_file_has_the_rows_of_the_screen(sealing_hub: Hub, administrator: Browser) -> None:
    enrolled(sealing_hub, "=SUM(A1)", team="gao")
    lines = administrator.get(f"{LIST}?format=csv").data.decode("utf-8-sig").splitlines()
    assert [line.split(";")[:3] for line in lines] == [["N°", "Nom", "Équipe"], ["M-1", "'=SUM(A1)", "gao"]]
