"""Summaries: written by one person, read by another, in a line only then, and gone with their complaint."""

from pathlib import Path

import pytest

from server.domain.errors import NotFound, PackageRefused
from server.hub import Hub
from server.services import retention
from server.services.commission import preparing, summarising
from server.store import packages
from tests.builders import Person, Sender, add_person
from tests.case_work import at_desk
from tests.commission import arrest, chosen, lay_down, prepared, quarter_over

NUMBER = "SRE-2026-000001"
TEXT = "Arrêtée au marché, gardée quatre jours sans motif écrit."


@pytest.fixture
def ready(hub: Hub, awa: Person, phone: Sender) -> Hub:
    """Five complaints that are alike; of the first somebody wrote a summary."""
    lay_down(hub, awa)
    phone.send(*(arrest(f"plain {n}") for n in range(5)))
    summarising.write(hub.store, at_desk(hub, awa), NUMBER, TEXT)
    quarter_over(hub)
    return hub


def said(hub: Hub, who: Person) -> set[str]:
    return {each.said.get("summary", "") for each in chosen(hub, who).lines({})}


def test_summary_leaves_once_a_second_person_has_read_it(ready: Hub, awa: Person, binta: Person) -> None:
    package = prepared(ready, awa)
    assert said(ready, awa) == {""}
    look = preparing.look(ready.store, at_desk(ready, binta), ready.secrets.pepper, package.number.text)
    assert (look.blockers, look.unreviewed) == (("key_missing", "summaries"), 1)
    [waiting] = summarising.unreviewed(ready.store, at_desk(ready, binta), [1, 2, 3, 4, 5])
    assert (waiting.number, waiting.text, waiting.is_own) == (NUMBER, TEXT, False)
    with pytest.raises(PackageRefused) as refused:
        summarising.review(ready.store, at_desk(ready, awa), NUMBER, waiting.at)
    assert refused.value.values["fault"] == "same_writer"
    summarising.review(ready.store, at_desk(ready, binta), NUMBER, waiting.at)
    assert said(ready, awa) == {"", TEXT}
    assert summarising.unreviewed(ready.store, at_desk(ready, binta), [1]) == []


def test_summary_that_was_written_anew_is_read_anew(ready: Hub, awa: Person, binta: Person) -> None:
    before = summarising.of(ready.store, at_desk(ready, binta), NUMBER)
    assert before is not None
    ready.clock.pass_(minutes=1)  # type: ignore[attr-defined]
    summarising.write(ready.store, at_desk(ready, awa), NUMBER, "Autre chose.")
    with pytest.raises(PackageRefused) as refused:
        summarising.review(ready.store, at_desk(ready, binta), NUMBER, before.at)
    assert refused.value.values["fault"] == "summary_anew"


@pytest.mark.parametrize("text", ["", "   ", "x" * 601, "a\x00b"])
def test_what_is_no_summary_is_refused(ready: Hub, awa: Person, text: str) -> None:
    with pytest.raises(PackageRefused) as refused:
        summarising.write(ready.store, at_desk(ready, awa), NUMBER, text)
    assert refused.value.values == {"fault": "summary", "most": summarising.MAX_CHARS}


def test_who_does_not_handle_a_complaint_neither_writes_nor_reads_of_it(ready: Hub) -> None:
    mopti = add_person(ready, "Moussa", teams=["mopti"])
    for act in (
        lambda: summarising.write(ready.store, at_desk(ready, mopti), NUMBER, TEXT),
        lambda: summarising.of(ready.store, at_desk(ready, mopti), NUMBER),
        lambda: summarising.unreviewed(ready.store, at_desk(ready, mopti), [1]),
    ):
        with pytest.raises(NotFound):
            act()


def test_erased_complaint_leaves_no_summary(ready: Hub, awa: Person, tmp_path: Path) -> None:
    keeping = retention.keeping(ready.settings, ready.secrets.database, ready.depot)
    retention.erase(ready.store, at_desk(ready, awa), NUMBER, "la personne le demande", keeping)
    with ready.store.read() as connection:
        assert packages.summaries(connection, [1]) == {}
