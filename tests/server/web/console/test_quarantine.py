"""Set aside: what waits is shown with its reason in words, and a person's word files it."""

from server.hub import Hub
from tests.browsing import Browser
from tests.builders import complaint, enrolled

LIST = "/console/quarantine"
AHEAD = "2036-10-06T18:40:12Z"
WHY = "l&#39;horloge de l&#39;appareil était fausse"


def test_what_waits_is_shown_in_words_and_admitted_by_a_key(hub: Hub, awa: Browser) -> None:
    assert "Rien à part." in awa.get(LIST).text
    enrolled(hub, "Gao 1").send(complaint("ahead", entered_at=AHEAD))
    shown = awa.get(LIST).text
    assert WHY in shown
    assert 'data-key="a"' in shown
    [path] = {each.split('"')[0] for each in shown.split('action="') if each.startswith(LIST)}
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
