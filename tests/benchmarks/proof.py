"""Before anything is measured: the hub does check signatures, limits and records, else no figure means anything."""

import json
from random import Random
from typing import Any, Final

from server.domain.allowance import Refill
from tests.benchmarks.harness import HubProcess, Sender, Void, enrol, fresh_folder, opened
from tests.benchmarks.load import Caller, complaint_lines

_RECORDS: Final = 20
_LESS_THAN_A_FRAME: Final = Refill(_RECORDS - 1, 10**9, 1, 1)


def prove_checks() -> None:
    """Start the hub as it is measured and see that bad input gets its verdict. Raises Void."""
    rng = Random(1)
    with fresh_folder() as folder:
        with opened(folder) as hub:
            sound, limited, forger = enrol(hub), enrol(hub, _LESS_THAN_A_FRAME), enrol(hub)
        forger.key = sound.key
        with HubProcess(folder) as process:
            first = complaint_lines(rng, _RECORDS)
            _require(_report(process, sound, first), {"frame": 1, "n": _RECORDS})
            _require_forged(_report(process, forger, complaint_lines(rng, _RECORDS)))
            _require(_report(process, limited, complaint_lines(rng, _RECORDS)), {"frame": 1, "unread": "over_limit"})
            _require_bad_record(_report(process, sound, _with_bad_day(complaint_lines(rng, _RECORDS))))
            _require(_report(process, sound, first), {"frame": 3, "n": _RECORDS, "already_held": [[0, _RECORDS - 1]]})


def _report(process: HubProcess, sender: Sender, lines: list[bytes]) -> dict[str, Any]:
    with Caller(process.address, sender) as caller:
        status, answer = caller.send(sender.body(lines))
    members = json.loads(answer) if status == 200 else {}
    reports: list[dict[str, Any]] = members.get("frames", [])
    if len(reports) != 1:
        raise Void(f"no report on a frame: {status} {answer[:300]!r}")
    return reports[0]


def _require_forged(report: dict[str, Any]) -> None:
    named = report.get("named", [])
    verdicts = {(record["verdict"], record["code"]) for record in named}
    if len(named) != _RECORDS or verdicts != {("quarantined", "frame_signature")}:
        raise Void(f"a wrong signature got {report}")


def _require_bad_record(report: dict[str, Any]) -> None:
    bad = {"at": 0, "verdict": "quarantined", "code": "date_impossible", "field": "facts.entered_at"}
    _require(report, {"frame": 2, "n": _RECORDS, "named": [bad]})


def _with_bad_day(lines: list[bytes]) -> list[bytes]:
    """The lines, the first with a day that no calendar has; still canonical."""
    operation = json.loads(lines[0])
    entered_at = operation["content"]["facts"]["clear"]["entered_at"]
    return [lines[0].replace(entered_at.encode(), b"2026-02-30" + entered_at[10:].encode()), *lines[1:]]


def _require(report: dict[str, Any], expected: dict[str, Any]) -> None:
    if report != expected:
        raise Void(f"the hub said {report}, not {expected}")
