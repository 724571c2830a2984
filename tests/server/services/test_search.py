"""Search on both engines: words of clear statements are found by whoever may read them, and leave without a trace."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from server.domain.permission import OPERATOR, Actor
from server.domain.places import Gazetteer, Place
from server.hub import Hub
from server.scheduler import JOBS, run_if_due
from server.services import places, retention, search_texts
from server.services.cases import lookup
from server.services.cases.lookup import Query
from server.store import complaints, recipients, schema, scopes
from server.store import search_texts as stored
from tests.builders import (
    COORDINATOR,
    NOW,
    Clock,
    Sender,
    add_person,
    an_id,
    clear_content,
    complaint,
    content,
    enrolled,
    facts,
    open_test_hub,
    operation,
    revision,
    said,
    sealed,
    sealed_keys,
)
from tests.server.services.test_retention import image

LIMIT = 50
PLACES = Gazetteer(
    "2026.1",
    tuple(
        place
        for name in ("Gao", "Mopti")
        for place in (
            Place(f"ml-r-{name.lower()}", name, "region", None),
            Place(f"ml-c-{name.lower()}", name, "cercle", f"ml-r-{name.lower()}"),
        )
    ),
)


@pytest.fixture
def own_hub(hub_url: str, tmp_path: Path) -> Iterator[Hub]:
    """A hub that seals no more statements than it must."""
    hub = open_test_hub(hub_url, tmp_path, Clock(), seal_statement="strict")
    yield hub
    hub.close()


@pytest.fixture
def device(own_hub: Hub) -> Sender:
    return enrolled(own_hub, "Gao 1", team="gao")


def _told(name: object, text: str, **changes: Any) -> bytes:
    """A complaint whose statement is clear, whatever else is sealed."""
    made = content(**changes) | {"statement": said(text)}
    return operation("complaint", name, made)


def _found(
    hub: Hub, words: str | None = None, actor: Actor = COORDINATOR, limit: int = LIMIT, **asked: Any
) -> list[int]:
    """The numbers of what is found, as it is shown."""
    matches = lookup.search(hub.store, hub.desk(actor), Query(words, **asked), limit)
    return [int(each.number[-6:]) for each in matches]


def _texts(hub: Hub) -> list[str]:
    with hub.store.read() as connection:
        return list(connection.scalars(sa.select(schema.search_text.c.text).order_by(schema.search_text.c.complaint)))


def _pending(hub: Hub) -> int:
    with hub.store.read() as connection:
        return connection.scalar(sa.select(sa.func.count()).select_from(schema.search_pending)) or 0


def test_statement_is_found_by_its_words_however_they_are_typed(own_hub: Hub, device: Sender) -> None:
    device.send(_told("a", "À l’école de ma sœur Ɲɛnɛba, on a demandé 15000 F."), _told("b", "Rien de tel."))
    search_texts.read_pending(own_hub.store)
    typed = ("Ɲɛnɛba", "nyeneba", "NYENEBA", "E\u0301COLE", "ecol", "l’école nyeneba", "l'ecole", "soeur", "15000")
    assert {words: _found(own_hub, words) for words in typed} == dict.fromkeys(typed, [1])


def test_every_word_must_begin_one_of_the_statement(own_hub: Hub, device: Sender) -> None:
    device.send(_told("a", "le pont et la route"), _told("b", "la route du fleuve"))
    search_texts.read_pending(own_hub.store)
    assert _found(own_hub, "route") == [2, 1]
    assert _found(own_hub, "rou pon") == [1]
    assert _found(own_hub, "route marché") == []
    assert _found(own_hub, "oute") == []


def test_nothing_but_the_statement_is_searched(own_hub: Hub, device: Sender) -> None:
    device.send(_told("a", "une plainte"), operation("complaint", "b", clear_content()))
    search_texts.read_pending(own_hub.store)
    assert _texts(own_hub)[0] == "plainte une"
    for words in ("Awa", "puits", "7K4M", "Gao", "fra", "customs", "racket"):
        assert _found(own_hub, words) == [], words


def test_intake_waits_for_no_index(own_hub: Hub, device: Sender) -> None:
    device.send(_told("a", "le pont"))
    assert (_texts(own_hub), _pending(own_hub)) == ([], 1)
    assert search_texts.is_any_pending(own_hub.store)
    assert search_texts.read_pending(own_hub.store) == 1
    assert (_texts(own_hub), _pending(own_hub)) == (["le pont"], 0)
    assert not search_texts.is_any_pending(own_hub.store)


def test_reading_again_changes_nothing(own_hub: Hub, device: Sender) -> None:
    device.send(_told("a", "le pont"), complaint("b", confidentiality="strict"))
    assert search_texts.read_pending(own_hub.store) == 2
    assert search_texts.read_pending(own_hub.store) == 0
    with own_hub.store.write() as connection:
        connection.execute(sa.insert(schema.search_pending), [{"complaint": 1}, {"complaint": 2}])
    assert search_texts.read_pending(own_hub.store) == 2
    assert _texts(own_hub) == ["le pont"]
    assert _found(own_hub, "pont") == [1]


def test_more_than_a_page_is_read_in_one_run(own_hub: Hub, device: Sender, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search_texts, "_PAGE", 2)
    device.send(*(_told(n, f"mot{n}") for n in range(5)))
    assert search_texts.read_pending(own_hub.store) == 5
    assert [_found(own_hub, f"mot{n}") for n in range(5)] == [[1], [2], [3], [4], [5]]


def test_revision_takes_the_old_words_out_at_once_and_brings_the_new(own_hub: Hub, device: Sender) -> None:
    device.send(_told("a", "le pont"))
    search_texts.read_pending(own_hub.store)
    device.send(revision("r", "a", 1, statement=said("le fleuve")))
    assert _found(own_hub, "pont") == []
    search_texts.read_pending(own_hub.store)
    assert (_found(own_hub, "pont"), _found(own_hub, "fleuve")) == ([], [1])


def test_revision_of_something_else_leaves_the_words(own_hub: Hub, device: Sender) -> None:
    device.send(_told("a", "le pont"))
    device.send(revision("r", "a", 1, facts={"clear": facts(channel="phone")}))
    search_texts.read_pending(own_hub.store)
    assert _found(own_hub, "pont") == [1]


@pytest.mark.parametrize(
    "given",
    [
        {"statement": sealed(), "seal": sealed_keys()},
        {"facts": {"clear": facts(confidentiality="strict")}, "statement": sealed(), "seal": sealed_keys()},
    ],
    ids=["sealed", "strict"],
)
def test_statement_that_is_sealed_leaves_the_index_at_once(
    own_hub: Hub, device: Sender, given: dict[str, Any]
) -> None:
    device.send(_told("a", "le pont"))
    search_texts.read_pending(own_hub.store)
    device.send(revision("r", "a", 1, **given))
    assert _texts(own_hub) == []
    search_texts.read_pending(own_hub.store)
    assert (_texts(own_hub), _found(own_hub, "pont"), _pending(own_hub)) == ([], [], 0)


def test_strict_complaint_is_never_indexed_though_an_older_line_of_it_is_clear(own_hub: Hub, device: Sender) -> None:
    device.send(_told("a", "le pont"))
    with own_hub.store.write() as connection:
        connection.execute(sa.update(schema.complaint).values(confidentiality="strict"))
    search_texts.read_pending(own_hub.store)
    assert (_texts(own_hub), _pending(own_hub)) == ([], 0)


def test_words_are_for_those_who_may_read_the_statement(own_hub: Hub, device: Sender) -> None:
    other = enrolled(own_hub, "Mopti 1", team="mopti")
    device.send(_told("a", "le pont"))
    other.send(_told("a", "le pont"))
    search_texts.read_pending(own_hub.store)
    gao = add_person(own_hub, "gao", teams=["gao"]).actor
    assert _found(own_hub, "pont", gao) == [1]
    assert _found(own_hub, None, gao, kind="COR-RACKET") == [1]
    assert _found(own_hub, None, gao, number="SRE-2026-000002") == []
    for role in ("monitor", "administrator", "auditor", "commission"):
        assert _found(own_hub, "pont", add_person(own_hub, role, role=role).actor) == []
    assert _found(own_hub, "pont", OPERATOR) == []


def test_regions_bound_the_search(own_hub: Hub, device: Sender) -> None:
    places.import_list(own_hub.store, PLACES, "test", NOW)
    device.send(_told("a", "le pont"), _told("b", "le pont", place={"id": "ml-c-mopti", "list": "2026.1"}))
    device.send(_told("c", "le pont", place=None))
    search_texts.read_pending(own_hub.store)
    gao = add_person(own_hub, "gao", regions=["ml-r-gao"]).actor
    assert _found(own_hub, "pont", gao) == [1]
    assert _found(own_hub, "pont") == [3, 2, 1]
    assert _found(own_hub, cercle="ml-c-mopti") == [2]


def test_strict_complaint_is_for_named_readers_alone(own_hub: Hub, device: Sender) -> None:
    device.send(complaint("a", confidentiality="strict"))
    plain = add_person(own_hub, "plain").actor
    for asked in ({"number": "SRE-2026-000001"}, {"kind": "COR-RACKET"}, {"cercle": "ml-c-gao"}, {"since": NOW}):
        assert (_found(own_hub, **asked), _found(own_hub, None, plain, **asked)) == ([1], []), asked


def test_verifier_finds_what_is_assigned(own_hub: Hub, device: Sender) -> None:
    device.send(_told("a", "le pont"), _told("b", "le pont"))
    search_texts.read_pending(own_hub.store)
    verifier = add_person(own_hub, "issa", "verifier").actor
    with own_hub.store.write() as connection:
        recipients.assign(connection, 1, verifier.id, verifier.id, NOW)
    assert _found(own_hub, "pont", verifier) == [1]


def test_kind_number_and_days_narrow_the_search(own_hub: Hub, device: Sender) -> None:
    clock = own_hub.clock
    assert isinstance(clock, Clock)
    device.send(_told("a", "le pont"), _told("b", "le pont", kinds=["SRV-NON"]))
    clock.pass_(days=1)
    device.send(_told("c", "le pont"))
    search_texts.read_pending(own_hub.store)
    later = clock()
    assert _found(own_hub, "pont", kind="HR-THR") == [3, 1]
    assert _found(own_hub, "pont", since=later) == [3]
    assert _found(own_hub, "pont", until=later) == [2, 1]
    assert _found(own_hub, "pont", number=" sre-2026-000002") == [2]
    assert _found(own_hub, "pont", number="SRE-2026-000009") == []
    assert _found(own_hub, "pont", kind="SRV-NON", since=later) == []


def test_the_newest_are_shown_and_what_others_have_takes_no_place(
    own_hub: Hub, device: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lookup, "_PAGE", 2)
    other = enrolled(own_hub, "Mopti 1", team="mopti")
    device.send(*(_told(n, "le pont") for n in range(4)))
    other.send(*(_told(n, "le pont") for n in range(9)))
    search_texts.read_pending(own_hub.store)
    gao = add_person(own_hub, "gao", teams=["gao"]).actor
    assert _found(own_hub, "pont", gao, limit=3) == [4, 3, 2]


def test_permission_has_the_last_word(own_hub: Hub, device: Sender, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the database would give more."""
    device.send(_told("a", "le pont"))
    search_texts.read_pending(own_hub.store)
    everything = scopes.Scope(None, None, None, with_strict=True, assignee=None)
    monkeypatch.setattr(lookup, "scope_of", lambda *_: everything)
    assert _found(own_hub, "pont", add_person(own_hub, "mopti", teams=["mopti"]).actor) == []


