"""Parcels: what a carrier can read, what comes back, and what an old reply may not do."""

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Any

import pytest
from click.testing import CliRunner
from nacl.public import PublicKey, SealedBox
from nacl.signing import SigningKey

from client_sync.bundle import (
    AppliedReply,
    CarriedParcel,
    read_parcel_file,
    replies_to_hand_back,
    write_file_parcels,
    write_parcel,
)
from client_sync.cli import main
from client_sync.client import SyncClient, SyncReport
from client_sync.complaint import Answers, Consent, build_complaint
from client_sync.errors import (
    ClientError,
    NothingToSend,
    ParcelForAnotherHub,
    ParcelUnreadable,
    ReplyForAnotherDevice,
)
from client_sync.files import Pending
from client_sync.outbox import Outbox
from client_sync.protocol.canonical import Unreadable, canonical
from client_sync.protocol.coding import inflate
from client_sync.protocol.frames import Frame, read_frames, to_text
from client_sync.protocol.limits import BODY_MAX_BYTES
from client_sync.protocol.orders import reply_digest
from client_sync.protocol.parts import Part, parts_digest, read_parts, write_parts
from client_sync.stores import Folder
from client_sync.transport import HttpTransport
from client_sync.vault import Vault
from tests import media
from tests.client_sync.builders import (
    ADMINISTRATOR,
    DEVICE,
    EPOCH,
    HUB,
    HUB_BOX,
    HUB_SIGN,
    NOW,
    SOFT,
    WORDS,
    answer,
    complaint,
    enrolled_outbox,
    enrolment,
    order,
    record_id,
)
from tests.client_sync.scripted_hub import Broken, ScriptedHub, http, said

CARRIER = record_id(0xCA)


@pytest.fixture
def carrier(folder: Folder) -> Iterator[Outbox]:
    """The outbox of another device of the same hub."""
    outbox = Outbox.open(Folder(folder.path / "carrier"))
    outbox.keep_enrolment(enrolment(device=CARRIER, lineage=CARRIER))
    yield outbox
    outbox.close()


def parcel_of(outbox: Outbox) -> bytes:
    return write_parcel(outbox, now=NOW, version="0.1.0")


def opened(parcel: bytes) -> tuple[dict[str, Any], list[Frame]]:
    """What the hub finds in a parcel."""
    line, _, box = parcel.partition(b"\n")
    head = json.loads(line)
    body = inflate(SealedBox(HUB_BOX).decrypt(box)[: head.get("body")], head["coding"], head.get("dictionary"))
    return head, list(read_frames(body.data))


def reply_to(parcel: bytes, *, key: SigningKey = HUB_SIGN, **members: Any) -> bytes:
    """The reply of a hub that stored all that was in the parcel."""
    head, frames = opened(parcel)
    reports = [{"frame": frame.header.frame, "n": len(frame.lines)} for frame in frames if frame.lines]
    said = {"now": "2026-11-21T10:00:00Z", "epoch": EPOCH, "position": 1, "frames": reports} | members
    box = SealedBox(PublicKey(bytes(enrolment().keys.box.public_key))).encrypt(json.dumps(said).encode())
    first = {
        "device": head["device"],
        "hub": head["hub"],
        "parcel": head["parcel"],
        "seere_reply": 1,
        "sig": to_text(key.sign(reply_digest(box)).signature),
    }
    return canonical(first) + b"\n" + box


def reported(outbox: Outbox, *replies: bytes) -> tuple[ScriptedHub, SyncReport]:
    with ScriptedHub(*replies) as hub:
        transport = HttpTransport(hub.url)
        client = SyncClient(outbox, transport, now=lambda: NOW, rng=Random(1), version="0.1.0")
        report = client.sync()
        transport.close()
    return hub, report


def synced(outbox: Outbox, *replies: bytes) -> ScriptedHub:
    return reported(outbox, *replies)[0]


def posted(hub: ScriptedHub) -> list[bytes]:
    return [heard.body for heard in hub.heard if heard.path == "/api/v1/parcels"]


def answered(reply: bytes) -> bytes:
    return http(200, reply, "application/octet-stream")


