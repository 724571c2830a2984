"""`seere commission`: two people send a quarter to a body and take its answer in, each by typing."""

import io
import json
import re
import zipfile
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyotp
import pyrage
import pytest
import pyzipper
from click.testing import CliRunner, Result
from nacl.public import PrivateKey

from client_sync.protocol.canonical import canonical
from server.cli import main
from server.commands.key_files import make_key
from server.commands.operator import Operator
from server.config import Settings
from server.domain.permission import OPERATOR
from server.hub import Hub
from server.i18n import catalogue
from server.services import keyrings, places
from server.services.accounts import people
from server.services.accounts.people import Post
from server.services.cases import destinations
from server.services.cases.acknowledging import acknowledge_new
from server.services.commission import minisign
from server.store import accounts, packages
from tests.builders import (
    COORDINATOR,
    PASSPHRASE,
    ROOT,
    Clock,
    Sender,
    an_id,
    clear_content,
    enrolled,
    founded,
    open_new_hub,
    operation,
    publish_keyring,
    with_keyring,
)
from tests.commission import CNDH, LIST, PERSONS, QUARTER, consent, quarter_over
from tests.commission_receiver import LOOPBACK, LOOPBACK_PIN, commission

NUMBER = f"CNDH-{QUARTER}-0001"
FIRST = "SRE-2026-000001"
NAMED = "SRE-2026-000006"
NAME = "Awa Exemple"
Run = Callable[..., Result]


def arrest(no: int, **facts: Any) -> bytes:
    """A complaint that a device sends in clear: the hub seals it to the readers of its keyring."""
    said = {"kinds": ["HR-ARR"], "place": {"id": "ml-c-bla", "list": "2026.1"}, "persons": PERSONS, "money": None}
    return operation("complaint", f"arrest {no}", clear_content(**said | facts), seq=no)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def hub(tmp_path: Path, clock: Clock) -> Iterator[Hub]:
    """A hub that knows the commission; Awa and Binta cover everything, Oumar verifies."""
    opened = with_keyring(open_new_hub(*founded(tmp_path / "hub", coalition="Jama Seere"), clock))
    places.import_list(opened.store, LIST, "test", clock())
    destinations.add(opened.store, opened.desk(COORDINATOR), [CNDH])
    yield opened
    opened.close()


@pytest.fixture
def seere(hub: Hub, clock: Clock) -> Run:
    """Runs `seere` as somebody, at the time of the clock; `typed` are the lines after passphrase and code."""
    posts = {
        "Awa": Post("coordinator", is_named_reader=True),
        "Binta": Post("coordinator", is_named_reader=True),
        "Oumar": Post("verifier"),
    }
    made = {
        name: people.make(hub.store, hub.secrets.totp, OPERATOR, name, post, PASSPHRASE, clock())
        for name, post in posts.items()
    }
    publish_keyring(hub, bytes(ROOT))

    def run(*arguments: str, name: str = "Awa", typed: tuple[str, ...] = (), language: str = "fr") -> Result:
        with hub.store.write() as connection:
            accounts.update(connection, made[name].account.id, totp_step=0)
        code = (pyotp.TOTP(made[name].secret or "").at(clock()),) if made[name].secret else ()
        operator = Operator(hub.settings, catalogue(language), clock)
        command = ["--language", language, *arguments, "--as", name]
        lines = "".join(f"{line}\n" for line in (PASSPHRASE, *code, *typed))
        return CliRunner().invoke(main, command, input=lines, obj=operator, prog_name="seere")

    return run


def work(seere: Run, *arguments: str, **options: Any) -> str:
    done = seere("commission", *arguments, **options)
    assert done.exit_code == 0, done.output
    return done.output


def refused(seere: Run, *arguments: str, **options: Any) -> str:
    done = seere("commission", *arguments, **options)
    assert done.exit_code == 1, done.output
    assert done.exception is None or isinstance(done.exception, SystemExit)
    return done.output


