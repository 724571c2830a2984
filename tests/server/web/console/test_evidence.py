"""S8: a piece is looked at in a copy that betrays nobody; who had it in hand is written down before it is shown."""

import logging
import re
from base64 import b64decode
from io import BytesIO

import pytest
import sqlalchemy as sa
from PIL import Image

from server.hub import Hub
from server.services import keyrings
from server.store.evidence_tables import cover, custody, transcript
from server.store.schema import event, opening
from tests import media
from tests.browsing import Browser, seen_on
from tests.builders import ROOT, Sender, an_id, enrolled, operation, publish_keyring
from tests.evidence_work import SealedFile, complaint_with, pieces_of, seal_up, send_up, sent

NAME = "ߞߊ߲ Awa Canari.jpg"


@pytest.fixture
def hub(sealing_hub: Hub) -> Hub:
    return sealing_hub


@pytest.fixture
def phone(hub: Hub, awa: Browser) -> Sender:
    assert awa
    publish_keyring(hub, bytes(ROOT))
    return enrolled(hub, "Gao 1", team="gao")


@pytest.fixture
def photo(phone: Sender) -> str:
    """Where a photo is that arrived."""
    return at(*sent(phone, "a", seal_up(media.photo(colour="blue"), NAME)))


def at(piece: int) -> str:
    return f"/console/evidence/{piece}"


def shown(page: str, kind: str = "image/jpeg") -> bytes:
    """What the page shows in itself."""
    found = re.search(f"data:{kind};base64,([A-Za-z0-9+/=]+)", page)
    assert found is not None
    return b64decode(found[1])


def acts(hub: Hub) -> list[tuple[str, str]]:
    with hub.store.read() as connection:
        return [(act, why) for act, why in connection.execute(sa.select(custody.c.act, custody.c.reason))]


def test_case_says_of_each_piece_how_it_stands(awa: Browser, phone: Sender) -> None:
    here, awaited = seal_up(media.photo()), seal_up(media.voice())
    phone.send(complaint_with(phone, "a", here, awaited))
    send_up(phone, here)
    page = awa.get("/console/cases/SRE-2026-000001").text
    first, second = pieces_of(phone)
    assert f'href="{at(first)}"' in page
    assert f'href="{at(second)}"' in page
    assert "arrivée" in page
    assert "pas encore arrivée" in page
    closed = awa.get(at(second)).text
    assert "0 % sont ici" in closed
    assert "Écouter la copie" not in closed


def test_nothing_is_opened_until_it_is_asked_for(hub: Hub, awa: Browser, photo: str) -> None:
    page = awa.get(photo)
    assert page.status_code == 200
    assert "data:image" not in page.text
    assert NAME not in page.text
    assert "data:" not in page.headers["Content-Security-Policy"]
    assert acts(hub) == [("received", "")]


def test_copy_is_made_anew_and_its_custody_says_who_looked(hub: Hub, awa: Browser, photo: str) -> None:
    awa.get(photo)
    page = awa.post(photo)
    assert page.status_code == 200
    copy = Image.open(BytesIO(shown(page.text)))
    assert (copy.format, max(copy.size)) == ("JPEG", 480)
    assert not copy.getexif()
    assert media.BETRAYS.encode() not in shown(page.text)
    assert NAME in page.text
    assert "img-src 'self' data:" in page.headers["Content-Security-Policy"]
    assert page.headers["Cache-Control"] == "no-store"
    assert acts(hub)[-1] == ("looked", "tri")
    assert "Copie regardée" in awa.get(photo).text
    with hub.store.read() as connection:
        assert connection.scalars(sa.select(opening.c.compartment)).all() == ["traces"]
        assert "piece_looked" in connection.scalars(sa.select(event.c.action)).all()


def test_larger_copy_is_larger(awa: Browser, phone: Sender) -> None:
    path = at(*sent(phone, "a", seal_up(media.photo(2400, 1200))))
    awa.get(path)
    assert max(Image.open(BytesIO(shown(awa.post(path, large="1").text))).size) == 1600


def test_what_is_covered_is_seen_in_no_copy_any_more(hub: Hub, awa: Browser, phone: Sender) -> None:
    path = at(*sent(phone, "a", seal_up(media.two_colours())))
    awa.get(path)
    before = Image.open(BytesIO(shown(awa.post(path).text)))
    awa.get(path)
    after = awa.post(f"{path}/cover", no="0", left="0", top="0", width="50", height="100,0")
    covered = Image.open(BytesIO(shown(after.text)))
    above, below = (20, 20), (20, covered.height - 20)
    assert not _near(before.getpixel(above), before.getpixel(below))
    assert _near(covered.getpixel(above), covered.getpixel(below))
    assert "gauche 0 %, haut 0 %, largeur 50 %, hauteur 100 %" in after.text
    back = awa.post(f"{path}/cover", no="0", away="0 0 50 100")
    assert "gauche 0 %" not in back.text
    assert [act for act, _ in acts(hub)].count("covered") == 2
    with hub.store.read() as connection:
        assert connection.scalars(sa.select(cover.c.areas).order_by(cover.c.id)).all() == [[[0, 0, 0, 500, 1000]], []]