SIGNS = (
    '"', "'", "*", "NOT pont", "pont OR route", "pont AND route", "text:pont", "NEAR(pont route)", "pont & !route",
    "pont | route", "pont <-> route", "'); DROP TABLE act; --", "\\", "%", "_", "\x00", "(", "pont) OR (1", "?", ":q",
    "  ", "", "' OR '1'='1", "\ud800", "x" * 5000, " ".join(f"mot{n}" for n in range(3000)),
)  # fmt: skip


def test_signs_of_a_query_are_inert(own_hub: Hub, device: Sender) -> None:
    device.send(_told("a", "le pont"), _told("b", "la route"))
    search_texts.read_pending(own_hub.store)
    assert {words: found for words in SIGNS if (found := _found(own_hub, words))} == {}
    bare = ('"pont', 'pont"', "pont*", "^pont", "-pont", "pont:*", "(pont")
    assert {words: _found(own_hub, words) for words in bare} == dict.fromkeys(bare, [1])


def test_words_too_long_for_an_index_are_cut_and_still_found(own_hub: Hub, device: Sender) -> None:
    device.send(_told("a", "ɲ" * 5000), _told("b", "\U0001e900" * 3000))
    search_texts.read_pending(own_hub.store)
    assert _found(own_hub, "ny" * 2500) == [1]
    assert _found(own_hub, "\U0001e922" * 3000) == [2]