@pytest.fixture
def phone(hub: Hub, seere: Run) -> Sender:
    """A device whose five complaints may leave without a name, and one with it."""
    made = enrolled(hub, "Ségou 1", team="segou")
    made.send(*(arrest(n, consent=consent()) for n in range(1, 6)), arrest(6, consent=consent("C3", "cndh")))
    acknowledge_new(hub.store, hub.gazetteer(), hub.clock())
    return made


@pytest.fixture
def key() -> pyrage.x25519.Identity:
    return pyrage.x25519.Identity.generate()


@pytest.fixture
def series(seere: Run, phone: Sender, hub: Hub, key: pyrage.x25519.Identity) -> str:
    """The commission has a series by folder and a key that was compared; the quarter is over."""
    work(seere, "series", CNDH.code, "CNDH", "--since", "2026-01-01")
    work(seere, "key", CNDH.code, str(key.to_public()))
    work(seere, "confirm", CNDH.code, *fingerprint(key).split())
    quarter_over(hub)
    return CNDH.code


def fingerprint(key: pyrage.x25519.Identity) -> str:
    """What the clerk reads aloud: the first of `printf %s age1… | sha256sum`."""
    digits = sha256(str(key.to_public()).encode()).hexdigest()[:24]
    return " ".join(digits[at : at + 4] for at in range(0, 24, 4))


@pytest.fixture
def stick(tmp_path: Path) -> Path:
    folder = tmp_path / "stick"
    folder.mkdir()
    return folder


def sealed(seere: Run) -> str:
    """A package that Awa prepared and Binta sealed; what Binta was shown."""
    work(seere, "prepare", CNDH.code, QUARTER)
    return work(seere, "approve", NUMBER, name="Binta", typed=("oui",))


def opened(file: Path, key: pyrage.x25519.Identity) -> dict[str, bytes]:
    """What the clerk reads, by name within the bag."""
    with zipfile.ZipFile(io.BytesIO(pyrage.decrypt(file.read_bytes(), [key]))) as archive:
        return {name.partition("/")[2]: archive.read(name) for name in archive.namelist()}


def answer_to(bag: dict[str, bytes], **of: dict[str, str]) -> dict[str, Any]:
    """An `accuse.json` in which every item is accepted, but for what is said of some."""
    items = [
        {"ref": line["ref"], "verdict": "accepted", "file_number": f"CNDH/2026/{no}"} | of.get(line["ref"], {})
        for no, line in enumerate(json.loads(bag["data/plaintes.json"])["lines"], 1)
    ]
    manifest = sha256(bag["manifest-sha256.txt"]).hexdigest()
    head = {"package": NUMBER, "manifest_sha256": manifest, "received_at": "2027-01-12", "by": "Greffe"}
    return {**head, "items": items}


