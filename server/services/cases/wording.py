"""Wording: what entries of a timeline and their codes are called, in the words of who reads them."""

from collections.abc import Iterable, Mapping
from typing import Any

from server.domain.casework import BODY
from server.domain.timeline import FOR, TOLD_BY
from server.i18n import Catalogue
from server.services.cases import phrases
from server.store.timeline import Entry

_NOBODY = "–"


def status(texts: Catalogue, code: str) -> str:
    """A status."""
    return texts.text(f"cases.status_{code}")


def way(texts: Catalogue, code: str) -> str:
    """A way of telling somebody."""
    return texts.text(f"cases.way_{code}")


def reasons(texts: Catalogue, codes: Iterable[str]) -> str:
    """Reasons one after the other, a dash for none."""
    return ", ".join(texts.text(f"cases.reason_{code}") for code in codes) or _NOBODY


def by(texts: Catalogue, name: str, entry: Entry, named: Mapping[str, str]) -> str:
    """Who left an entry: a person's `name`, empty for the hub, and in whose place; `named`: accounts by id."""
    who = name or texts.text("cases.the_hub")
    if FOR not in entry.fields:
        return who
    return texts.text("cases.by_deputy", name=who, account=named.get(entry.fields[FOR], _NOBODY))


def done(texts: Catalogue, entry: Entry, named: Mapping[str, str]) -> str:
    """What an entry says was done; `named`: accounts by id."""
    fields = entry.fields
    if "complaints" in fields and entry.undoes is None:
        return texts.plural(f"cases.entry_{entry.code}", len(fields["complaints"]))
    said = texts.text(f"cases.entry_{entry.code}", no=entry.undoes, **_named(texts, fields, named))
    codes = dict.fromkeys(code for name, code in fields.get("given", {}).items() if name != BODY)
    return texts.text("cases.entry_why", what=said, reasons=reasons(texts, codes)) if codes else said


def _named(texts: Catalogue, fields: Mapping[str, Any], accounts: Mapping[str, str]) -> dict[str, str]:
    """Words for all that the fields of an entry name."""
    found = {name: status(texts, fields[end]) for name, end in (("source", "from"), ("to", "to")) if end in fields}
    if TOLD_BY in fields:
        found[TOLD_BY] = way(texts, fields[TOLD_BY])
    if "package" in fields:
        found["package"] = fields["package"]
    if "account" in fields:
        found["account"] = accounts.get(fields["account"], _NOBODY)
    return found | _of_bodies(texts, fields) | _of_acts(texts, fields) | _of_deadlines(texts, fields)


def _of_bodies(texts: Catalogue, fields: Mapping[str, Any]) -> dict[str, str]:
    told = fields | fields.get("given", {})
    found = {BODY: phrases.body_word(texts, told[BODY])} if BODY in told else {}
    if "programme" in fields and "outcome" in fields:
        found["outcome"] = texts.text(f"outcome.{fields['programme']}.{fields['outcome']}")
    return found


def _of_acts(texts: Catalogue, fields: Mapping[str, Any]) -> dict[str, str]:
    found = {"state": phrases.finding(texts, fields["state"])} if "state" in fields else {}
    if "act" in fields:
        found["act"] = phrases.kind(texts, fields["act"])
    if "act" in fields and "reason" in fields:
        again = texts.text(f"verification.reopening_{fields['reason']}")
        found["act"] = f"{found['act']} ({again})"
    return found


def _of_deadlines(texts: Catalogue, fields: Mapping[str, Any]) -> dict[str, str]:
    if "deadline" not in fields:
        return {}
    found = {"kind": texts.text(f"deadline.{fields['deadline']}")}
    if "reason" in fields:
        found["reason"] = texts.text(f"deadline.reason_{fields['reason']}")
    if "answer" in fields:
        found["answer"] = texts.text(f"cases.answer_{fields['answer']}")
    return found