@pytest.fixture
def two_carried(outbox: Outbox, carrier: Outbox) -> list[bytes]:
    """Two parcels of one device, on board of the carrier."""
    outbox.finalise("complaint", complaint())
    parcels = [parcel_of(outbox), parcel_of(outbox)]
    for parcel in parcels:
        read_parcel_file(carrier, parcel, now=NOW)
    return parcels


def test_a_parcel_holds_what_waits_and_only_the_hub_opens_it(outbox: Outbox) -> None:
    outbox.finalise("complaint", complaint("le nom du commissaire"))
    parcel = parcel_of(outbox)
    head, [frame] = opened(parcel)
    assert (head["device"], head["hub"], head["parcel"], head["count"]) == (DEVICE, HUB, 1, 1)
    assert "commissaire" in frame.lines[0].decode()
    assert frame.is_signed_by(SigningKey(b"s" * 32).verify_key)
    assert b"commissaire" not in parcel
    assert outbox.unsent() == 1


def test_parcels_are_numbered_and_hold_again_what_no_answer_came_for(outbox: Outbox) -> None:
    outbox.finalise("complaint", complaint())
    first = opened(parcel_of(outbox))
    outbox.finalise("complaint", complaint())
    second = opened(parcel_of(outbox))
    assert (second[0]["parcel"], second[0]["count"]) == (2, 2)
    assert first[1][0].digest in [frame.digest for frame in second[1]]


def test_with_nothing_waiting_there_is_no_parcel(outbox: Outbox) -> None:
    with pytest.raises(NothingToSend):
        parcel_of(outbox)


def test_a_reply_settles_what_was_in_the_parcel_once(outbox: Outbox) -> None:
    outbox.finalise("complaint", complaint())
    reply = reply_to(parcel_of(outbox), missing_parcels=[4], orders=[order(1, "revoke")])
    done = read_parcel_file(outbox, reply, now=NOW)
    assert isinstance(done, AppliedReply)
    assert (done.parcel, done.applied.stored, done.missing, done.orders) == (1, 1, (4,), ("revoke",))
    assert [record.state for record in outbox.records()] == ["at_centre"]
    again = read_parcel_file(outbox, reply, now=NOW)
    assert isinstance(again, AppliedReply)
    assert (again.applied.stored, again.orders) == (0, ())


def test_a_reply_from_before_a_restore_that_we_heard_of_proves_nothing(outbox: Outbox) -> None:
    outbox.finalise("complaint", complaint())
    late = reply_to(parcel_of(outbox))
    outbox.apply(answer(epoch="bbbbbbbb"), NOW)
    read_parcel_file(outbox, late, now=NOW)
    assert (outbox.waiting(), outbox.link.epoch) == (1, "bbbbbbbb")


def test_a_reply_that_brings_a_new_epoch_is_believed(outbox: Outbox) -> None:
    outbox.finalise("complaint", complaint())
    read_parcel_file(outbox, reply_to(parcel_of(outbox)), now=NOW)
    outbox.finalise("complaint", complaint())
    read_parcel_file(outbox, reply_to(parcel_of(outbox), epoch="bbbbbbbb"), now=NOW)
    assert (outbox.link.epoch, outbox.waiting()) == ("bbbbbbbb", 1)


def test_a_carrier_posts_a_parcel_after_its_own_and_brings_the_reply_back(outbox: Outbox, carrier: Outbox) -> None:
    outbox.finalise("complaint", complaint())
    parcel = parcel_of(outbox)
    for _ in range(2):
        assert read_parcel_file(carrier, parcel, now=NOW) == CarriedParcel(DEVICE, 1)
    reply = reply_to(parcel)
    hub = synced(carrier, said(), http(200, reply, "application/octet-stream"))
    assert [heard.path for heard in hub.heard] == ["/api/v1/sync", "/api/v1/parcels"]
    assert hub.heard[1].body == parcel
    assert hub.heard[1].headers["authorization"] == f"Bearer {'t' * 43}"

    [carried] = replies_to_hand_back(carrier)
    assert (carried.device, carried.parcel, carried.reply) == (DEVICE, 1, reply)
    assert len(synced(carrier, said()).heard) == 1
    read_parcel_file(outbox, reply, now=NOW)
    assert outbox.waiting() == 0
    carrier.carrying.drop(carried)
    assert [*carrier.carrying.each()] == []