def test_quarter_goes_from_its_series_to_its_answer(
    seere: Run, series: str, key: pyrage.x25519.Identity, stick: Path, tmp_path: Path, hub: Hub
) -> None:
    prepared = work(seere, "prepare", CNDH.code, QUARTER)
    assert f"{NUMBER}  en préparation  6 lignes, 0 retenue" in prepared
    shown = work(seere, "show", NUMBER, name="Binta")
    assert "6 plaintes regardées" in shown
    assert "lignes sans identité : 5" in shown
    assert "lignes avec identité : 1" in shown
    assert "Rien ne bloque." in shown
    assert NAME not in shown
    assert "ne l'approuve pas" in refused(seere, "approve", NUMBER, typed=("oui",))
    assert "Rien n'a été changé" in refused(seere, "approve", NUMBER, name="Binta", typed=("non",))
    approved = work(seere, "approve", NUMBER, name="Binta", typed=("oui",))
    file = hub.settings.data / "packages" / f"{NUMBER}.zip.age"
    assert sha256(file.read_bytes()).hexdigest() in approved
    assert "dites où avec --to" in refused(seere, "send", NUMBER)
    assert "relu : c'est le même. Noté comme parti" in work(seere, "send", NUMBER, "--to", str(stick))
    # The stick was lost on the way: the same bytes go on another.
    (other := tmp_path / "other").mkdir()
    assert "déjà noté comme parti" in work(seere, "send", NUMBER, "--to", str(other))
    assert (other / file.name).read_bytes() == file.read_bytes()
    bag = opened(stick / file.name, key)
    assert NAME in bag["data/plaintes.csv"].decode("utf-8-sig")
    assert sha256(bag["manifest-sha256.txt"]).hexdigest() in approved
    said = tmp_path / "accuse.json"
    made = answer_to(bag)
    made["items"][0] |= {"verdict": "rejected", "reason": "hors mandat", "file_number": ""}
    said.write_text(json.dumps(made))
    assert "6 réponses nouvelles. État : clos" in work(seere, "answer", NUMBER, str(said))
    assert "0 réponse nouvelle" in work(seere, "answer", NUMBER, str(said))
    shown = work(seere, "show", NUMBER)
    assert "6 réponses sur 6" in shown
    assert "refusée  hors mandat" in shown
    assert "acceptée  CNDH/2026/2" in shown
    assert "signé : Greffe" in shown
    listed = work(seere, "list")
    assert f"{NUMBER}  clos  6 lignes, 0 retenue" in listed
    assert f"Clé {fingerprint(key)}, comparée de vive voix le" in listed
    assert minisign.public_key(minisign.seed_of(hub.secrets.sign)) in listed
    assert bag["seere.pub"].decode().splitlines()[1] in listed


def test_key_is_taken_in_by_what_its_holder_reads_aloud(seere: Run, phone: Sender, key: pyrage.x25519.Identity) -> None:
    assert "Aucun organisme n'a de série" in work(seere, "list")
    work(seere, "series", CNDH.code, "CNDH", "--since", "2026-01-01")
    assert "déjà une série" in refused(seere, "series", CNDH.code, "ORG", "--since", "2026-01-01")
    assert "Pas de clé" in work(seere, "list")
    assert "Ce n'est pas une clé age" in refused(seere, "key", CNDH.code, "age1nothing")
    # Who does not call the clerk has nothing to type.
    assert fingerprint(key) not in work(seere, "key", CNDH.code, str(key.to_public()))
    listed = work(seere, "list")
    assert "pas encore comparée" in listed
    assert fingerprint(key) not in listed
    other = fingerprint(pyrage.x25519.Identity.generate())
    assert "n'est pas celle de cette clé" in refused(seere, "confirm", CNDH.code, other)
    assert "la même empreinte" in work(seere, "confirm", CNDH.code, fingerprint(key).upper())


def test_who_covers_not_everything_finds_nothing(seere: Run, series: str) -> None:
    work(seere, "prepare", CNDH.code, QUARTER)
    for arguments in (("list",), ("show", NUMBER), ("approve", NUMBER), ("cancel", NUMBER, "--reason", "x" * 12)):
        assert "introuvable ou réservé" in refused(seere, *arguments, name="Oumar", typed=("oui",))
    assert f"« {NUMBER[:-1]}9 » : introuvable ou réservé." in refused(seere, "show", f"{NUMBER[:-1]}9")


def test_body_without_a_key_gets_it_by_a_passphrase(seere: Run, phone: Sender, hub: Hub, tmp_path: Path) -> None:
    work(seere, "series", CNDH.code, "CNDH", "--since", "2026-01-01")
    quarter_over(hub)
    work(seere, "prepare", CNDH.code, QUARTER)
    assert "--passphrase-way" in refused(seere, "approve", NUMBER, name="Binta", typed=("oui",))
    said = work(seere, "approve", NUMBER, "--passphrase-way", name="Binta", typed=("oui",))
    [words] = re.findall("montrée cette seule fois : (.*)", said)
    assert len(words.split()) == 10
    assert "de vive voix" in said
    assert words not in work(seere, "show", NUMBER, name="Binta")
    file = hub.settings.data / "packages" / f"{NUMBER}.zip"
    with pyzipper.AESZipFile(file) as archive:
        [name] = archive.namelist()
        inner = tmp_path / name
        inner.write_bytes(archive.read(name, pwd=words.encode()))
    assert "tel qu'il a été scellé" in work(seere, "verify", str(file))
    assert "ouvert, tel qu'il a été écrit" in work(seere, "verify", str(inner))


