"""Set aside: what waits is shown with its reason in words, and a person's word files it."""

import re
from html import unescape

import pytest
import sqlalchemy as sa

from server.hub import Hub
from server.services.intake import admission
from server.store import quarantine, schema
from server.store.quarantine import Kept
from tests.browsing import Browser
from tests.builders import Sender, complaint, enrolled

LIST = "/console/quarantine"
AHEAD = "2036-10-06T18:40:12Z"
WHY = "l&#39;horloge de l&#39;appareil était fausse"
WORDS = "Un essai avant la formation"
PERSON = {"roles": ["victim"], "sex": "f"}


def test_what_waits_is_shown_in_words_and_admitted_by_a_key(hub: Hub, awa: Browser) -> None:
    assert "Rien à part." in awa.get(LIST).text
    enrolled(hub, "Gao 1").send(complaint("ahead", entered_at=AHEAD))
    shown = awa.get(LIST).text
    assert WHY in shown
    assert 'data-key="a"' in shown
    [path] = {each.split('"')[0] for each in shown.split('action="') if each.startswith(f"{LIST}/")}
    assert "ne peut toujours pas le ranger" in awa.post(path).text
    done = awa.post(path, as_is="1").text
    assert "C&#39;est au centre : SRE-2026-000001" in done
    assert "Rien à part." in done


def test_strict_is_shown_to_named_readers_alone(hub: Hub, awa: Browser, binta: Browser, administrator: Browser) -> None:
    enrolled(hub, "Gao 1").send(complaint("ahead", entered_at=AHEAD, confidentiality="strict"))
    assert WHY in awa.get(LIST).text
    assert "Rien à part." in binta.get(LIST).text
    assert administrator.get(LIST).status_code == 404


def test_list_is_a_file_too(hub: Hub, awa: Browser) -> None:
    enrolled(hub, "Gao 1").send(complaint("ahead", entered_at=AHEAD))
    [head, row] = awa.get(f"{LIST}?format=csv").text.splitlines()
    assert head.removeprefix("\ufeff") == "Reçu le;Appareil;Pourquoi;Octets"
    assert ";M-1;" in row


def _wrong_date(hub: Hub, name: str = "wrong") -> Sender:
    device = enrolled(hub, "Gao 1")
    device.send(complaint(name, entered_at="2026-02-31T18:40:12Z"))
    return device


def _only(hub: Hub) -> Kept:
    [kept] = admission.list_waiting(hub.store)
    return kept


def _seen(hub: Hub) -> dict[str, str]:
    kept = _only(hub)
    return {"code": kept.code, "seen": kept.field}


def test_fact_at_fault_is_typed_again_and_filed_and_what_came_stays(sealing_hub: Hub, awa: Browser) -> None:
    hub = sealing_hub
    device = _wrong_date(hub)
    kept, path = _only(hub), f"{LIST}/{_only(hub).id}"
    assert "2026-02-31T18:40:12Z" in awa.get(path).text
    field = {f"field:{kept.field}": "2026-02-30T18:40:12Z"}
    still = awa.post(f"{path}/repair", **_seen(hub), **field)
    assert (still.status_code, 'value="2026-02-30T18:40:12"' in still.text) == (422, True)
    seen, field = _seen(hub), {f"field:{kept.field}": "2026-02-28T18:40:12Z"}
    assert "SRE-2026-000001" in awa.post(f"{path}/repair", **seen, **field).text
    assert awa.post(f"{path}/repair", **seen, **field).status_code == 409
    with hub.store.read() as connection:
        after = quarantine.find(connection, kept.id)
        [actor] = connection.scalars(sa.select(schema.event.c.actor).where(schema.event.c.action == "repair"))
    assert after is not None
    assert (after.state, after.payload) == ("stored", kept.payload)
    assert actor.startswith("account:")
    assert [each["state"] for each in device.changes() if each["kind"] == "state"] == ["stored"]