def test_a_parcel_that_the_hub_cannot_open_is_dropped_and_one_that_it_may_later_is_kept(
    outbox: Outbox, carrier: Outbox
) -> None:
    outbox.finalise("complaint", complaint())
    read_parcel_file(carrier, parcel_of(outbox), now=NOW)
    synced(carrier, said(), said(503, code="busy"))
    assert len([*carrier.carrying.each()]) == 1
    synced(carrier, said(), http(200, b"<html>portail</html>", "text/html"))
    assert len([*carrier.carrying.each()]) == 1
    synced(carrier, said(), said(400, code="parcel_unreadable"))
    assert [*carrier.carrying.each()] == []


@pytest.mark.parametrize(
    "refusal",
    [said(403, code="device_unconfirmed"), said(500, code="server_error"), said(507, code="storage_full")],
)
def test_a_parcel_that_is_refused_lets_the_next_one_by_and_is_tried_again(
    carrier: Outbox, two_carried: list[bytes], refusal: bytes
) -> None:
    first, second = two_carried
    hub, report = reported(carrier, said(), refusal, answered(reply_to(second)))
    assert posted(hub) == [first, second]
    assert (report.is_whole, report.refused_code, report.carried) == (True, None, 1)
    assert [carried.refused is None for carried in [*carrier.carrying.each()]] == [True, False]
    hub, report = reported(carrier, said(), answered(reply_to(first)))
    assert (posted(hub), report.carried) == ([first], 1)
    assert [carried.refused for carried in [*carrier.carrying.each()]] == [None, None]


@pytest.mark.parametrize("code", ["body_empty", "body_too_large", "body_unreadable", "frame_version"])
def test_a_parcel_that_no_hub_takes_is_posted_again_only_when_it_is_handed_in_again(
    carrier: Outbox, two_carried: list[bytes], code: str
) -> None:
    first, second = two_carried
    _, report = reported(carrier, said(), said(400, code=code), answered(reply_to(second)))
    assert (report.is_whole, report.carried) == (True, 1)
    assert posted(synced(carrier, said())) == []
    assert [carried.refused for carried in [*carrier.carrying.each()]] == [None, code]
    read_parcel_file(carrier, first, now=NOW)
    assert posted(synced(carrier, said(), answered(reply_to(first)))) == [first]


@pytest.mark.parametrize("portal", [http(413, b"<html>", "text/html"), Broken(b"")])
def test_a_parcel_that_does_not_get_through_goes_last_next_time(
    carrier: Outbox, two_carried: list[bytes], portal: bytes
) -> None:
    first, second = two_carried
    _, report = reported(carrier, said(), portal)
    assert report.cut
    hub = synced(carrier, said(), answered(reply_to(second)), answered(reply_to(first)))
    assert posted(hub) == [second, first]


def test_a_forged_file_does_not_keep_the_honest_one_off_the_road(outbox: Outbox, carrier: Outbox) -> None:
    outbox.finalise("complaint", complaint())
    honest = parcel_of(outbox)
    forged = honest.partition(b"\n")[0] + b"\n" + SealedBox(HUB_BOX.public_key).encrypt(b"nothing")
    for parcel in (forged, honest):
        read_parcel_file(carrier, parcel, now=NOW)
    hub = synced(carrier, said(), said(400, code="parcel_unreadable"), answered(reply_to(honest)))
    assert posted(hub) == [forged, honest]
    [carried] = replies_to_hand_back(carrier)
    read_parcel_file(outbox, carried.reply or b"", now=NOW)
    assert outbox.waiting() == 0


def test_a_parcel_larger_than_a_hub_takes_is_not_carried(outbox: Outbox, carrier: Outbox) -> None:
    outbox.finalise("complaint", complaint())
    parcel = parcel_of(outbox)
    read_parcel_file(carrier, parcel.ljust(BODY_MAX_BYTES, b"\0"), now=NOW)
    with pytest.raises(ParcelUnreadable):
        read_parcel_file(carrier, parcel.ljust(BODY_MAX_BYTES + 1, b"\0"), now=NOW)
    assert len([*carrier.carrying.each()]) == 1


