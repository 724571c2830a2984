"""Copies in packages: of whose files there are any, what is in them and what is not, and what stops them."""

import csv
import hashlib
import io
import json
import tracemalloc
import zipfile
from dataclasses import replace
from io import BytesIO
from random import randbytes
from typing import Any

import av
import pyrage
import pytest
import sqlalchemy as sa
from PIL import Image

from server.domain.errors import PackageRefused
from server.domain.people import HeldKeys
from server.domain.working_copy import Made
from server.hub import Hub
from server.press import closed_pieces, hand_over, press_of, seal
from server.services import retention
from server.services.commission import carrying, preparing, sealing, serials, transmitting, verifying
from server.services.commission.verifying import Verified
from server.services.evidence import copies
from server.services.vault import pieces
from server.store import audit, packages
from server.store import pieces as kept
from server.store.evidence_tables import custody, piece
from server.store.packages import Package
from server.store.schema import opening
from tests import media
from tests.builders import ROOT, Person, Sender, an_id, enrolled, operation, publish_keyring
from tests.case_work import at_desk
from tests.commission import CNDH, PERSONS, chosen, consent, lay_down, prepared, quarter_over
from tests.evidence_work import SealedFile, complaint_with, pieces_of, seal_up, send_up, sent

# Each copy is made by a process of its own.
pytestmark = pytest.mark.ci

SHARED = consent("C3", "cndh", share_media=True)
FACTS: dict[str, Any] = {
    "kinds": ["HR-ARR"],
    "place": {"id": "ml-c-bla", "list": "2026.1"},
    "persons": PERSONS,
    "money": None,
}

COPY_BYTES = 4_000_000


@pytest.fixture
def key() -> pyrage.x25519.Identity:
    """The key of the commission."""
    return pyrage.x25519.Identity.generate()


@pytest.fixture
def phone(hub: Hub, awa: Person, binta: Person, key: pyrage.x25519.Identity) -> Sender:
    """A device, that seals to both, of a hub whose packages go to the commission."""
    publish_keyring(hub, bytes(ROOT))
    lay_down(hub, awa)
    shown = serials.set_key(hub.store, at_desk(hub, awa), CNDH.code, str(key.to_public()))
    serials.confirm_key(hub.store, at_desk(hub, awa), CNDH.code, shown)
    return enrolled(hub, "Ségou 1", team="segou")


def tell(phone: Sender, name: str, *files: SealedFile, **facts: Any) -> list[int]:
    """A complaint with files, all of which arrive; gives their pieces."""
    return sent(phone, name, *files, **FACTS | {"consent": SHARED} | facts)


def made_ready(hub: Hub, awa: Person) -> Package:
    """A package, prepared once the quarter is over."""
    quarter_over(hub)
    return prepared(hub, awa)


def approved(hub: Hub, who: Person, package: Package) -> Package:
    return seal(hub, at_desk(hub, who), package.number.text, package.choice)


def opened(hub: Hub, package: Package, key: pyrage.x25519.Identity) -> dict[str, bytes]:
    """What its destination finds in it, by the names of the files."""
    file = press_of(hub).folder / sealing.file_name(package.number.text, by_passphrase=False)
    with zipfile.ZipFile(io.BytesIO(pyrage.decrypt(file.read_bytes(), [key]))) as archive:
        return {name.removeprefix(f"{package.number.text}/data/"): archive.read(name) for name in archive.namelist()}


def copied(files: dict[str, bytes]) -> list[str]:
    return sorted(name for name in files if name.startswith("pieces/"))


def table(files: dict[str, bytes]) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(files["pieces.csv"].decode("utf-8-sig")), delimiter=";"))


def acts(hub: Hub, id: int) -> list[tuple[str, str]]:
    with hub.store.read() as connection:
        return [(each.act, each.reason) for each in kept.custody_of(connection, id)]


def fault(hub: Hub, who: Person, package: Package) -> str:
    with pytest.raises(PackageRefused) as refused:
        approved(hub, who, package)
    return str(refused.value.values["fault"])


def lowered(phone: Sender, name: str, now: dict[str, Any]) -> None:
    """What a person allows from here on."""
    phone.send(operation("consent_change", f"{name} lowered", {"complaint": an_id(name), "consent": now}, seq=9))