def test_complaint_that_changes_while_it_is_read_waits_on(own_hub: Hub, device: Sender) -> None:
    device.send(_told("a", "le pont"), _told("b", "la route"))
    with own_hub.store.read() as connection:
        sources = stored.pending(connection, 0, 10)
    device.send(revision("r", "a", 1, statement=said("le fleuve")))
    with own_hub.store.write() as connection:
        stored.keep(connection, [stored.Reading(each.complaint, each.state, "vieux") for each in sources])
    assert (_texts(own_hub), _pending(own_hub)) == (["vieux"], 1)
    search_texts.read_pending(own_hub.store)
    assert (_found(own_hub, "vieux"), _found(own_hub, "fleuve")) == ([2], [1])


def test_complaint_erased_while_it_is_read_does_not_come_back(own_hub: Hub, device: Sender) -> None:
    device.send(_told("a", "le pont"))
    with own_hub.store.read() as connection:
        [source] = stored.pending(connection, 0, 10)
    _erase(own_hub)
    with own_hub.store.write() as connection:
        stored.keep(connection, [stored.Reading(source.complaint, source.state, "le pont")])
    assert (_texts(own_hub), _pending(own_hub)) == ([], 0)


def test_two_hubs_read_the_same_complaints(own_hub: Hub, device: Sender) -> None:
    device.send(_told("a", "le pont"))
    with own_hub.store.read() as connection:
        [source] = stored.pending(connection, 0, 10)
    reading = stored.Reading(source.complaint, source.state, "le pont")
    for _ in range(2):
        with own_hub.store.write() as connection:
            stored.keep(connection, [reading])
    assert _found(own_hub, "pont") == [1]


