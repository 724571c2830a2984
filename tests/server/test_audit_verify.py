"""The verifier as a file of its own: it needs no hub, catches every edit, and no line makes it fall over."""

import importlib.util
import json
import shutil
import subprocess
import sys
from pathlib import Path
from random import Random
from typing import Any

import pytest
from nacl.signing import SigningKey

from server.commands import audit_verify
from server.commands.audit_verify import BROKEN, NOTE, RESTORED, verify
from tests.log_edits import Members, Rewriter, checked, edits, is_caught, rewriter, written

# Every kind of edit, clumsy and signed again, ten times.
EDITS = 140
STRANGE: list[Any] = [None, True, -1, 2**70, 1.5, "", "x", "\ud800", [], [1], {}, {"size": "x"}]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Rewriter:
    return rewriter(tmp_path_factory.mktemp("rewriter"))


def _codes(made: Rewriter, lines: list[Members], level: str = BROKEN) -> set[str]:
    return {found.code for found in checked(made, lines).remarks if found.level == level}


def test_untouched_log_is_whole(made: Rewriter) -> None:
    assert made.signed_again(made.days) == made.lines
    assert checked(made, made.lines).remarks == []


def test_every_edit_is_caught(made: Rewriter) -> None:
    tried = list(edits(made, EDITS, seed=1))
    assert len(tried) == EDITS
    assert [kind for kind, lines in tried if not is_caught(made, lines)] == []


def test_without_a_witness_the_holder_of_the_key_goes_unnoticed_and_that_is_said(made: Rewriter) -> None:
    changed = next(lines for kind, lines in edits(made, EDITS, seed=2) if kind == "change, signed again")
    verdict = verify(written(changed), bytes(made.key.verify_key).hex())
    assert verdict.level == NOTE
    assert [found.code for found in verdict.remarks] == ["no_witness"]


def test_log_signed_by_another_key_is_not_this_hubs(made: Rewriter) -> None:
    other = Rewriter(made.hub, made.epoch, SigningKey.generate(), made.lines, made.days)
    lines = other.signed_again(made.days)
    lines[0] = lines[0] | {"key": bytes(other.key.verify_key).hex()}
    assert "signature_differs" in _codes(made, lines)
    mixed = verify(written(lines), None, [other.witness, made.witness])
    assert "witness_invalid" in {found.code for found in mixed.remarks}


def _restored(made: Rewriter, days: int, *, more: int) -> list[Members]:
    """The log of a hub that was put back to the end of a day and went on in a new epoch for some days."""
    leaf = {
        "action": "restore",
        "actor": "operator",
        "at": "2026-11-30T08:00:00+00:00",
        "details": {"epoch": "0badc0de", "from_epoch": made.epoch},
        "object": "hub",
        "words": "",
    }
    text = json.dumps(leaf, sort_keys=True, separators=(",", ":"))
    kept = made.signed_again(made.days[:days])
    went_on = [made.days[days + at] for at in range(more)]
    went_on[0] = [text, *went_on[0]]
    after = Rewriter(made.hub, "0badc0de", made.key, made.lines, [])
    lines = after.signed_again([*made.days[:days], *went_on])
    return [lines[0], *kept[1:], *lines[len(kept) :]]


def test_declared_restore_is_told_with_its_gap(made: Rewriter) -> None:
    lines = _restored(made, 2, more=1)
    verdict = checked(made, lines)
    assert verdict.level == RESTORED
    # Four days were witnessed, two were in the backup.
    assert [str(found) for found in verdict.remarks] == ["restored lost 8192 16384", "note restore 8192"]


def test_restore_that_lost_nothing_of_what_was_seen_is_only_noted(made: Rewriter) -> None:
    early = Rewriter(made.hub, made.epoch, made.key, made.signed_again(made.days[:2]), made.days[:2])
    verdict = checked(early, _restored(made, 2, more=2))
    assert (verdict.level, [found.code for found in verdict.remarks]) == (NOTE, ["restore"])


def test_restore_excuses_no_edit_of_what_the_backup_held(made: Rewriter) -> None:
    early = Rewriter(made.hub, made.epoch, made.key, made.signed_again(made.days[:2]), made.days[:2])
    edited = Rewriter(made.hub, made.epoch, made.key, made.lines, [made.days[0][1:], *made.days[1:]])
    assert _codes(early, _restored(edited, 2, more=1)) == {"witness_differs"}


def test_old_copy_put_back_without_a_word_is_no_restore(made: Rewriter) -> None:
    assert _codes(made, made.signed_again(made.days[:2])) == {"witness_ahead"}