def test_named_line_takes_copies_that_betray_nobody(
    hub: Hub, awa: Person, binta: Person, phone: Sender, key: pyrage.x25519.Identity
) -> None:
    photo, voice = tell(phone, "a", seal_up(media.photo(), "Awa Canari.jpg"), seal_up(media.voice()))
    package = approved(hub, binta, made_ready(hub, awa))
    files = opened(hub, package, key)
    [ref] = {each["ref"] for each in table(files)}
    assert copied(files) == [f"pieces/{ref}-1.jpg", f"pieces/{ref}-2.ogg"]
    picture = Image.open(BytesIO(files[f"pieces/{ref}-1.jpg"]))
    assert (picture.format, picture.size, dict(picture.getexif())) == ("JPEG", (800, 600), {})
    with av.open(BytesIO(files[f"pieces/{ref}-2.ogg"])) as heard:
        assert heard.streams.audio[0].codec_context.name in ("opus", "libopus")
    for name, data in files.items():
        assert media.BETRAYS.encode() not in data, name
        assert b"Awa Canari" not in data, name
    assert package.counts["pieces"] == 2
    assert package.counts["pieces_held"] == {}
    number = package.number.text
    assert acts(hub, photo) == [("received", ""), ("exported", number)]
    assert acts(hub, voice) == [("received", ""), ("exported", number)]


def test_package_says_which_file_goes_with_which_line(
    hub: Hub, awa: Person, binta: Person, phone: Sender, key: pyrage.x25519.Identity
) -> None:
    tell(phone, "a", seal_up(media.pages(2)))
    tell(phone, "b", seal_up(media.photo(colour="blue")))
    package = approved(hub, binta, made_ready(hub, awa))
    files = opened(hub, package, key)
    refs = {line["ref"] for line in json.loads(files["plaintes.json"])["lines"] if line.get("name")}
    told = table(files)
    assert {each["ref"] for each in told} == refs
    assert sorted(each["nature"] for each in told) == ["Document", "Document", "Photo"]
    assert {each["objet"] for each in told} == {"Pièce à l'appui"}
    assert {each["fichier"].partition("-1")[2] for each in told} == {"-1.jpg", "-2.jpg", ".jpg"}
    for each in told:
        assert each["sha256"] == hashlib.sha256(files[each["fichier"]]).hexdigest()
    manifest = {each["name"]: each["sha256"] for each in json.loads(files["manifest.json"])["files"]}
    assert {f"data/{each['fichier']}": each["sha256"] for each in told}.items() <= manifest.items()
    page = files["bordereau.html"].decode()
    assert "copies refaites, sans lieu ni appareil" in page
    # As every small number of the paper.
    assert "&lt; 5" in page.split("copies refaites")[0].rsplit("<p>", 1)[1]
    codes = files["codes.csv"].decode("utf-8-sig")
    assert "pieces;nature_code;video;Vidéo" in codes


def test_package_without_pieces_is_as_it_always_was(
    hub: Hub, awa: Person, binta: Person, phone: Sender, key: pyrage.x25519.Identity
) -> None:
    tell(phone, "a", consent=SHARED)
    files = opened(hub, approved(hub, binta, made_ready(hub, awa)), key)
    assert "pieces.csv" not in files
    assert not copied(files)
    assert "copies refaites" not in files["bordereau.html"].decode()
    assert "nature_code" not in files["codes.csv"].decode("utf-8-sig")


NOT_SHARED = [
    consent("C3", "cndh"),
    consent("C3", "cndh", share_media=False),
    consent("C3", "gendarmerie", share_media=True),
    consent("C2", "cndh", share_media=True),
    consent("C1", share_media=True),
    consent("C3", "cndh", share_media=True, withhold="fear"),
]


@pytest.mark.parametrize("allowed", NOT_SHARED, ids=lambda each: json.dumps(each))
def test_nothing_goes_that_its_person_did_not_let_that_very_body_have(
    hub: Hub, awa: Person, phone: Sender, allowed: dict[str, Any]
) -> None:
    tell(phone, "a", seal_up(media.photo()), consent=allowed)
    quarter_over(hub)
    choice = chosen(hub, awa)
    assert not choice.enclosing
    assert choice.held_back() == {}
    assert choice.counts()["pieces"] == 0


