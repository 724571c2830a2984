"""Tasks on a device: sealed for the vault, opened by the passphrase typed again, gone when done or over."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from click.testing import Result
from nacl.public import PrivateKey

from client_sync.clocks import Clocks
from client_sync.commands.session import Session
from client_sync.errors import TaskUnknown
from client_sync.obedience import obey
from client_sync.outbox import Outbox
from client_sync.protocol.tasks import FINDS, OUTCOMES
from client_sync.protocol.vocabulary import VOCABULARY
from client_sync.sealing import Scope
from client_sync.stores import Folder
from client_sync.vault import Vault
from server.domain.task import KINDS, RULES
from server.domain.verification import CERTAINTIES, METHODS, STATES
from tests.client_sync.builders import (
    ADMINISTRATOR,
    NOW,
    SOFT,
    TASK_WORDS,
    WORDS,
    answer,
    as_read,
    enrolled_outbox,
    order,
    record_id,
    task_change,
)

Run = Callable[..., Result]


def gone(number: int = 1, n: int = 2) -> dict[str, Any]:
    return {"n": n, "kind": "task_gone", "task": record_id(number)}


def take(outbox: Outbox, *changes: dict[str, Any], at: datetime = NOW, **members: Any) -> None:
    told = {"now": f"{at:%Y-%m-%dT%H:%M:%SZ}", "changes": list(changes), "cursor": "aaaaaaaa.1"}
    outbox.apply(answer(**told | members), NOW)


@pytest.fixture(autouse=True)
def _standing_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Session, "now", lambda _: NOW)


@pytest.fixture
def vault(folder: Folder) -> Vault:
    return Vault.create(folder, WORDS, SOFT)


def test_task_is_listed_by_place_and_window_in_the_open_vault(outbox: Outbox, vault: Vault) -> None:
    take(outbox, task_change(1, 1, place="ml-c-menaka"), task_change(2, 2, to="2026-12-09"), task_change(3, 3))
    found = outbox.tasks.listed(vault)
    assert [(each.place, each.id) for each in found] == [
        ("ml-c-gao", record_id(3)),
        ("ml-c-gao", record_id(2)),
        ("ml-c-menaka", record_id(1)),
    ]
    assert (found[0].details, found[0].ways) == ({"words": TASK_WORDS}, ("verification_visit",))
    assert found[0].scope == Scope("ml-r-gao", is_strict=False, elsewhere=("gao", None))


def test_nothing_of_a_task_is_readable_without_the_passphrase(outbox: Outbox, vault: Vault) -> None:
    take(outbox, task_change())
    [row] = outbox._database.query("SELECT * FROM task")
    assert {name: row[name] for name in ("id", "n", "closes_on")} == {
        "id": record_id(1), "n": 1, "closes_on": "2026-12-01",
    }  # fmt: skip
    assert not any(word in row["body"] for word in (b"Awa", b"visit", b"ml-c-gao"))


def test_task_for_another_device_of_the_lineage_is_left_alone(outbox: Outbox, vault: Vault) -> None:
    take(outbox, task_change(key=PrivateKey(b"y" * 32)), task_change(2, 2, box="AAAA"), task_change(3, 3, to="demain"))
    assert outbox.tasks.count() == 0


def test_task_that_is_taken_back_leaves_and_does_not_come_again(outbox: Outbox, vault: Vault) -> None:
    take(outbox, task_change(), gone())
    assert outbox.tasks.count() == 0
    take(outbox, task_change(), reset="cursor_void")
    assert outbox.tasks.count() == 0
    take(outbox, task_change(n=7))
    assert outbox.tasks.count() == 1


def test_task_leaves_with_its_window_by_the_hub_and_by_the_clock(outbox: Outbox, vault: Vault) -> None:
    take(outbox, task_change(), task_change(2, 2, to="2026-12-20"))
    take(outbox, at=datetime(2026, 12, 2, tzinfo=UTC))
    assert [each.id for each in outbox.tasks.listed(vault)] == [record_id(2)]
    outbox.note(clock_ahead_s=0)
    outbox.tasks.expire(Clocks(datetime(2026, 12, 20, 23, tzinfo=UTC), 1.0))
    assert outbox.tasks.count() == 1
    outbox.tasks.expire(Clocks(datetime(2026, 12, 21, tzinfo=UTC), 1.0))
    assert outbox.tasks.count() == 0


def test_clock_set_back_keeps_no_task_that_was_over_at_the_last_contact(outbox: Outbox, vault: Vault) -> None:
    take(outbox, task_change())
    outbox.received.note_contact(datetime(2026, 12, 5, tzinfo=UTC))
    outbox.tasks.expire(Clocks(datetime(2016, 1, 1, tzinfo=UTC), 1.0))
    assert outbox.tasks.count() == 0


def test_task_waits_at_the_hub_for_a_vault(outbox: Outbox, folder: Folder) -> None:
    take(outbox, task_change())
    assert (outbox.tasks.count(), outbox.link.cursor) == (0, "aaaaaaaa.1")
    Vault.create(folder, WORDS, SOFT).close()
    again = Outbox.open(folder)
    assert again.link.cursor is None
    take(again, task_change())
    assert again.tasks.count() == 1
    again.close()


def test_task_of_a_vault_that_was_wiped_comes_again_for_the_next_one(
    folder: Folder, outbox: Outbox, vault: Vault
) -> None:
    take(outbox, task_change())
    vault.close()
    folder.wipe_vault()
    Outbox.open(folder).close()
    assert outbox.tasks.count() == 0
    Vault.create(folder, WORDS, SOFT).close()
    again = Outbox.open(folder)
    assert again.link.cursor is None
    take(again, task_change())
    assert again.tasks.count() == 1
    again.close()


@pytest.mark.parametrize("kind", ["revoke", "wipe"])
def test_revoked_and_wiped_devices_let_go_of_tasks(outbox: Outbox, vault: Vault, kind: str) -> None:
    outbox.finalise("withdrawal", {"complaint": record_id(9), "scope": "all"})
    take(outbox, task_change())
    by = None if kind == "revoke" else ADMINISTRATOR
    assert obey(outbox, [order(1, kind, by=by)]) == [kind]
    assert outbox.tasks.count() == 0


def test_details_leave_when_the_result_is_sealed(outbox: Outbox, vault: Vault) -> None:
    take(outbox, task_change())
    outbox.tasks.note_look(record_id(1), NOW, "en route")
    [one] = outbox.tasks.listed(vault)
    report = {"heard": "Le chef de village", "looks": outbox.tasks.looks(one.id, vault)}
    content = {"task": one.id, "outcome": "verified", "report": {"clear": report}}
    id = outbox.finalise("task_done", content, scope=one.scope)
    assert (outbox.tasks.count(), list(outbox._database.query("SELECT * FROM task_look"))) == (0, [])
    [row] = outbox._database.query("SELECT line FROM record WHERE id = ?", [id])
    assert b"chef" not in row["line"]
    told = as_read(row["line"], "gao")
    assert told["report"]["clear"] == report | {"looks": [{"at": "2026-11-21T10:00:00Z", "why": "en route"}]}
    with pytest.raises(KeyError):
        as_read(row["line"], "mopti")
    with pytest.raises(TaskUnknown):
        outbox.tasks.note_look(record_id(1), NOW, "encore")


def test_person_opens_a_task_and_closes_its_result(folder: Folder, vault: Vault, run: Run) -> None:
    vault.close()
    outbox = enrolled_outbox(folder)
    take(outbox, task_change())
    outbox.close()
    listed = run("visits", typed=f"{WORDS}\n")
    assert "Gao" in listed.output
    assert "du 21/11/2026 au 01/12/2026" in listed.output
    assert TASK_WORDS not in listed.output
    opened = run("visits", 1, typed=f"{WORDS}\n\nje pars demain\n")
    assert TASK_WORDS in opened.output
    assert "une visite pour vérifier" in opened.output
    typed = [WORDS, 1, "", "le chef de village", 1, 2, "registre", 1, 3, "", 1]
    done = run("visits", 1, "--done", typed="\n".join([*map(str, typed), ""]))
    assert "C'est fermé" in done.output, done.output
    assert "Rien à faire" in run("visits").output
    outbox = Outbox.open(folder)
    [row] = outbox._database.query("SELECT line FROM record WHERE op = 'task_done'")
    told = as_read(row["line"], "gao")
    outbox.close()
    report = told.pop("report")["clear"]
    codes = {"method": "visit", "sources": 2, "finding": "corroborated", "certainty": "reasonable_grounds"}
    assert told == {"task": record_id(1), "outcome": "verified", "done_on": "2026-11-21"} | codes
    looks = [{"at": "2026-11-21T10:00:00Z", "why": "je pars demain"}]
    assert report == {"heard": "le chef de village", "documents": "registre", "looks": looks}


def test_details_are_not_shown_for_a_wrong_passphrase(folder: Folder, vault: Vault, run: Run) -> None:
    vault.close()
    outbox = enrolled_outbox(folder)
    take(outbox, task_change())
    outbox.close()
    refused = run("visits", 1, typed="riz mil fonio sorgho\nje pars\n")
    assert refused.exit_code == 1
    assert TASK_WORDS not in refused.output
    assert run("visits", 9, typed=f"{WORDS}\n").exit_code == 1


@pytest.mark.parametrize("said", [WORDS, f"je pars. {WORDS.upper()}", WORDS.replace(" ", "-")])
def test_passphrase_typed_as_the_reason_goes_nowhere(folder: Folder, vault: Vault, run: Run, said: str) -> None:
    vault.close()
    outbox = enrolled_outbox(folder)
    take(outbox, task_change())
    outbox.close()
    refused = run("visits", 1, typed=f"{WORDS}\n{said}\n")
    assert (refused.exit_code, "C'est votre phrase secrète." in refused.output) == (1, True)
    assert TASK_WORDS not in refused.output
    outbox = Outbox.open(folder)
    assert list(outbox._database.query("SELECT * FROM task_look")) == []
    outbox.close()


def test_hub_and_devices_have_the_same_lists() -> None:
    assert {kind: rule.outcomes for kind, rule in RULES.items()} == OUTCOMES
    assert {kind for kind, rule in RULES.items() if rule.finds} == FINDS
    assert tuple(KINDS) == VOCABULARY.lists["task_kind"]
    assert {each for outcomes in OUTCOMES.values() for each in outcomes} == VOCABULARY.codes("task_outcome")
    assert (METHODS, CERTAINTIES) == (VOCABULARY.lists["verification_method"], VOCABULARY.lists["certainty"])
    assert set(STATES) - {"unverified", "under_verification"} == VOCABULARY.codes("finding")