def _near(one: object, other: object) -> bool:
    return all(abs(a - b) < 12 for a, b in zip(one, other, strict=True))  # type: ignore[call-overload]


@pytest.mark.parametrize("width", ["0", "-5", "101", "x", "1e400", "nan"])
def test_cover_that_is_none_is_refused_in_words(hub: Hub, awa: Browser, photo: str, width: str) -> None:
    awa.get(photo)
    answer = awa.post(f"{photo}/cover", no="0", left="0", top="0", width=width, height="10")
    assert answer.status_code == 422
    assert "Un cache se dit en pour cent" in answer.text
    assert "covered" not in [act for act, _ in acts(hub)]


def test_voice_is_heard_and_what_it_says_is_kept_sealed(hub: Hub, awa: Browser, phone: Sender) -> None:
    path = at(*sent(phone, "a", seal_up(media.voice())))
    awa.get(path)
    page = awa.post(path).text
    assert shown(page, "audio/ogg").startswith(b"OggS")
    assert "<audio" in page
    said = "On m'a pris 5 000 francs au poste de Kanari."
    assert awa.post(f"{path}/words", text=said).status_code == 303
    assert said not in awa.get(path).text
    assert said.replace("'", "&#39;") in awa.post(path).text
    with hub.store.read() as connection:
        assert said.encode() not in connection.scalars(sa.select(transcript.c.box)).one()


def test_original_leaves_for_a_reason_as_a_file_that_no_browser_shows(hub: Hub, awa: Browser, phone: Sender) -> None:
    clear = media.photo()
    path = at(*sent(phone, "a", seal_up(clear, NAME)))
    awa.get(path)
    # Whom the identity is not for gets no original: place and faces are in it.
    assert awa.post(f"{path}/original", reason="pour le juge de Gao").status_code == 404
    charge(awa)
    assert awa.post(f"{path}/original", reason="").status_code == 422
    answer = awa.post(f"{path}/original", reason="pour le juge de Gao")
    assert answer.data == clear
    assert answer.headers["Content-Disposition"] == 'attachment; filename="SRE-2026-000001-1.jpg"'
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Security-Policy"].startswith("sandbox")
    assert answer.mimetype == "application/octet-stream"
    assert acts(hub)[-1] == ("original", "pour le juge de Gao")


def charge(browser: Browser) -> None:
    path = "/console/cases/SRE-2026-000001/identity"
    assert browser.post(f"{path}/charge", to="Awa", seen=seen_on(browser.get(path))).status_code == 303


def test_who_may_not_read_the_complaint_finds_no_piece(auditor: Browser, binta: Browser, phone: Sender) -> None:
    [piece] = sent(phone, "a", seal_up(media.photo()), confidentiality="strict")
    for browser in (auditor, binta):
        assert browser.get(at(piece)).status_code == 404
        assert browser.post(at(piece)).status_code == 404
    assert binta.get(at(piece + 999)).status_code == 404


def test_key_of_before_a_revision_still_opens(awa: Browser, phone: Sender) -> None:
    """A revision of the traces does not say the keys again: its device no longer has them."""
    file = seal_up(media.photo())
    path = at(*sent(phone, "a", file))
    traces = phone.seal("r", {"traces": {"clear": {"said": "près du marché"}}})
    phone.send(operation("revision", "r", {"complaint": an_id("a"), "base_revision": 1} | traces))
    awa.get(path)
    assert shown(awa.post(path).text)


def test_file_that_is_not_what_its_device_said_is_not_shown(awa: Browser, phone: Sender) -> None:
    html = seal_up(b"<html><script>alert(1)</script>", media_type="image/jpeg")
    path = at(*sent(phone, "a", html))
    awa.get(path)
    answer = awa.post(path)
    assert answer.status_code == 422
    assert "Aucune copie sûre" in answer.text
    assert "alert(1)" not in answer.text
    assert "data:" not in answer.text


def test_file_under_another_key_says_so(awa: Browser, phone: Sender) -> None:
    file = seal_up(media.photo())
    wrong = SealedFile(file.data, bytes(32), file.kind)
    path = at(*sent(phone, "a", wrong))
    awa.get(path)
    answer = awa.post(path)
    assert answer.status_code == 422
    assert "ne s&#39;ouvre pas avec la clé" in answer.text


def test_nothing_is_opened_of_what_was_taken_back(hub: Hub, awa: Browser, phone: Sender, photo: str) -> None:
    phone.send(operation("withdrawal", "w", {"complaint": an_id("a"), "scope": "all"}))
    awa.get(photo)
    answer = awa.post(photo)
    assert answer.status_code == 422
    assert "retiré sa plainte" in answer.text
    assert [act for act, _ in acts(hub)] == ["received"]


def test_no_log_line_has_a_name_or_a_byte_of_it(awa: Browser, phone: Sender, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    path = at(*sent(phone, "a", seal_up(media.photo(), NAME)))
    awa.get(path)
    awa.post(path)
    assert "Canari" not in caplog.text
    assert keyrings.newest(phone.hub.store) is not None