def test_repair_changes_no_fact_that_is_sound_and_none_seen_otherwise(sealing_hub: Hub, awa: Browser) -> None:
    hub = sealing_hub
    _wrong_date(hub)
    kept, path = _only(hub), f"{LIST}/{_only(hub).id}"
    awa.get(path)
    stale = awa.post(f"{path}/repair", code="code_unknown", seen="facts.kinds", **{f"field:{kept.field}": "x"})
    assert stale.status_code == 409
    fields = {f"field:{kept.field}": "2026-02-28T18:40:12Z", "field:facts.confidentiality": "public"}
    awa.post(f"{path}/repair", **_seen(hub), **fields)
    with hub.store.read() as connection:
        assert list(connection.scalars(sa.select(schema.complaint.c.confidentiality))) == ["confidential"]


def test_raw_copy_asks_a_reason_that_the_log_keeps(hub: Hub, awa: Browser) -> None:
    _wrong_date(hub)
    kept, path = _only(hub), f"{LIST}/{_only(hub).id}"
    awa.get(path)
    assert awa.post(f"{path}/raw", words="court").status_code == 422
    raw = awa.post(f"{path}/raw", words="L'équipe demande ce qui est arrivé")
    assert (raw.data, raw.headers["Cache-Control"]) == (kept.payload, "no-store")
    with hub.store.read() as connection:
        select = sa.select(schema.event.c.words).where(schema.event.c.action == "read_quarantine")
        words = list(connection.scalars(select))
    assert words == ["L'équipe demande ce qui est arrivé"]


def test_filters_and_pages_are_in_the_address(hub: Hub, awa: Browser) -> None:
    device = enrolled(hub, "Gao 1")
    device.send(*[complaint(f"ahead {at}", entered_at=AHEAD) for at in range(51)])
    first = awa.get(LIST).text
    assert first.count('name="as_is"') == 50
    following = re.search(r'href="([^"]+after=\d+)"', first)
    assert following is not None
    assert awa.get(following[1].replace("&amp;", "&")).text.count('name="as_is"') == 1
    assert "avec ces filtres" in awa.get(f"{LIST}?code=date_impossible").text
    assert "avec ces filtres" in awa.get(f"{LIST}?device=M-99").text
    assert awa.get(f"{LIST}?code=clock_ahead&device=M-1").text.count('name="as_is"') == 50
    assert awa.get(f"{LIST}?after=x").status_code == 404


def test_administrator_sees_reasons_and_numbers_alone(hub: Hub, awa: Browser, administrator: Browser) -> None:
    _wrong_date(hub)
    shown = administrator.get(f"{LIST}/technical").text
    assert _only(hub).code in shown
    assert "2026-02-31" not in shown
    assert administrator.get(f"{LIST}/{_only(hub).id}").status_code == 404
    assert awa.get(f"{LIST}/technical").status_code == 404


def test_days_are_written_as_the_reader_writes_them(hub: Hub, awa: Browser) -> None:
    enrolled(hub, "Gao 1").send(complaint("ahead", entered_at=AHEAD))
    with hub.store.write() as connection:
        connection.execute(sa.update(schema.account).where(schema.account.c.name == "Awa").values(language="en"))
    pages = [awa.get(path).text for path in (LIST, f"{LIST}/{_only(hub).id}", f"{LIST}?format=csv")]
    assert ["21 Nov 2026" in each and "21 nov." not in each for each in pages] == [True] * 3
    assert "Entered on" in pages[0]


def test_facts_are_called_by_their_names_and_the_path_stands_beside(sealing_hub: Hub, awa: Browser) -> None:
    hub = sealing_hub
    enrolled(hub, "Gao 1").send(complaint("named", persons=[PERSON | {"no": 1}, PERSON]))
    path = f"{LIST}/{_only(hub).id}"
    assert "Numéro de la personne (n° 2)" in awa.get(LIST).text
    assert "facts.persons" not in re.sub("<[^>]*>", "", awa.get(LIST).text)
    shown = awa.get(path).text
    assert "Numéro de la personne (n° 2)</label>" in shown
    assert '<code class="m">facts.persons.1.no</code>' in shown
    assert "Rien n&#39;est arrivé ici." in shown
    wrong = awa.post(f"{path}/repair", **_seen(hub), **{"field:facts.persons.1.no": "deux"})
    assert "Numéro de la personne (n° 2) : Une valeur n&#39;est pas acceptée." in wrong.text
    assert 'value="deux"' in wrong.text
    assert "SRE-2026-000001" in awa.post(f"{path}/repair", **_seen(hub), **{"field:facts.persons.1.no": "2"}).text


