"""Files on the device: sealed as they come, never in clear, never lost by a kill, let go when the hub has them."""

import errno
import hashlib
import itertools
import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from random import Random
from types import FrameType
from typing import Any

import pytest

from client_sync import files as files_module
from client_sync import outbox as outbox_module
from client_sync.answers import Needed
from client_sync.complaint import Answers, Attachment, Consent, build_complaint
from client_sync.errors import ContentRefused, FileRefused, StoreFull
from client_sync.file_seal import open_file, sealed_size
from client_sync.files import Files, Pending
from client_sync.obedience import obey
from client_sync.outbox import Outbox
from client_sync.protocol.frames import Header, from_text
from client_sync.protocol.keyring import FileLimits
from client_sync.stores import Folder
from client_sync.vault import Vault
from tests import media
from tests.client_sync.builders import (
    ADMINISTRATOR,
    NOW,
    SOFT,
    WORDS,
    answer,
    as_read,
    complaint,
    enrolled_outbox,
    order,
    record_id,
)

PHOTO = media.photo()
VOICE = media.voice()
KILLED = 9


@pytest.fixture
def vault(folder: Folder) -> None:
    Vault.create(folder, WORDS, SOFT).close()


def written(folder: Path, name: str = "photo.jpg", data: bytes = PHOTO) -> Path:
    """A file as a camera leaves it."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(data)
    return folder / name


def taken(outbox: Outbox, *sources: Path, **options: Any) -> tuple[Attachment, ...]:
    return tuple(outbox.files.take_in(source, now=NOW, **options) for source in sources)


def content_with(*attachments: Attachment) -> dict[str, Any]:
    answers = Answers(files=attachments, consent=Consent("C1"))
    return build_complaint(answers, now=NOW, receipt="7K4M-2QG")


def sent(outbox: Outbox, number: int, *attachments: Attachment) -> str:
    return outbox.finalise("complaint", content_with(*attachments), id=record_id(number))


def on_disk(folder: Folder) -> list[str]:
    return sorted(path.name for path in folder.files.iterdir()) if folder.files.exists() else []


def is_anywhere(folder: Folder, canary: bytes) -> bool:
    return any(canary in path.read_bytes() for path in folder.path.rglob("*") if path.is_file())


def told(outbox: Outbox, n: int, attachment: Attachment, **members: Any) -> None:
    change = {"n": n, "kind": "file", "id": record_id(1)[:8], "sha256": attachment.sha256, "state": "here"}
    outbox.apply(answer(changes=[change | members], cursor=str(n)), NOW)


# Taking in.


def test_what_is_taken_in_lies_sealed_and_opens_with_the_key_of_the_draft(
    outbox: Outbox, folder: Folder, tmp_path: Path, vault: None
) -> None:
    source = written(tmp_path, "ߖߌ.jpg")
    [photo] = taken(outbox, source)
    stream = (folder.files / photo.sha256).read_bytes()
    opened = open_file([stream], from_text(photo.key))
    assert b"".join(opened.chunks) == PHOTO == source.read_bytes()
    assert (opened.description.name, opened.description.type) == ("ߖߌ.jpg", "image/jpeg")
    assert (photo.kind, photo.role, photo.size) == ("photo", "evidence", sealed_size(len(PHOTO)))
    assert hashlib.sha256(stream).hexdigest() == photo.sha256
    assert not is_anywhere(folder, PHOTO[200:240])
    assert not is_anywhere(folder, from_text(photo.key))


def test_the_same_photo_of_two_complaints_has_two_keys_and_nothing_in_common(
    outbox: Outbox, tmp_path: Path, vault: None
) -> None:
    source = written(tmp_path)
    first, second = taken(outbox, source, source)
    assert (first.sha256 == second.sha256, first.key == second.key) == (False, False)


def test_a_voice_is_a_testimony_unless_it_is_said_to_be_something_else(
    outbox: Outbox, tmp_path: Path, vault: None
) -> None:
    voice = written(tmp_path, "voix.ogg", VOICE)
    assert [each.role for each in taken(outbox, voice)] == ["testimony"]
    assert [each.role for each in taken(outbox, voice, role="consent")] == ["consent"]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "file_empty"),
        (b"<html>", "file_type"),
        (PHOTO[:30], "file_broken"),
        (PHOTO + b"PK\x05\x06" + bytes(18), "file_mixed"),
    ],
)
def test_what_is_not_taken_says_why_and_leaves_nothing(
    outbox: Outbox, folder: Folder, tmp_path: Path, vault: None, data: bytes, why: str
) -> None:
    with pytest.raises(FileRefused) as refused:
        taken(outbox, written(tmp_path, "IMG_1.jpg", data))
    assert refused.value.details == {"why": why, "file": "IMG_1.jpg"}
    assert on_disk(folder) == []


def test_limits_are_those_of_the_keyring_counted_as_sent(outbox: Outbox, tmp_path: Path, vault: None) -> None:
    source = written(tmp_path)
    size = sealed_size(len(PHOTO))
    [first] = taken(outbox, source, limits=FileLimits(size, 2 * size))
    assert len(taken(outbox, source, limits=FileLimits(size, 2 * size), beside=[first])) == 1
    for limits, beside, why in (
        (FileLimits(size - 1, 2 * size), [], "file_heavy"),
        (FileLimits(size, 2 * size - 1), [first], "files_heavy"),
        (FileLimits(size, 10**9), [replace(first, size=1)] * 100, "files_many"),
    ):
        with pytest.raises(FileRefused) as refused:
            taken(outbox, source, limits=limits, beside=beside)
        assert refused.value.details["why"] == why


def test_a_file_that_is_not_there_or_still_changes_is_refused(
    outbox: Outbox, folder: Folder, tmp_path: Path, vault: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(FileRefused) as refused:
        taken(outbox, tmp_path / "nothing.jpg")
    assert refused.value.details["why"] == "file_unreadable"
    looked_at = files_module._looked_at

    def and_then_changed(file: Any, source: Path, at: str | None) -> Any:
        found = looked_at(file, source, at)
        source.write_bytes(PHOTO + b"more")
        return found

    monkeypatch.setattr(files_module, "_looked_at", and_then_changed)
    with pytest.raises(FileRefused) as refused:
        taken(outbox, written(tmp_path))
    assert (refused.value.details["why"], on_disk(folder)) == ("file_altered", [])


def test_a_full_disk_keeps_nothing_of_the_file_and_all_of_the_rest(
    outbox: Outbox, folder: Folder, tmp_path: Path, vault: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    [first] = taken(outbox, written(tmp_path))

    def full(*_: Any) -> Any:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(files_module.os, "fsync", full)
    with pytest.raises(StoreFull):
        taken(outbox, written(tmp_path))
    assert on_disk(folder) == [first.sha256]


# Finalising.


def test_facts_declare_what_is_sent_and_the_traces_alone_have_the_keys(
    outbox: Outbox, folder: Folder, tmp_path: Path, vault: None
) -> None:
    photo, voice = taken(outbox, written(tmp_path), written(tmp_path, "voix.ogg", VOICE))
    sent(outbox, 1, photo, voice)
    (_, line), _ = outbox.next_lines(0, 10**6)
    content = as_read(line)
    assert content["facts"]["clear"]["files"] == [
        {"sha256": photo.sha256, "size": photo.size, "kind": "photo", "role": "evidence"},
        {"sha256": voice.sha256, "size": voice.size, "kind": "audio", "role": "testimony"},
    ]
    assert content["traces"]["clear"]["media_keys"] == {each.sha256: each.key for each in (photo, voice)}
    assert photo.key.encode() not in line
    assert outbox.files.pending() == Pending(2, photo.size + voice.size)
    assert [state.kind for state in outbox.files.of(record_id(1))] == ["audio", "photo"]


def test_a_file_in_a_draft_waits_for_nobody(outbox: Outbox, tmp_path: Path, vault: None) -> None:
    taken(outbox, written(tmp_path))
    assert (outbox.files.pending(), outbox.holds_last_copies()) == (Pending(0, 0), False)


def test_a_complaint_is_not_closed_without_a_file_that_only_this_device_had(
    outbox: Outbox, folder: Folder, tmp_path: Path, vault: None
) -> None:
    photo, voice = taken(outbox, written(tmp_path), written(tmp_path, "voix.ogg", VOICE))
    (folder.files / voice.sha256).unlink()
    assert (outbox.files.holds(photo), outbox.files.holds(voice)) == (True, False)
    with pytest.raises(ContentRefused) as refused:
        sent(outbox, 1, photo, voice)
    assert refused.value.details["why"] == "file_gone"
    assert (outbox.records(), outbox.files.pending()) == ([], Pending(0, 0))
    sent(outbox, 1, photo)
    assert outbox.files.pending().count == 1


def test_a_draft_closed_twice_sends_its_files_once(outbox: Outbox, tmp_path: Path, vault: None) -> None:
    photos = taken(outbox, written(tmp_path))
    assert [sent(outbox, 1, *photos) for _ in range(2)] == [record_id(1)] * 2
    assert (len(outbox.records()), outbox.files.pending().count) == (1, 1)


def test_a_revision_of_the_facts_can_declare_the_files_again(outbox: Outbox, tmp_path: Path, vault: None) -> None:
    [photo] = taken(outbox, written(tmp_path))
    sent(outbox, 1, photo)
    assert outbox.files.declared(record_id(1)) == content_with(photo)["facts"]["clear"]["files"]


def killed_at(step: int, act: Callable[[], None]) -> bool:
    """Act in a process of its own that dies before a step; whether it came to that step.

    A step is a line of the modules that keep files and operations: what a kill can come between.
    """
    child = os.fork()
    if child == 0:
        lines = itertools.count(1)

        def dying(frame: FrameType, event: str, _: Any) -> Any:
            if frame.f_code.co_filename not in (files_module.__file__, outbox_module.__file__):
                return None
            if event == "line" and next(lines) == step:
                os._exit(KILLED)
            return dying

        try:
            sys.settrace(dying)
            act()
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == KILLED


def test_killed_at_any_step_of_taking_in_a_device_has_the_file_or_nothing_of_it(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "device")
    Vault.create(folder, WORDS, SOFT).close()
    enrolled_outbox(folder).close()
    source = written(tmp_path)

    def take() -> None:
        files = Files(folder, Outbox.open(folder)._database)
        files.take_in(source, now=NOW)

    step, killed = 0, True
    while killed:
        step += 7
        killed = killed_at(step, take)
        assert not is_anywhere(folder, PHOTO[200:240])
        outbox = Outbox.open(folder)
        left = on_disk(folder)
        rows = {row["sha256"] for row in outbox._database.query("SELECT sha256 FROM file")}
        assert set(left) <= rows
        outbox.files.drop_unsaved([], NOW + timedelta(days=2))
        assert on_disk(folder) == []
        outbox.close()
    assert step > 40


def test_killed_at_any_step_of_finalising_a_device_has_complaint_and_files_or_the_draft(tmp_path: Path) -> None:
    original = Folder(tmp_path / "original")
    Vault.create(original, WORDS, SOFT).close()
    outbox = enrolled_outbox(original)
    photos = taken(outbox, written(tmp_path), written(tmp_path, "voix.ogg", VOICE))
    content = content_with(*photos)
    outbox.close()
    closed, step, killed = [], 0, True
    while killed:
        step += 5
        folder = Folder(tmp_path / f"killed-{step}")
        shutil.copytree(original.path, folder.path)

        def close(folder: Folder = folder) -> None:
            Outbox.open(folder).finalise("complaint", content, id=record_id(1))

        killed = killed_at(step, close)
        outbox = Outbox.open(folder)
        records, pending = len(outbox.records()), outbox.files.pending().count
        assert (records, pending) in ((0, 0), (1, 2))
        assert on_disk(folder) == sorted(photo.sha256 for photo in photos)
        closed.append(records)
        outbox.finalise("complaint", content, id=record_id(1))
        assert (len(outbox.records()), outbox.files.pending().count) == (1, 2)
        outbox.close()
    assert closed == sorted(closed)
    assert set(closed) == {0, 1}


# What is left over.


def test_a_file_that_is_in_no_draft_goes_after_a_day(
    outbox: Outbox, folder: Folder, tmp_path: Path, vault: None
) -> None:
    kept, unsaved, finalised = taken(outbox, *[written(tmp_path)] * 3)
    sent(outbox, 1, finalised)
    outbox.files.drop_unsaved([kept], NOW + timedelta(hours=23))
    assert len(on_disk(folder)) == 3
    outbox.files.drop_unsaved([kept], NOW + timedelta(hours=25))
    assert on_disk(folder) == sorted([kept.sha256, finalised.sha256])


def test_a_file_taken_out_of_a_draft_is_gone_and_one_that_is_sent_is_not(
    outbox: Outbox, folder: Folder, tmp_path: Path, vault: None
) -> None:
    first, second = taken(outbox, *[written(tmp_path)] * 2)
    sent(outbox, 1, second)
    for each in (first, second):
        outbox.files.drop(each)
    assert on_disk(folder) == [second.sha256]


def test_what_another_process_is_writing_is_left_alone(
    outbox: Outbox, folder: Folder, tmp_path: Path, vault: None
) -> None:
    taken(outbox, written(tmp_path))
    half = folder.files / "a.new"
    with files_module._locked(half) as writing:
        outbox.files.sweep()
        assert half.exists()
        writing.write(b"x")
    outbox.files.sweep()
    assert not half.exists()


def test_with_the_vault_go_the_files_of_its_drafts_and_no_others(folder: Folder, tmp_path: Path, vault: None) -> None:
    outbox = enrolled_outbox(folder)
    drafted, finalised = taken(outbox, *[written(tmp_path)] * 2)
    sent(outbox, 1, finalised)
    outbox.close()
    folder.wipe_vault()
    outbox = Outbox.open(folder)
    assert (on_disk(folder), outbox.files.pending().count) == ([finalised.sha256], 1)
    outbox.close()


def test_a_wipe_leaves_no_file(folder: Folder, tmp_path: Path, vault: None) -> None:
    outbox = enrolled_outbox(folder)
    sent(outbox, 1, *taken(outbox, written(tmp_path)))
    outbox.close()
    folder.wipe()
    assert list(folder.path.iterdir()) == []


# Until the hub has them for good.


def at_the_centre(outbox: Outbox, position: int, **members: Any) -> None:
    """All that waits leaves and is stored, at a position."""
    with outbox.writing():
        lines = outbox.next_lines(0, 10**6)
        if lines:
            number = outbox.take_frame_number()
            outbox.put_in_flight(header_of(outbox, number), lines, 100)
    frames = outbox.in_flight()
    reports = [{"frame": frame.number, "n": len(lines)} for frame in frames]
    outbox.apply(answer(frames=reports, position=position, **members), NOW)


def header_of(outbox: Outbox, number: int) -> Header:
    enrolled = outbox.require_enrolled()
    return Header(enrolled.device, enrolled.hub, None, number, "2026-11-21T10:00:00Z")


def test_a_copy_goes_when_a_backup_holds_complaint_and_file(
    outbox: Outbox, folder: Folder, tmp_path: Path, vault: None
) -> None:
    [photo] = taken(outbox, written(tmp_path))
    sent(outbox, 1, photo)
    at_the_centre(outbox, 1, backed_up_to=1)
    assert (outbox.holds_last_copies(), on_disk(folder)) == (True, [photo.sha256])
    told(outbox, 1, photo)
    assert outbox.files.pending() == Pending(0, 0)
    # The backup may be older than the file: it covers nothing that was sent since.
    outbox.apply(answer(backed_up_to=1), NOW)
    assert on_disk(folder) == [photo.sha256]
    outbox.finalise("complaint", complaint(), id=record_id(2))
    at_the_centre(outbox, 2)
    outbox.apply(answer(backed_up_to=1), NOW)
    assert on_disk(folder) == [photo.sha256]
    outbox.apply(answer(backed_up_to=2), NOW)
    assert (on_disk(folder), outbox.holds_last_copies()) == ([], False)
    assert [state.state for state in outbox.files.of(record_id(1))] == ["here"]


def test_a_refused_file_stays_with_its_reason_and_no_longer_waits(
    outbox: Outbox, folder: Folder, tmp_path: Path, vault: None
) -> None:
    [photo] = taken(outbox, written(tmp_path))
    sent(outbox, 1, photo)
    told(outbox, 1, photo, state="refused", code="file_too_large")
    [state] = outbox.files.of(record_id(1))
    assert (state.state, state.code, outbox.files.pending().count) == ("refused", "file_too_large", 0)
    assert (outbox.holds_last_copies(), on_disk(folder)) == (True, [photo.sha256])


def test_changes_of_files_are_no_news_for_a_person(outbox: Outbox, tmp_path: Path, vault: None) -> None:
    [photo] = taken(outbox, written(tmp_path))
    sent(outbox, 1, photo)
    change = {"n": 3, "kind": "file", "id": record_id(1)[:8], "sha256": photo.sha256, "state": "here"}
    applied = outbox.apply(answer(changes=[change], cursor="3"), NOW)
    assert (applied.changes, applied.files, outbox.link.cursor) == (0, 1, "3")
    assert not outbox.record(record_id(1)).is_answered


def test_what_a_hub_says_of_files_that_are_none_of_ours_changes_nothing(
    outbox: Outbox, tmp_path: Path, vault: None
) -> None:
    [drafted] = taken(outbox, written(tmp_path))
    strangers = Attachment("ab" * 32, 5, "photo", "evidence", "k")
    for n, each in enumerate((drafted, strangers), 1):
        told(outbox, n, each)
    told(outbox, 3, drafted, state="anything")
    assert outbox.files.note_needed([Needed(each.sha256, 0) for each in (drafted, strangers)]) == []
    assert outbox.files.holds(drafted)


def test_after_a_restore_files_are_offered_again(outbox: Outbox, tmp_path: Path, vault: None) -> None:
    [photo] = taken(outbox, written(tmp_path))
    sent(outbox, 1, photo)
    told(outbox, 1, photo)
    outbox.apply(answer(epoch="bbbbbbbb"), NOW)
    assert outbox.files.pending() == Pending(1, photo.size)
    told_again = {"n": 9, "kind": "file", "id": record_id(1)[:8], "sha256": photo.sha256, "state": "here"}
    outbox.apply(answer(epoch="bbbbbbbb", changes=[told_again], cursor="9", reset="epoch"), NOW)
    assert outbox.files.pending().count == 0


def test_what_the_hub_wants_again_is_wanted_again(outbox: Outbox, tmp_path: Path, vault: None) -> None:
    [photo] = taken(outbox, written(tmp_path))
    sent(outbox, 1, photo)
    told(outbox, 1, photo)
    [wanted] = outbox.files.note_needed([Needed(photo.sha256, 100)])
    assert (wanted.offset, wanted.size, outbox.files.pending()) == (100, photo.size, Pending(1, photo.size - 100))


def test_voices_go_first_then_photos_the_smallest_first(outbox: Outbox, tmp_path: Path, vault: None) -> None:
    large = written(tmp_path, "large.jpg", PHOTO + Random(1).randbytes(9_000))
    sources = (large, written(tmp_path), written(tmp_path, "page.pdf", media.pages()))
    voices = (written(tmp_path, "voix.ogg", VOICE), written(tmp_path, "voix.amr", media.amr()))
    attachments = taken(outbox, *sources, *voices)
    sent(outbox, 1, *attachments)
    wanted = outbox.files.note_needed([Needed(each.sha256, 0) for each in attachments])
    order = [next(no for no, each in enumerate(attachments) if each.sha256 == want.sha256) for want in wanted]
    assert order == [4, 3, 1, 0, 2]


def test_a_wiped_device_goes_on_until_its_files_are_safe(folder: Folder, tmp_path: Path, vault: None) -> None:
    outbox = enrolled_outbox(folder)
    [photo] = taken(outbox, written(tmp_path))
    sent(outbox, 1, photo)
    at_the_centre(outbox, 1, backed_up_to=1)
    assert obey(outbox, [order(1, "wipe", by=ADMINISTRATOR)]) == ["wipe"]
    told(outbox, 1, photo)
    outbox.finalise("seen", {"changes": [1]})
    at_the_centre(outbox, 2, backed_up_to=2)
    assert obey(outbox, []) == ["erased"]
    assert list(folder.path.iterdir()) == []