def test_files_that_are_not_for_us_say_what_they_are(outbox: Outbox, carrier: Outbox) -> None:
    outbox.finalise("complaint", complaint())
    parcel = parcel_of(outbox)
    reply = reply_to(parcel)
    head, box = json.loads(parcel.partition(b"\n")[0]), parcel.partition(b"\n")[2]
    other_hub = canonical(head | {"hub": record_id(1)}) + b"\n" + box
    cases: list[tuple[Outbox, bytes, type[ClientError]]] = [
        (outbox, b"a photograph", ParcelUnreadable),
        (outbox, b"", ParcelUnreadable),
        (outbox, b"{}\n", ParcelUnreadable),
        (outbox, reply[:-1], ParcelUnreadable),
        (outbox, reply_to(parcel, key=SigningKey(b"f" * 32)), ParcelUnreadable),
        (outbox, reply_to(parcel, now="yesterday"), ParcelUnreadable),
        (outbox, other_hub, ParcelForAnotherHub),
        (carrier, reply, ReplyForAnotherDevice),
    ]
    for reader, data, problem in cases:
        with pytest.raises(problem):
            read_parcel_file(reader, data, now=NOW)
    assert outbox.waiting() == 1


def test_an_order_to_wipe_that_a_colleague_brings_is_obeyed_and_told(
    folder: Folder, outbox: Outbox, tmp_path: Path
) -> None:
    Vault.create(folder, WORDS, SOFT).close()
    outbox.finalise("complaint", complaint())
    reply = tmp_path / "colis.retour"
    reply.write_bytes(reply_to(parcel_of(outbox), orders=[order(1, "wipe", by=ADMINISTRATOR)]))
    arguments = ["--folder", str(folder.path)]
    told = CliRunner().invoke(main, [*arguments, "bundle", "read", str(reply)], prog_name="carnet").output
    assert "Brouillons et réponses sont effacés." in told
    assert (folder.vault_key.exists(), folder.machine_key.exists()) == (False, True)
    assert "Cet appareil a été effacé à distance" in CliRunner().invoke(main, arguments, prog_name="carnet").output


# Files.


def photographed(outbox: Outbox, folder: Path, number: int, *sizes: int) -> dict[str, bytes]:
    """A closed complaint with photos; what of them is on the device, by hash."""
    taken = []
    for size in sizes:
        (folder / "a.jpg").write_bytes(media.photo() + Random(size).randbytes(size))
        taken.append(outbox.files.take_in(folder / "a.jpg", now=NOW))
    answers = Answers(files=tuple(taken), consent=Consent("C1"))
    outbox.finalise("complaint", build_complaint(answers, now=NOW, receipt="7K4M-2QG"), id=record_id(number))
    return {each.sha256: (outbox.folder.files / each.sha256).read_bytes() for each in taken}


def packed(outbox: Outbox, most_bytes: int = 10**9, *, again: bool = False) -> list[bytes]:
    """The parcels of one medium, written."""
    parcels = []
    for parcel in write_file_parcels(outbox, now=NOW, version="0.1.0", most_bytes=most_bytes, again=again):
        outbox.files.note_packed(parcel.packed)
        parcels.append(parcel.data)
    return parcels


def unpacked(parcels: Iterable[bytes]) -> dict[str, bytes]:
    """What a hub has of files after these parcels: parts that leave a gap are passed over."""
    arrived: dict[str, bytes] = {}
    for parcel in parcels:
        line, _, box = parcel.partition(b"\n")
        head, plain = json.loads(line), SealedBox(HUB_BOX).decrypt(box)
        [frame] = read_frames(inflate(plain[: head["body"]], head["coding"], head.get("dictionary")).data)
        parts = plain[head["body"] :]
        assert frame.is_signed_by(SigningKey(b"s" * 32).verify_key)
        assert (frame.header.parts, frame.header.files, frame.lines) == (parts_digest(parts), True, ())
        for part in read_parts(parts):
            here = arrived.setdefault(part.sha256, b"")
            if part.offset <= len(here):
                arrived[part.sha256] = here + part.data[len(here) - part.offset :]
    return arrived