def test_who_asks_for_no_files_sends_none_while_others_do(
    hub: Hub, awa: Person, binta: Person, phone: Sender, key: pyrage.x25519.Identity
) -> None:
    [own] = tell(phone, "shared", seal_up(media.photo()))
    [_, other] = tell(phone, "kept", seal_up(media.photo(colour="blue")), consent=consent("C3", "cndh"))
    files = opened(hub, approved(hub, binta, made_ready(hub, awa)), key)
    assert len(copied(files)) == 1
    assert acts(hub, own)[-1][0] == "exported"
    assert acts(hub, other) == [("received", "")]
    with hub.store.read() as connection:
        # Those of who sends none are not so much as opened.
        rows = sa.select(opening.c.complaint).where(opening.c.compartment == "traces")
        assert connection.scalars(rows).all() == [kept.find(connection, own).complaint]  # type: ignore[union-attr]


def test_piece_that_is_not_here_is_held_back_and_said(hub: Hub, awa: Person, phone: Sender) -> None:
    here, awaited, refused = (seal_up(media.photo(colour=each)) for each in ("red", "blue", "green"))
    phone.send(complaint_with(phone, "a", here, awaited, refused, **FACTS | {"consent": SHARED}))
    send_up(phone, here)
    with hub.store.write() as connection:
        last = kept.find(connection, pieces_of(phone)[-1])
        assert last is not None
        kept.settle(connection, last, "refused", hub.clock(), "too_large")
    quarter_over(hub)
    choice = chosen(hub, awa)
    assert [[each.no for each in line.pieces] for line in choice.enclosing] == [[1]]
    assert choice.held_back() == {"awaited": 1, "refused": 1}


@pytest.mark.parametrize("role", ["paper_form", "consent", "other"])
def test_papers_that_name_others_never_leave(hub: Hub, awa: Person, phone: Sender, role: str) -> None:
    tell(phone, "a", seal_up(media.photo()))
    with hub.store.write() as connection:
        connection.execute(sa.update(piece).values(role=role))
    quarter_over(hub)
    assert not chosen(hub, awa).enclosing
    assert chosen(hub, awa).held_back() == {"role": 1}


def test_what_is_covered_is_covered_in_the_copy(
    hub: Hub, awa: Person, binta: Person, phone: Sender, key: pyrage.x25519.Identity
) -> None:
    [id] = tell(phone, "a", seal_up(media.two_colours()))
    pieces.cover(hub.store, at_desk(hub, awa), id, 0, (0, 0, 500, 1000))
    files = opened(hub, approved(hub, binta, made_ready(hub, awa)), key)
    picture = Image.open(BytesIO(files[copied(files)[0]]))
    above, below = picture.getpixel((100, 50)), picture.getpixel((100, 550))
    seen_above, seen_below = picture.getpixel((700, 50)), picture.getpixel((700, 550))
    assert _distance(above, below) < 12
    assert _distance(seen_above, seen_below) > 200


@pytest.mark.parametrize(
    "now", [consent("C3", "cndh", share_media=False), consent("C2", share_media=True), consent("C3", "cndh")]
)
def test_consent_that_is_lowered_after_the_look_stops_it(
    hub: Hub, awa: Person, binta: Person, phone: Sender, now: dict[str, Any]
) -> None:
    [id] = tell(phone, "a", seal_up(media.photo()))
    package = made_ready(hub, awa)
    lowered(phone, "a", now)
    assert fault(hub, binta, package) == "changed"
    assert acts(hub, id) == [("received", "")]


def test_piece_that_comes_or_is_covered_after_the_look_stops_it(
    hub: Hub, awa: Person, binta: Person, phone: Sender
) -> None:
    first, second = seal_up(media.photo()), seal_up(media.photo(colour="blue"))
    phone.send(complaint_with(phone, "a", first, second, **FACTS | {"consent": SHARED}))
    send_up(phone, first)
    package = made_ready(hub, awa)
    send_up(phone, second)
    assert fault(hub, binta, package) == "changed"
    again = preparing.prepare_anew(hub.store, at_desk(hub, awa), hub.secrets.pepper, package.number.text)
    pieces.cover(hub.store, at_desk(hub, awa), pieces_of(phone)[0], 0, (0, 0, 10, 10))
    assert fault(hub, binta, again) == "changed"