def test_path_that_no_form_has_is_called_a_detail(hub: Hub, awa: Browser) -> None:
    enrolled(hub, "Gao 1").send(complaint("odd", entered_at=AHEAD))
    with hub.store.write() as connection:
        quarantine.reclassify(connection, _only(hub).id, "quarantined", "member_invalid", "facts.{x}.<b>.0")
    assert "Un détail technique (n° 1)" in awa.get(LIST).text
    assert '<code class="s m">facts.{x}.&lt;b&gt;.0</code>' in awa.get(f"{LIST}/{_only(hub).id}").text


def test_codes_and_days_are_chosen(sealing_hub: Hub, awa: Browser) -> None:
    hub = sealing_hub
    enrolled(hub, "Gao 1").send(complaint("coded", channel="pigeon", incident={"from": "hier", "precision": "day"}))
    path, channel = f"{LIST}/{_only(hub).id}", {"field:facts.channel": "in_person"}
    shown = awa.get(path).text
    assert "Reçu : « pigeon »." in shown
    assert '<option value="in_person">' in shown
    day = awa.post(f"{path}/repair", **_seen(hub), **channel).text
    assert '<option value="in_person" selected>' in day
    assert 'name="field:facts.incident.from"' in day
    typed = channel | {"field:facts.incident.from": ""}
    assert "SRE-2026-000001" in awa.post(f"{path}/repair", **_seen(hub), **typed).text


def test_unknown_place_is_chosen_from_the_list(sealing_hub: Hub, awa: Browser) -> None:
    hub = sealing_hub
    enrolled(hub, "Gao 1").send(complaint("where", place={"id": "ml-c-nowhere", "list": "2025.1"}))
    path, seen = f"{LIST}/{_only(hub).id}", _seen(hub)
    shown = awa.get(path).text
    assert "Reçu : « ml-c-nowhere ». (2025.1)" in shown
    assert '<option value="ml-c-ansongo">Ansongo</option>' in shown
    none = awa.post(f"{path}/repair", **seen)
    assert (none.status_code, "Choisissez d&#39;abord le lieu." in none.text) == (422, True)
    assert awa.post(f"{path}/repair", **seen, place="ml-c-atlantis").status_code == 422
    assert "SRE-2026-000001" in awa.post(f"{path}/repair", **seen, place="ml-c-ansongo").text
    late = awa.post(f"{path}/repair", **seen, place="ml-c-gao")
    assert (late.status_code, "<dd>Gao</dd>" in late.text) == (409, True)
    with hub.store.read() as connection:
        assert list(connection.scalars(sa.select(schema.complaint.c.place_id))) == ["ml-c-ansongo"]


def test_second_of_two_who_repair_is_told_by_whom_and_keeps_what_was_typed(
    sealing_hub: Hub, awa: Browser, binta: Browser
) -> None:
    hub = sealing_hub
    _wrong_date(hub)
    kept, path, seen = _only(hub), f"{LIST}/{_only(hub).id}", _seen(hub)
    for each in (awa, binta):
        each.get(path)
    awa.post(f"{path}/repair", **seen, **{f"field:{kept.field}": "2026-02-28T18:40:12Z"})
    late = binta.post(f"{path}/repair", **seen, **{f"field:{kept.field}": "2026-02-27T08:00:00"})
    assert late.status_code == 409
    assert "C&#39;est déjà réglé" in late.text
    assert "Awa, 21 nov. 2026" in late.text
    assert "<dt>Saisie le</dt><dd>2026-02-27T08:00:00</dd>" in late.text