def test_package_goes_to_an_address_and_its_answer_comes_from_there(
    seere: Run, phone: Sender, hub: Hub, key: pyrage.x25519.Identity, tmp_path: Path
) -> None:
    secret = tmp_path / "cle.txt"
    secret.write_text(str(key))
    with commission(LOOPBACK, secret) as cndh:
        series = ("series", CNDH.code, "CNDH", "--since", "2026-01-01", "--way", "https", "--address", cndh.url)
        assert "64 chiffres" in refused(seere, *series, "--pin", "ab")
        work(seere, *series, "--pin", LOOPBACK_PIN)
        work(seere, "key", CNDH.code, str(key.to_public()))
        work(seere, "confirm", CNDH.code, fingerprint(key))
        quarter_over(hub)
        sealed(seere)
        cndh.play("cut_after")
        assert "l'organisme l'a, tel qu'il a été scellé" in work(seere, "send", NUMBER)
        refs = {ref for number, ref in map(tuple, cndh.books["items"]) if number == NUMBER}
        assert len(refs) == len(cndh.books["items"]) == 6
        by_hand = Operator(hub.settings, catalogue("fr"), hub.clock)
        done = CliRunner().invoke(main, ["jobs", "run", "package_answers"], obj=by_hand)
        assert done.exit_code == 0, done.output
    shown = work(seere, "show", NUMBER)
    assert re.search(r"[1-6] réponses? sur 6", shown)
    assert cndh.url in work(seere, "list")


def sent(seere: Run, key: pyrage.x25519.Identity, stick: Path) -> dict[str, bytes]:
    """A package that went to the clerk, as the clerk reads it."""
    sealed(seere)
    work(seere, "send", NUMBER, "--to", str(stick))
    return opened(stick / f"{NUMBER}.zip.age", key)


def test_paper_slip_is_typed_line_by_line(seere: Run, series: str, key: pyrage.x25519.Identity, stick: Path) -> None:
    bag = sent(seere, key, stick)
    digits = sha256(bag["manifest-sha256.txt"]).hexdigest()
    first, second, *others = (line["ref"] for line in json.loads(bag["data/plaintes.json"])["lines"])
    typed = ("answer", NUMBER, "--typed")
    head = (f"{digits[:4]} {digits[4:8].upper()}", "12 janvier", "Mme Greffière")
    assert "--typed" in refused(seere, "answer", NUMBER)
    assert "deux premières cases" in refused(seere, *typed, typed=(digits[:7], *head[1:], "oui"))
    other = "0" * 8 if digits[0] != "0" else "f" * 8
    assert "n'est pas celle de l'envoi" in refused(seere, *typed, typed=(other, *head[1:], "oui"))
    assert "ne se lit pas" in refused(seere, *typed, typed=(*head, "non", "P-AAAAAAAAAA oui 1", ""))
    assert "ne se lit pas" in refused(seere, *typed, typed=(*head, "non", f"{first} peut-être", ""))
    lines = (f"{first.lower()} oui CNDH/2026/0114", f"{second} non hors mandat", "")
    assert "2 réponses nouvelles. État : accusé reçu" in work(seere, *typed, typed=(*head, "non", *lines))
    shown = work(seere, "show", NUMBER)
    assert "signé : Mme Greffière" in shown
    assert re.search(rf"{first} .*acceptée  CNDH/2026/0114", shown)
    assert re.search(rf"{second} .*refusée  hors mandat", shown)
    # What was accepted under a number keeps it.
    assert f"{len(others) + 1} réponses nouvelles. État : clos" in work(seere, *typed, typed=(*head, "oui"))
    assert re.search(rf"{first} .*acceptée  CNDH/2026/0114", work(seere, "show", NUMBER))
    assert "0 réponse nouvelle" in work(seere, *typed, typed=(*head, "oui"))


