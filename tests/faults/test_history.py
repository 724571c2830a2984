"""The checker of the fault runs: each kind of harm is named, and nothing else."""

from pathlib import Path

import pytest

from tests.faults.history import Findings, History, check


def test_sound_run_finds_nothing(tmp_path: Path) -> None:
    with History(tmp_path / "history") as history:
        for record in ("kept", "aside", "came-through", "went-under"):
            history.invoke(record)
        history.acknowledged("kept")
        history.acknowledged("aside")
        history.unknown("came-through")
        history.pulled("Mopti 2", "1")
        history.pulled("Mopti 2", "2")

        findings = check(
            history,
            {"kept": 1, "came-through": 1},
            {"aside"},
            units=[("kept", "came-through"), ("absent", "absent too")],
            changes={"Mopti 2": ["1", "2"]},
        )

    assert findings == Findings()


def test_each_kind_of_harm_is_named(tmp_path: Path) -> None:
    with History(tmp_path / "history") as history:
        for record in ("lost", "twice", "both", "unknown-twice", "half"):
            history.invoke(record)
        for record in ("lost", "twice", "both"):
            history.acknowledged(record)
        history.unknown("unknown-twice")

        findings = check(
            history,
            {"twice": 2, "both": 1, "unknown-twice": 2, "half": 1, "foreign": 1},
            ["both"],
            units=[("half", "half's event")],
        )

    assert findings == Findings(
        lost=("lost",),
        doubled=("both", "twice", "unknown-twice"),
        half=(("half",),),
        unexpected=("foreign",),
    )


@pytest.mark.parametrize(
    ("pulled", "missed"),
    [
        ("123", ""),
        ("13", "2"),
        ("1223", "2"),
        ("132", "2"),
        ("12", "3"),
        ("1234", "4"),
        ("", "123"),
    ],
)
def test_changes_have_to_come_once_each_in_order(pulled: str, missed: str) -> None:
    events = [{"event": "pulled", "device": "Ségou 3", "change": change} for change in pulled]

    findings = check(events, {}, changes={"Ségou 3": "123"})

    assert findings.missed_changes == tuple(("Ségou 3", change) for change in missed)


def test_line_cut_short_by_a_kill_is_left_out(tmp_path: Path) -> None:
    with History(tmp_path / "history") as history:
        history.invoke("whole")
        with history.path.open("ab") as raw:
            raw.write(b'{"event": "invoke", "rec')
        assert [event["record"] for event in history] == ["whole"]


def test_unheard_of_event_is_refused() -> None:
    with pytest.raises(ValueError, match="acknowleged"):
        check([{"event": "acknowleged", "record": "typo"}], {})