def test_reason_that_changed_meanwhile_keeps_what_was_typed(sealing_hub: Hub, awa: Browser) -> None:
    hub = sealing_hub
    _wrong_date(hub)
    path, seen = f"{LIST}/{_only(hub).id}", _seen(hub)
    awa.get(path)
    with hub.store.write() as connection:
        quarantine.reclassify(connection, _only(hub).id, "quarantined", "code_unknown", "facts.channel")
    late = awa.post(f"{path}/repair", **seen, **{f"field:{seen['seen']}": "2026-02-27T08:00:00"})
    assert (late.status_code, "pour une autre raison" in late.text) == (409, True)
    assert "<dt>Saisie le</dt><dd>2026-02-27T08:00:00</dd>" in late.text
    assert awa.post(path, **seen, as_is="1").status_code == 409


def test_dismissed_is_kept_under_its_own_filter_and_taken_back(
    hub: Hub, awa: Browser, binta: Browser, administrator: Browser
) -> None:
    _wrong_date(hub)
    path, seen = f"{LIST}/{_only(hub).id}", _seen(hub)
    for each in (awa, binta, administrator):
        each.get("/console/account")
    short = awa.post(f"{path}/dismiss", **seen, words="essai")
    assert (short.status_code, ">essai</textarea>" in short.text) == (422, True)
    assert awa.post(f"{path}/dismiss", **seen, words=WORDS).location == LIST
    listed = awa.get(LIST).text
    assert "Rien à part." in listed
    assert f'action="{path}/take-up"' in listed
    dismissed = unescape(binta.get(f"{LIST}?view=dismissed").text)
    assert WORDS in dismissed
    assert "21 nov. 2026 10:04, Awa" in dismissed
    assert WORDS in binta.get(path).text
    assert 'name="field:' not in binta.get(path).text
    late = binta.post(f"{path}/dismiss", **seen, words="Un double de la plainte d'hier")
    assert (late.status_code, "Un double de la plainte d&#39;hier" in late.text) == (409, True)
    assert administrator.post(f"{path}/take-up").status_code == 404
    assert binta.post(f"{path}/take-up").location == path
    assert awa.post(f"{path}/take-up").status_code == 409
    assert "Rien n&#39;est écarté." in awa.get(f"{LIST}?view=dismissed").text
    assert _only(hub).settled_why is None
    with hub.store.read() as connection:
        events = schema.event.c
        select = sa.select(events.action, events.words).where(events.object == f"quarantine:{_only(hub).id}")
        said = [tuple(each) for each in connection.execute(select.order_by(events.place))]
    assert said == [("dismiss_set_aside", WORDS), ("take_up_set_aside", "date_impossible")]


def test_list_says_where_it_stopped_looking(hub: Hub, binta: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    device = enrolled(hub, "Gao 1")
    device.send(*(complaint(f"strict {n}", entered_at=AHEAD, confidentiality="strict") for n in range(3)))
    device.send(complaint("theirs", entered_at=AHEAD))
    assert "s&#39;est arrêtée" not in binta.get(LIST).text
    monkeypatch.setattr(admission, "LOOKED_MAX", 2)
    first = binta.get(LIST).text
    assert "s&#39;est arrêtée après un grand nombre d&#39;envois" in first
    assert WHY not in first.partition("<tbody>")[2]
    following = re.search(r'href="([^"]+after=\d+)"', first)
    assert following is not None
    assert WHY in binta.get(following[1]).text.partition("<tbody>")[2]


def test_bar_counts_what_waits_for_its_reader(hub: Hub, awa: Browser, binta: Browser, administrator: Browser) -> None:
    device = enrolled(hub, "Gao 1")
    device.send(complaint("strict", entered_at=AHEAD, confidentiality="strict"), complaint("other", entered_at=AHEAD))
    assert [_counted(each) for each in (awa, binta, administrator)] == ["2", "1", None]
    for id in sorted(each.id for each in admission.list_waiting(hub.store)):
        awa.get(f"{LIST}/{id}")
        awa.post(f"{LIST}/{id}/dismiss", words=WORDS)
    assert [_counted(each) for each in (awa, binta)] == ["", ""]


def _counted(browser: Browser) -> str | None:
    """What the bar says beside the section; None where there is no such section."""
    bar = browser.get("/console/account").text
    found = re.search(r'<a href="/console/quarantine"[^>]*>À part(?: <b>(\d+\+?)<)?', bar)
    return None if found is None else found[1] or ""