def test_slip_of_a_package_that_never_was_or_is_not_sealed_is_refused(seere: Run, series: str) -> None:
    work(seere, "prepare", CNDH.code, QUARTER)
    slip = ("ab" * 4, "12 janvier", "Greffe", "oui")
    assert "n'en est pas là. Voir où il en est : seere commission show" in refused(
        seere, "answer", NUMBER, "--typed", typed=slip
    )
    assert "introuvable" in refused(seere, "answer", f"{NUMBER[:-1]}9", "--typed", typed=slip)


def test_package_that_is_given_up_keeps_its_number(seere: Run, series: str) -> None:
    work(seere, "prepare", CNDH.code, QUARTER)
    assert "déjà en préparation" in refused(seere, "prepare", CNDH.code, QUARTER)
    assert "10 à 500" in refused(seere, "cancel", NUMBER, "--reason", "non")
    work(seere, "cancel", NUMBER, "--reason", "chiffres à revoir")
    assert "chiffres à revoir" in work(seere, "show", NUMBER)
    assert f"{NUMBER[:-1]}2" in work(seere, "prepare", CNDH.code, QUARTER)
    assert "n'est pas fini" in refused(seere, "prepare", CNDH.code, "2027-T1")


def test_consent_that_is_taken_back_has_it_prepared_anew(seere: Run, series: str, phone: Sender) -> None:
    work(seere, "prepare", CNDH.code, QUARTER)
    about = {"complaint": an_id("arrest 6"), "consent": consent("C0")}
    phone.send(operation("consent_change", "taken back", about, seq=9))
    shown = work(seere, "show", NUMBER)
    assert "BLOQUANT : Des plaintes ou des accords ont changé" in shown
    assert "seere commission anew" in refused(seere, "approve", NUMBER, name="Binta", typed=("oui",))
    assert "5 lignes" in work(seere, "anew", NUMBER)
    work(seere, "approve", NUMBER, name="Binta", typed=("oui",))


def test_summary_leaves_once_another_person_read_it(
    seere: Run, series: str, key: pyrage.x25519.Identity, hub: Hub
) -> None:
    said = "Arrestation sans motif, trois jours sans juge."
    work(seere, "summary", FIRST, typed=(said,))
    work(seere, "prepare", CNDH.code, QUARTER)
    shown = work(seere, "show", NUMBER)
    assert "BLOQUANT : Résumés pas encore relus" in shown
    assert f"seere commission review {FIRST}" in shown
    own = refused(seere, "review", FIRST)
    assert "Qui a écrit un résumé ne le relit pas" in own
    assert "peut-il partir" not in own
    assert said in work(seere, "review", FIRST, name="Binta", typed=("oui",))
    assert "et relu" in work(seere, "summary", FIRST, typed=(said,))
    work(seere, "review", FIRST, name="Binta", typed=("oui",))
    work(seere, "anew", NUMBER)
    work(seere, "approve", NUMBER, name="Binta", typed=("oui",))
    bag = opened(hub.settings.data / "packages" / f"{NUMBER}.zip.age", key)
    assert said in bag["data/plaintes.csv"].decode("utf-8-sig")
    assert "n'a pas de résumé" in refused(seere, "review", NAMED)


