"""`seere repair`: what is here, what is lost and asked for again, and what belonged to nothing."""

from server.hub import Hub
from tests import media
from tests.builders import enrolled, with_keyring
from tests.evidence_work import seal_up, send_up, sent
from tests.server.conftest import Run


def test_repair_says_what_it_found(folder_hub: Hub, seere: Run) -> None:
    with_keyring(folder_hub)
    device = enrolled(folder_hub, "Gao 1")
    here, damaged, lost = seal_up(media.photo(), "a"), seal_up(media.photo(), "b"), seal_up(media.photo(), "c")
    sent(device, "a", here, damaged, lost)
    blobs = folder_hub.settings.data / "blobs"
    (blobs / damaged.sha256[:2] / damaged.sha256[2:]).write_bytes(damaged.data[:-1] + b"?")
    folder_hub.depot.blobs.delete(lost.sha256)
    (blobs / "ab").mkdir(exist_ok=True)
    (blobs / "ab" / ("0" * 62)).write_bytes(b"of nobody")

    said = seere("repair").output

    assert "1 fichier est là, intact." in said
    assert "2 fichiers manquent ou sont abîmés" in said
    assert "1 fichier n'était à aucune plainte" in said
    need = device.send(files=True)["need"]
    assert {each["sha256"] for each in need} == {damaged.sha256, lost.sha256}
    for each in (damaged, lost):
        send_up(device, each)
        assert b"".join(folder_hub.depot.blobs.read(each.sha256)) == each.data
    again = seere("repair").output
    assert "3 fichiers sont là, intacts." in again
    assert "manque" not in again
