"""Set aside: what waits is shown with its reason in words, and a person's word files it."""

import re

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
    assert (still.status_code, "2026-02-30T18:40:12Z" in still.text) == (422, True)
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
