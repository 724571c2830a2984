"""Search texts: reading new and revised complaints for the words of their statements, apart from their intake."""

import json
from typing import Any, Final

from server.domain import revision
from server.domain.folding import search_words
from server.domain.permission import STRICT
from server.store import search_texts
from server.store.engine import Store
from server.store.search_texts import Reading, Source

# Complaints that one run reads at most; the next minute takes the rest.
READ_MAX: Final = 10_000
# Few enough that intake hardly waits for their one commit.
_PAGE: Final = 100
_TEXTS: Final = ("narrative", "summary", "service", "withhold_note")


def is_any_pending(store: Store) -> bool:
    """Whether any complaint waits to be read."""
    with store.read() as connection:
        return search_texts.is_any_pending(connection)


def read_pending(store: Store) -> int:
    """Read complaints that wait, READ_MAX at most, and keep their words; gives how many were read.

    Several hubs may do it at once, and a run that died is taken up where it was.
    """
    read = last = 0
    while read < READ_MAX:
        with store.read() as connection:
            sources = search_texts.pending(connection, last, _PAGE)
        if not sources:
            break
        readings = [Reading(each.complaint, each.state, _words(each)) for each in sources]
        with store.write() as connection:
            search_texts.keep(connection, readings)
        read, last = read + len(readings), sources[-1].complaint
    return read


def _words(source: Source) -> str:
    """The words of the statement as it stands, in no order of the person's; none where it is sealed or strict."""
    if source.state.confidentiality == STRICT:
        return ""
    applied = ((fields, _content(line)) for fields, line in source.revisions)
    current = revision.standing(_content(source.line), applied)
    clear = current.get("statement", {}).get("clear", {})
    return " ".join(search_words(*(clear[name] for name in _TEXTS if name in clear)))


def _content(line: bytes) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(line)["content"]
    return content