@pytest.mark.parametrize("most_bytes", [10**9, 500_000, 333_333])
def test_files_go_over_as_many_media_as_they_need_and_come_out_as_they_were(
    outbox: Outbox, tmp_path: Path, most_bytes: int
) -> None:
    files = photographed(outbox, tmp_path, 1, 700_000, 20_000, 500_000)
    size = sum(map(len, files.values()))
    media_written = [packed(outbox, most_bytes) for _ in range(-(-size // most_bytes))]
    with pytest.raises(NothingToSend):
        packed(outbox)
    parcels = [parcel for medium in media_written for parcel in medium]
    assert unpacked(parcels) == files
    assert all(sum(map(len, medium)) <= most_bytes * 1.02 for medium in media_written)
    assert all(len(parcel) < 512 * 2**10 for parcel in parcels)
    assert not any(data[100:140] in parcel for parcel in parcels for data in files.values())


def test_what_a_lost_medium_held_goes_again_from_where_the_hub_is(outbox: Outbox, tmp_path: Path) -> None:
    [(sha256, whole)] = photographed(outbox, tmp_path, 1, 900_000).items()
    first, _lost, *_ = packed(outbox)
    assert unpacked([first])[sha256] == whole[: len(unpacked([first])[sha256])]
    here = len(unpacked([first])[sha256])
    text = parcel_of(outbox)
    read_parcel_file(outbox, reply_to(text, need=[{"sha256": sha256, "offset": here}]), now=NOW)
    assert outbox.files.pending() == Pending(1, len(whole) - here)
    with pytest.raises(NothingToSend):
        packed(outbox)
    assert unpacked([first, *packed(outbox, again=True)]) == {sha256: whole}


def test_the_reply_to_the_last_part_says_that_the_file_is_there(outbox: Outbox, tmp_path: Path) -> None:
    [sha256] = photographed(outbox, tmp_path, 1, 100)
    read_parcel_file(outbox, reply_to(parcel_of(outbox)), now=NOW)
    change = {"n": 1, "kind": "file", "id": record_id(1)[:8], "sha256": sha256, "state": "here"}
    read_parcel_file(outbox, reply_to(parcel_of_files(outbox), changes=[change], cursor="1"), now=NOW)
    assert outbox.files.pending() == Pending(0, 0)


def parcel_of_files(outbox: Outbox) -> bytes:
    [parcel] = packed(outbox)
    return parcel


def test_a_part_that_was_not_written_is_in_the_next_medium(outbox: Outbox, tmp_path: Path) -> None:
    files = photographed(outbox, tmp_path, 1, 700_000)
    written, *_ = write_file_parcels(outbox, now=NOW, version="0.1.0", most_bytes=10**9)
    outbox.files.note_packed(written.packed)
    assert unpacked([written.data, *packed(outbox)]) == files


def test_the_program_packs_files_and_a_colleague_takes_them_all(folder: Folder, tmp_path: Path) -> None:
    with closing(enrolled_outbox(folder)) as outbox:
        files = photographed(outbox, tmp_path, 1, 700_000, 600_000)
    stick = tmp_path / "stick"
    stick.mkdir()
    program = ["--folder", str(folder.path), "bundle", "pack", str(stick), "--most"]
    first = CliRunner().invoke(main, [*program, "1"], prog_name="carnet")
    assert (first.exit_code, "Il reste" in first.output) == (0, True)
    second = CliRunner().invoke(main, [*program, "1"], prog_name="carnet")
    assert "Toutes les pièces qui attendaient" in second.output
    carrier = Folder(tmp_path / "carrier")
    with closing(Outbox.open(carrier)) as colleague:
        colleague.keep_enrolment(enrolment(device=CARRIER, lineage=CARRIER))
    parcels = sorted(map(str, stick.iterdir()))
    assert unpacked(Path(parcel).read_bytes() for parcel in parcels) == files
    read = CliRunner().invoke(main, ["--folder", str(carrier.path), "bundle", "read", *parcels], prog_name="carnet")
    assert read.exit_code == 0
    with closing(Outbox.open(carrier)) as colleague:
        assert len([*colleague.carrying.each()]) == len(parcels)


@pytest.mark.parametrize("damage", [lambda data: data[:-1], lambda data: data[1:], lambda data: b"x" * 300 + data])
def test_parts_that_are_damaged_are_not_read(damage: Callable[[bytes], bytes]) -> None:
    with pytest.raises(Unreadable):
        list(read_parts(damage(write_parts([Part("ab" * 32, 5, b"bytes")]))))
