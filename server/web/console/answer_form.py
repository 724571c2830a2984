"""What somebody says of a package, item by item: ticked by its destination, or typed from its paper slip."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from flask import request
from werkzeug.datastructures import FileStorage

from server.domain.packages import VERDICTS, Word
from server.services.commission import answering
from server.services.commission.answering import Slip
from server.web.console.package_view import Told

# References on one page: so many go down a thin link in a moment.
SHOWN: Final = 40
# What says that all is accepted of which nothing was said.
_ALL: Final = "all"


@dataclass(frozen=True)
class Sheet:
    """References on one page of all that a package says; `at` counts from 1. `edited`: the one that is put right."""

    rows: Sequence[Told]
    at: int
    of: int
    whole: int
    settled: int
    edited: str

    @property
    def is_open(self) -> bool:
        """Whether a field stands on it."""
        return any(not each.verdict or each.ref == self.edited for each in self.rows)


def sheet(told: Sequence[Told]) -> Sheet:
    """The page that was asked for, by `at`; with a reference to put right, the one that has it."""
    edited = request.values.get("edit", "")
    of = max(-(-len(told) // SHOWN), 1)
    at = min(max(request.values.get("at", 1, int), 1), of)
    found = next((no for no, each in enumerate(told) if each.ref == edited), None)
    at = at if found is None else found // SHOWN + 1
    settled = sum(bool(each.verdict) for each in told)
    return Sheet(told[(at - 1) * SHOWN : at * SHOWN], at, of, len(told), settled, edited)


def upload() -> FileStorage | None:
    """The file of the form, where one was chosen."""
    file = request.files.get("file")
    return file if file is not None and file.filename else None


def said() -> object:
    """What stands in the file of the form. Raises PackageRefused (`answer_unreadable`)."""
    file = upload()
    return answering.unpacked(b"" if file is None else file.read())


def slip(told: Sequence[Told], digits: str) -> Slip:
    """What the form says, under its head."""
    form = request.form
    given = words(told, form)
    return Slip(form.get("digits", digits), form.get("received", ""), form.get("by", ""), given)


def words(told: Sequence[Told], form: Mapping[str, str]) -> list[Word]:
    """What the form says of each reference; of one of which it says nothing, nothing."""
    is_all = form.get("do") == _ALL
    found = list[Word]()
    for each in told:
        verdict = next((code for code in VERDICTS if code == form.get(f"verdict-{each.ref}")), None)
        if verdict is None and is_all and not each.verdict:
            verdict = "accepted"
        if verdict is not None:
            kept = "file_number" if verdict == "accepted" else "reason"
            found.append(Word(each.ref, verdict, **{kept: form.get(f"{kept}-{each.ref}", "").strip()}))
    return found


def lacks(given: Sequence[Word]) -> str:
    """The reference that is rejected without a word why; empty where there is none."""
    return next((each.ref for each in given if each.verdict == "rejected" and not each.reason), "")