@pytest.mark.parametrize("what", ["lowered", "covered", "arrived"])
def test_what_changes_while_it_is_sealed_stops_it(
    hub: Hub, awa: Person, binta: Person, phone: Sender, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = seal_up(media.photo()), seal_up(media.photo(colour="blue"))
    phone.send(complaint_with(phone, "a", first, second, **FACTS | {"consent": SHARED}))
    send_up(phone, first)
    package, copy = made_ready(hub, awa), copies.working_copy

    def meanwhile(*given: Any) -> Any:
        if what == "lowered":
            lowered(phone, "a", consent("C3", "cndh"))
        elif what == "covered":
            pieces.cover(hub.store, at_desk(hub, awa), pieces_of(phone)[0], 0, (0, 0, 10, 10))
        else:
            send_up(phone, second)
        return copy(*given)

    monkeypatch.setattr("server.press.working_copy", meanwhile)
    assert fault(hub, binta, package) == "changed"
    assert not list(press_of(hub).folder.glob("*.zip*"))
    assert "exported" not in {act for act, _ in acts(hub, pieces_of(phone)[0])}


def test_file_of_which_no_copy_can_be_made_is_held_back_and_the_rest_goes(
    hub: Hub, awa: Person, binta: Person, phone: Sender, key: pyrage.x25519.Identity
) -> None:
    bad, good = tell(phone, "a", seal_up(b"no picture", media_type="image/jpeg"), seal_up(media.photo()))
    package = approved(hub, binta, made_ready(hub, awa))
    files = opened(hub, package, key)
    assert [name.rpartition("-")[2] for name in copied(files)] == ["2.jpg"]
    assert (package.counts["pieces"], package.counts["pieces_held"]) == (1, {"unreadable": 1})
    assert acts(hub, bad) == [("received", "")]
    assert acts(hub, good)[-1] == ("exported", package.number.text)
    assert len(table(files)) == 1


def test_file_that_its_key_does_not_open_is_held_back(
    hub: Hub, awa: Person, binta: Person, phone: Sender, key: pyrage.x25519.Identity
) -> None:
    real = seal_up(media.photo())
    tell(phone, "a", replace(real, key=bytes(32)))
    package = approved(hub, binta, made_ready(hub, awa))
    assert package.counts["pieces_held"] == {"altered": 1}
    assert "pieces.csv" not in opened(hub, package, key)


def test_piece_that_no_key_in_hand_opens_is_held_back_and_said_before(
    hub: Hub, awa: Person, binta: Person, phone: Sender, key: pyrage.x25519.Identity
) -> None:
    [id] = tell(phone, "a", seal_up(media.photo()))
    package = made_ready(hub, awa)
    prepared_now = preparing.look(hub.store, at_desk(hub, binta), hub.secrets.pepper, package.number.text)
    assert closed_pieces(hub, at_desk(hub, binta), prepared_now) == 0
    bare = replace(at_desk(hub, binta), keys=HeldKeys({}))
    assert closed_pieces(hub, bare, prepared_now) == 1
    assert prepared_now.choice.held_back(1) == {"no_key": 1}
    handed = hand_over(hub, bare, package.number.text)
    [private] = binta.keys.private.values()
    names = carrying.open_names(handed.file, private, handed.words)
    sealed = seal(hub, bare, package.number.text, package.choice, names=names.file)
    assert sealed.counts["pieces_held"] == {"no_key": 1}
    assert not copied(opened(hub, sealed, key))
    assert acts(hub, id) == [("received", "")]


def test_opening_is_in_the_log_as_that_of_names_is(hub: Hub, awa: Person, binta: Person, phone: Sender) -> None:
    tell(phone, "a", seal_up(media.photo()), seal_up(media.photo(colour="blue")))
    package = approved(hub, binta, made_ready(hub, awa))
    number = package.number.text
    with hub.store.read() as connection:
        looks = connection.execute(sa.select(opening.c.account, opening.c.compartment, opening.c.reason)).all()
        assert sorted(looks) == [(binta.actor.id, "identity", number), (binta.actor.id, "traces", number)]
        told = [each for _, each in audit.events(connection) if each.action in ("open", "piece_exported")]
        assert [(each.action, each.actor) for each in told] == [
            ("open", binta.actor.signature),
            ("open", binta.actor.signature),
            ("piece_exported", binta.actor.signature),
        ]
        assert all(number in (each.words or "") for each in told)
        assert set(connection.scalars(sa.select(custody.c.by).where(custody.c.act == "exported"))) == {
            binta.actor.signature
        }


def test_erased_complaint_takes_its_pieces_with_it(hub: Hub, awa: Person, binta: Person, phone: Sender) -> None:
    tell(phone, "a", seal_up(media.photo()))
    package = made_ready(hub, awa)
    _erase(hub, awa)
    assert fault(hub, binta, package) == "changed"
    assert not chosen(hub, awa).enclosing


def test_sealed_package_does_not_leave_once_a_face_was_covered_or_files_may_not_be_shared(
    hub: Hub, awa: Person, binta: Person, phone: Sender
) -> None:
    [id] = tell(phone, "a", seal_up(media.photo()))
    package = approved(hub, binta, made_ready(hub, awa))
    hub.clock.pass_(hours=1)  # type: ignore[attr-defined]
    pieces.cover(hub.store, at_desk(hub, awa), id, 0, (0, 0, 10, 10))
    assert _left(hub, awa, package) == "lapsed"
    desk = at_desk(hub, awa)
    preparing.cancel(hub.store, desk, package.number.text, "Un visage se voyait.")
    package = approved(hub, binta, prepared(hub, awa))
    hub.clock.pass_(hours=1)  # type: ignore[attr-defined]
    lowered(phone, "a", consent("C3", "cndh"))
    assert _left(hub, awa, package) == "lapsed"


def test_line_that_left_is_told_anew_when_its_files_may_not_be_shared_any_more(
    hub: Hub, awa: Person, binta: Person, phone: Sender
) -> None:
    tell(phone, "a", seal_up(media.photo()))
    package = approved(hub, binta, made_ready(hub, awa))
    assert _left(hub, awa, package) == ""
    assert not chosen(hub, awa).voids
    lowered(phone, "a", consent("C3", "cndh"))
    choice = chosen(hub, awa)
    assert [each.why for each in choice.voids] == ["changed"]
    assert len(choice.named) == 1
    assert not choice.enclosing


def test_piece_that_comes_after_its_line_left_follows_in_the_next_package(
    hub: Hub, awa: Person, binta: Person, phone: Sender
) -> None:
    first, second = seal_up(media.photo()), seal_up(media.photo(colour="blue"))
    phone.send(complaint_with(phone, "a", first, second, **FACTS | {"consent": SHARED}))
    send_up(phone, first)
    package = approved(hub, binta, made_ready(hub, awa))
    assert _left(hub, awa, package) == ""
    send_up(phone, second)
    choice = chosen(hub, awa)
    assert [each.why for each in choice.voids] == ["changed"]
    assert [[each.no for each in line.pieces] for line in choice.enclosing] == [[1, 2]]


def test_piece_that_is_lost_here_is_not_asked_back_from_who_has_its_copy(
    hub: Hub, awa: Person, binta: Person, phone: Sender
) -> None:
    [id] = tell(phone, "a", seal_up(media.photo()))
    assert _left(hub, awa, approved(hub, binta, made_ready(hub, awa))) == ""
    with hub.store.write() as connection:
        kept.await_again(connection, [id])
    assert not chosen(hub, awa).voids


def test_line_is_not_told_anew_because_its_pieces_are_counted_otherwise(
    hub: Hub, awa: Person, binta: Person, phone: Sender
) -> None:
    first, _ = tell(phone, "a", seal_up(media.photo()), seal_up(media.photo(colour="blue")))
    assert _left(hub, awa, approved(hub, binta, made_ready(hub, awa))) == ""
    with hub.store.write() as connection:
        connection.execute(sa.update(piece).values(no=3).where(piece.c.id == first))
    assert not chosen(hub, awa).voids


def test_something_else_that_is_covered_after_its_line_left_is_told_anew(
    hub: Hub, awa: Person, binta: Person, phone: Sender
) -> None:
    [id] = tell(phone, "a", seal_up(media.photo()))
    assert _left(hub, awa, approved(hub, binta, made_ready(hub, awa))) == ""
    pieces.cover(hub.store, at_desk(hub, awa), id, 0, (0, 0, 10, 10))
    assert [each.why for each in chosen(hub, awa).voids] == ["changed"]


def test_same_package_is_the_same_bytes_with_pieces_too(hub: Hub, awa: Person, binta: Person, phone: Sender) -> None:
    tell(phone, "a", seal_up(media.photo()), seal_up(media.voice()), seal_up(media.film()), seal_up(media.pages()))
    package = made_ready(hub, awa)
    first = approved(hub, binta, package)
    with hub.store.write() as connection:
        packages.set_items(connection, package.id, [])
        packages.change(connection, package.id, state="prepared", sealed_at=None, manifest=None)
    again = approved(hub, binta, package)
    assert first.counts["pieces"] == 4
    assert (first.zip, first.manifest) == (again.zip, again.manifest)
    assert first.file != again.file


def test_package_with_pieces_is_found_whole(
    hub: Hub, awa: Person, binta: Person, phone: Sender, key: pyrage.x25519.Identity
) -> None:
    tell(phone, "a", seal_up(media.photo()), seal_up(media.voice()))
    package = approved(hub, binta, made_ready(hub, awa))
    file = press_of(hub).folder / sealing.file_name(package.number.text, by_passphrase=False)
    whole = hub.settings.data / "ouvert.zip"
    whole.write_bytes(pyrage.decrypt(file.read_bytes(), [key]))
    found = verifying.verify(hub.store, at_desk(hub, awa), whole, press_of(hub).signer)
    assert isinstance(found, Verified)
    assert (found.package.number, found.form) == (package.number, "zip")
    cut = hub.settings.data / "sans.zip"
    with zipfile.ZipFile(whole) as archive, zipfile.ZipFile(cut, "w") as other:
        for name in archive.namelist():
            other.writestr(name, archive.read(name) + (b" " if name.endswith(".ogg") else b""))
    with pytest.raises(PackageRefused) as refused:
        verifying.verify(hub.store, at_desk(hub, awa), cut, press_of(hub).signer)
    assert refused.value.values["fault"] == "bag_altered"
    assert str(refused.value.values["name"]).endswith(".ogg")


def test_pieces_of_a_complaint_that_was_revised_have_names_of_their_own(
    hub: Hub, awa: Person, binta: Person, phone: Sender, key: pyrage.x25519.Identity
) -> None:
    tell(phone, "a", seal_up(media.photo()), seal_up(media.photo(colour="blue")))
    with hub.store.write() as connection:
        connection.execute(sa.update(piece).values(no=1))
    package = approved(hub, binta, made_ready(hub, awa))
    assert len(copied(opened(hub, package, key))) == 2


def test_copies_of_one_piece_are_in_memory_at_a_time(
    hub: Hub, awa: Person, binta: Person, phone: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    tell(phone, "a", *(seal_up(media.photo(colour=f"#0000{no:02}")) for no in range(24)))
    package = made_ready(hub, awa)
    monkeypatch.setattr("server.press.working_copy", lambda *_: Made([randbytes(COPY_BYTES)], b""))
    tracemalloc.start()
    try:
        approved(hub, binta, package)
        # Beside them it is the rest of a package, and its workbook above all.
        assert tracemalloc.get_traced_memory()[1] < 10 * COPY_BYTES
    finally:
        tracemalloc.stop()


def _left(hub: Hub, who: Person, package: Package) -> str:
    """Why it does not leave; empty where it did."""
    try:
        transmitting.note_left(hub.store, at_desk(hub, who), package.number.text)
    except PackageRefused as refused:
        return str(refused.values["fault"])
    return ""


def _erase(hub: Hub, who: Person) -> None:
    keeping = retention.keeping(hub.settings, hub.secrets.database, hub.depot)
    retention.erase(hub.store, at_desk(hub, who), "SRE-2026-000001", "La personne le demande.", keeping)


def _distance(one: Any, other: Any) -> int:
    return max(abs(a - b) for a, b in zip(one, other, strict=True))