def test_file_is_known_by_its_digests_and_an_altered_one_is_refused(
    seere: Run, series: str, key: pyrage.x25519.Identity, hub: Hub, tmp_path: Path
) -> None:
    sealed(seere)
    file = hub.settings.data / "packages" / f"{NUMBER}.zip.age"
    assert f"c'est l'envoi {NUMBER} (scellé), tel qu'il a été scellé" in work(seere, "verify", str(file))
    clear = tmp_path / f"{NUMBER}.zip"
    clear.write_bytes(pyrage.decrypt(file.read_bytes(), [key]))
    assert "ouvert, tel qu'il a été écrit" in work(seere, "verify", str(clear))
    files = members(clear)
    assert f"{len(files)} fichiers lus, tous entiers" in work(seere, "verify", str(clear))
    assert "Le ZIP a été refait" in work(seere, "verify", str(zipped(tmp_path / "a.zip", files)))

    changed = bytearray(file.read_bytes())
    changed[-1] ^= 1
    (tmp_path / file.name).write_bytes(changed)
    assert f"s'appelle comme l'envoi {NUMBER}" in refused(seere, "verify", str(tmp_path / file.name))
    (tmp_path / "photo.jpg").write_bytes(changed)
    assert "aucun des envois de ce centre" in refused(seere, "verify", str(tmp_path / "photo.jpg"))


@pytest.mark.parametrize(
    "name", ["data/plaintes.csv", "data/manifest.json", "bag-info.txt", "seere.pub", "manifest-sha256.txt.minisig"]
)
def test_bag_in_which_one_file_is_another_is_refused(
    seere: Run, series: str, key: pyrage.x25519.Identity, hub: Hub, tmp_path: Path, name: str
) -> None:
    sealed(seere)
    clear = tmp_path / "clear.zip"
    clear.write_bytes(pyrage.decrypt((hub.settings.data / "packages" / f"{NUMBER}.zip.age").read_bytes(), [key]))
    files = members(clear)
    path = f"{NUMBER}/{name}"
    other = files | {path: files[path] + b"\n"}
    assert name in refused(seere, "verify", str(zipped(tmp_path / "a.zip", other)))
    # Whoever changes it makes its sums again, too.
    sums = f"{NUMBER}/tagmanifest-sha256.txt"
    listed = {each: sha256(other[f"{NUMBER}/{each}"]).hexdigest() for each in ("bagit.txt", "seere.pub")}
    listed |= {each: sha256(other[f"{NUMBER}/{each}"]).hexdigest() for each in _tags(files[sums])}
    forged = other | {sums: "".join(f"{digest}  {each}\n" for each, digest in sorted(listed.items())).encode()}
    if name != "bag-info.txt":
        assert name in refused(seere, "verify", str(zipped(tmp_path / "b.zip", forged)))
    without = {each: data for each, data in files.items() if each != path}
    assert name in refused(seere, "verify", str(zipped(tmp_path / "c.zip", without)))
    more = files | {f"{NUMBER}/data/plus.csv": b"x"}
    assert "des fichiers qui n'en sont pas" in refused(seere, "verify", str(zipped(tmp_path / "d.zip", more)))
    beside = files | {"ailleurs.txt": b"x"}
    assert "des fichiers qui n'en sont pas" in refused(seere, "verify", str(zipped(tmp_path / "e.zip", beside)))


def _tags(sums: bytes) -> list[str]:
    return [line.split("  ", 1)[1] for line in sums.decode().splitlines()]