def _erase(hub: Hub) -> None:
    keeping = retention.keeping(hub.settings, hub.secrets.database, hub.depot)
    retention.erase(hub.store, hub.desk(COORDINATOR), "SRE-2026-000001", "asked", keeping)


def test_what_is_looked_for_is_not_shown_by_the_query() -> None:
    assert "secret" not in repr(Query("secret"))


def test_erased_statement_is_in_no_page_of_the_index(
    own_hub: Hub, device: Sender, tmp_path: Path, program: Callable[[str], str]
) -> None:
    # Its neighbours in the index begin otherwise: it would stand there whole.
    first, second = "xylocanari", "kyrocanari"
    device.send(_told("a", f"{first} au pont"), *(_told(n, f"mot{n} au pont") for n in range(30)))
    search_texts.read_pending(own_hub.store)
    device.send(revision("r", "a", 1, statement=said(f"{second} au pont")))
    search_texts.read_pending(own_hub.store)
    assert (_found(own_hub, first), _found(own_hub, second)) == ([], [1])
    _erase(own_hub)
    left = image(own_hub, tmp_path, program)
    assert [word for word in (first, second) if word.encode() in left] == []
    assert b"mot29" in left
    assert len(_found(own_hub, "mot pont")) == 30


def test_job_is_due_only_when_something_waits(own_hub: Hub, device: Sender) -> None:
    [job] = [job for job in JOBS if job.name == "index"]
    assert run_if_due(own_hub, job) is None
    device.send(_told("a", "le pont"))
    assert run_if_due(own_hub, job) == "done"
    assert run_if_due(own_hub, job) is None
    assert _found(own_hub, "pont") == [1]


def test_run_that_died_is_taken_up_where_it_was(
    own_hub: Hub, device: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search_texts, "_PAGE", 1)
    device.send(_told("a", "le pont"), _told("b", "la route"))
    with monkeypatch.context() as patched:
        patched.setattr(search_texts, "_words", _dying(2))
        with pytest.raises(KeyboardInterrupt):
            search_texts.read_pending(own_hub.store)
    assert _pending(own_hub) == 1
    assert search_texts.read_pending(own_hub.store) == 1
    assert (_found(own_hub, "pont"), _found(own_hub, "route")) == ([1], [2])


def _dying(at: int) -> Callable[[stored.Source], str]:
    """Reads sources until the process is killed at one of them."""
    read = iter(range(1, at + 1))

    def words(source: stored.Source) -> str:
        if next(read) == at:
            raise KeyboardInterrupt
        return "le pont"

    return words


@pytest.mark.parametrize("policy", ["all", "strict"])
def test_statement_that_the_hub_itself_sealed_is_not_indexed(hub_url: str, tmp_path: Path, policy: Any) -> None:
    hub = open_test_hub(hub_url, tmp_path, Clock(), seal_statement=policy)
    confidentiality = "strict" if policy == "strict" else "confidential"
    made = clear_content(confidentiality=confidentiality) | {"statement": said("xylocanari")}
    enrolled(hub, "Gao 1").send(operation("complaint", "a", made))
    assert search_texts.read_pending(hub.store) == 1
    assert (_texts(hub), _found(hub, "xylocanari")) == ([], [])
    hub.close()


@pytest.mark.postgres
def test_job_waits_for_nobody_who_changes_a_complaint(postgres_url: str, tmp_path: Path) -> None:
    hub = open_test_hub(postgres_url, tmp_path, Clock(), seal_statement="strict")
    device = enrolled(hub, "Gao 1")
    device.send(_told("a", "le pont"), _told("b", "la route"))
    with hub.store.write() as connection:
        assert complaints.find(connection, device.lineage, an_id("a")) is not None
        search_texts.read_pending(hub.store)
        assert (_found(hub, "pont"), _found(hub, "route"), _pending(hub)) == ([], [2], 1)
    search_texts.read_pending(hub.store)
    assert _found(hub, "pont") == [1]
    hub.close()