def test_new_epoch_without_a_restore_is_told(made: Rewriter) -> None:
    lines = _restored(made, 2, more=1)
    restore = next(at for at, line in enumerate(lines) if '"action":"restore"' in line.get("leaf", ""))
    del lines[restore]
    assert "epoch_differs" in _codes(made, lines)


def test_what_a_device_told_the_hub_bears_witness_too(made: Rewriter) -> None:
    [*_, newest] = (line for line in made.lines if "anchor" in line)
    intake = {
        "action": "intake",
        "actor": "device:1",
        "at": "2026-11-30T08:00:00+00:00",
        "details": {"strange_anchors": [newest]},
        "object": "device:1",
        "words": "",
    }
    text = json.dumps(intake, sort_keys=True, separators=(",", ":"))
    key = bytes(made.key.verify_key).hex()
    put_back = verify(written(made.signed_again([made.days[0], [text]])), key)
    assert [str(found) for found in put_back.remarks if found.level == BROKEN] == ["broken witness_ahead 8192 16384"]


@pytest.mark.parametrize("strange", STRANGE, ids=repr)
def test_no_value_in_an_export_makes_it_fall_over(made: Rewriter, strange: Any) -> None:
    places = [*range(3), *(at for at, line in enumerate(made.lines) if "anchor" in line)]
    for at in places:
        for name in made.lines[at]:
            lines = [*made.lines[:at], made.lines[at] | {name: strange}, *made.lines[at + 1 :]]
            assert is_caught(made, lines) or name in ("log", "key")
    for name in json.loads(made.lines[1]["leaf"]):
        leaf = json.dumps(json.loads(made.lines[1]["leaf"]) | {name: strange, "details": {"strange_anchors": strange}})
        assert is_caught(made, [made.lines[0], made.lines[1] | {"leaf": leaf}, *made.lines[2:]])


def test_no_bytes_make_it_fall_over(made: Rewriter) -> None:
    chances = Random(1)
    whole = b"\n".join(written(made.lines))
    for _ in range(200):
        at = chances.randrange(len(whole))
        spoilt = whole[:at] + chances.randbytes(chances.randrange(4)) + whole[at + chances.randrange(4) :]
        if spoilt != whole:
            assert verify(spoilt.split(b"\n"), None, [made.witness]).level in (BROKEN, NOTE)
    assert verify([b""], None, [b"{}", b"\xff"]).level == BROKEN
    assert verify([]).level == BROKEN


# Isolated and without site-packages, where this checkout may be linked; PyNaCl lies in a folder of its own.
ALONE = """
import importlib.util, runpy, sys
_, libraries, *sys.argv = sys.argv
sys.path.append(libraries)
if importlib.util.find_spec("server") or importlib.util.find_spec("client_sync"):
    sys.exit("this interpreter has the hub")
runpy.run_path(sys.argv[0], run_name="__main__")
"""
PYNACL = ("nacl", "cffi", "pycparser", "_cffi_backend")


def _alone(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The verifier copied away, in a fresh interpreter that has PyNaCl and nothing of the hub."""
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir(exist_ok=True)
    shutil.copyfile(audit_verify.__file__, elsewhere / "verify.py")
    for name in PYNACL:
        found = importlib.util.find_spec(name)
        if found is not None and found.origin is not None:
            origin = Path(found.origin)
            library = origin.parent if found.submodule_search_locations else origin
            link = elsewhere / "libraries" / library.name
            link.parent.mkdir(exist_ok=True)
            if not link.exists():
                link.symlink_to(library)
    command = [sys.executable, "-I", "-S", "-c", ALONE, str(elsewhere / "libraries"), "verify.py", *arguments]
    return subprocess.run(command, cwd=elsewhere, capture_output=True, text=True, check=False, env={})


def test_one_file_in_a_fresh_interpreter_without_the_hub_is_enough(made: Rewriter, tmp_path: Path) -> None:
    log, witness = tmp_path / "log.jsonl", tmp_path / "anchor.json"
    log.write_bytes(b"\n".join(written(made.lines)))
    witness.write_bytes(made.witness)
    key = bytes(made.key.verify_key).hex()

    whole = _alone(tmp_path, str(log), "--key", key, "--witness", str(witness))
    assert (whole.returncode, whole.stderr) == (0, "")
    assert whole.stdout.splitlines()[-1].startswith("anchor 2026-11-24 16384 ")

    log.write_bytes(b"\n".join(written(made.signed_again(made.days[:3]))))
    cut = _alone(tmp_path, str(log), "--key", key, "--witness", str(witness))
    assert (cut.returncode, cut.stdout.splitlines()[0]) == (1, "broken witness_ahead 12288 16384")

    log.write_bytes(b"\n".join(written(_restored(made, 3, more=1))))
    assert _alone(tmp_path, str(log), "--key", key, "--witness", str(witness)).returncode == 3