def members(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def zipped(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


@pytest.fixture
def at_home(hub: Hub, seere: Run, tmp_path: Path) -> Path:
    """Binta's key, in a file that never comes near the hub; the keyring has it, and none that the hub holds for her."""
    file = tmp_path / "chez-binta" / "binta.key"
    file.parent.mkdir()
    private = PrivateKey(make_key(file, "reader", "clé de Binta", PASSPHRASE))
    [account] = [each.id for each in everybody(hub) if each.name == "Binta"]
    for each in keyrings.listed(hub.store):
        if each.name == "Binta":
            keyrings.remove(hub.store, each.kid, hub.clock())
    keyrings.add_offline(hub.store, account, bytes(private.public_key), hub.clock())
    publish_keyring(hub, bytes(ROOT))
    return file


def everybody(hub: Hub) -> list[accounts.Account]:
    with hub.store.read() as connection:
        return accounts.listed(connection)


def elsewhere(folder: Path, *arguments: object, typed: tuple[str, ...]) -> Result:
    """`seere commission names` on a machine that has no hub."""
    operator = Operator(Settings(data=folder / "nothing"), catalogue("fr"), Clock())
    command = ["commission", "names", *map(str, arguments)]
    return CliRunner().invoke(main, command, input="".join(f"{line}\n" for line in typed), obj=operator)


def test_who_keeps_the_key_at_home_opens_the_names_there(
    seere: Run, at_home: Path, series: str, key: pyrage.x25519.Identity, stick: Path, hub: Hub
) -> None:
    out, names = stick / "identites.json", stick / "noms.json"
    work(seere, "prepare", CNDH.code, QUARTER)
    said = refused(seere, "approve", NUMBER, name="Binta", typed=("oui",))
    assert "seere commission hand-over" in said
    handed = work(seere, "hand-over", NUMBER, "--out", str(out), name="Binta")
    assert "1 identité scellée" in handed
    assert "existe déjà" in refused(seere, "hand-over", NUMBER, "--out", str(out), name="Binta")
    [words] = re.findall("ces mots sont demandés : (.*)", handed)
    call = (out, "--key", at_home, "--out", names)
    wrong = elsewhere(at_home.parent, *call, typed=("abeille " * 8, PASSPHRASE))
    assert (wrong.exit_code, names.exists()) == (1, False)
    assert "quelqu'un a changé le fichier" in wrong.output
    done = elsewhere(at_home.parent, *call, typed=(words, PASSPHRASE))
    assert done.exit_code == 0, done.output
    assert f"1 nom scellé pour l'envoi {NUMBER}" in done.output
    assert NAME.encode() not in out.read_bytes() + names.read_bytes()
    assert "pas été scellés par votre clé" in refused(
        seere, "approve", NUMBER, "--names", str(altered(names)), name="Binta", typed=("oui",)
    )
    work(seere, "approve", NUMBER, "--names", str(names), name="Binta", typed=("oui",))
    bag = opened(hub.settings.data / "packages" / f"{NUMBER}.zip.age", key)
    assert NAME in bag["data/plaintes.csv"].decode("utf-8-sig")


def altered(names: Path) -> Path:
    """The same names with one character of their box changed."""
    said = json.loads(names.read_bytes())
    said["box"] = ("B" if said["box"][0] == "A" else "A") + said["box"][1:]
    other = names.with_name("autres.json")
    other.write_bytes(canonical(said))
    return other


def test_restored_hub_asks_for_the_last_number_before_it_draws_another(seere: Run, series: str, hub: Hub) -> None:
    with hub.store.write() as connection:
        packages.mark_restored(connection)
    assert f"seere commission resume {CNDH.code} CNDH-2026-T3-0007" in work(seere, "list")
    assert "seere commission resume" in refused(seere, "prepare", CNDH.code, QUARTER)
    assert "Rien n'a été changé" in refused(seere, "resume", CNDH.code, typed=("non",))
    assert "n'est pas un numéro de la série CNDH" in refused(seere, "resume", CNDH.code, "OCLEI-2026-T4-0001")
    assert "1 numéro est donné pour perdu" in work(seere, "resume", CNDH.code, NUMBER)
    assert f"{NUMBER[:-1]}2" in work(seere, "prepare", CNDH.code, QUARTER)
    assert "sauvegarde qui a été rétablie" in work(seere, "show", NUMBER)
    assert "rien à dire" in refused(seere, "resume", CNDH.code, typed=("oui",))


def test_words_are_there_in_english_too(seere: Run, series: str) -> None:
    work(seere, "prepare", CNDH.code, QUARTER, language="en")
    assert "Nothing is in the way." in work(seere, "show", NUMBER, language="en")
    assert "6 lines, 0 withheld" in work(seere, "list", language="en")
