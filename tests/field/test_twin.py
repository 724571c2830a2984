"""The phone and the field client of a laptop are one client: each opens what the other sealed, and says the same."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nacl.public import PrivateKey
from nacl.signing import SigningKey
from nacl.utils import random as random_bytes

from client_sync.complaint import Answers, Attachment, Consent, Contact, Money, Person, Urgency, build_complaint
from client_sync.file_seal import CHUNK_BYTES, Description, new_file_key, open_file, seal_file
from client_sync.protocol import steps
from client_sync.protocol.canonical import canonical
from client_sync.protocol.enrolment import fingerprint, normal_code
from client_sync.protocol.frames import from_text, to_text
from client_sync.protocol.keyring import key_id
from client_sync.protocol.linkage import fold, linkage_keys
from client_sync.protocol.receipts import ALPHABET, check_letter
from client_sync.protocol.uploads import upload_id
from client_sync.protocol.vocabulary import VOCABULARY
from client_sync.protocol.words import WORDS
from client_sync.seal import Binding, Reader, open_envelope, open_part, open_record_key, seal, seal_to
from server.web.field import documents
from tests.field.conftest import PhoneRefuses

pytestmark = [pytest.mark.prove, pytest.mark.ci]

Phone = Callable[..., Any]
BOXES = 1000
KIT = Path(__file__).resolve().parent.parent.parent / "fixtures" / "complaints"
PIVOT = documents.pivot()
# Each example is a line to a process that is there: slow only while it starts.
PATIENT = settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
TEXT = st.text(st.characters(exclude_categories=["Cs", "Cn"], exclude_characters="\0"), max_size=60)
TOLD = st.lists(
    st.sampled_from([
        "Awa Exemple", "d'Awa", "N'Diaye", "L’agent", "le 3 mars", "3/10/2026", "1er février", "5 000", "12.500 FCFA",
        "kɔrɔ", "Dɔgɔ", "ɲɛ", "ŋ", "ߒߞߏ", "À Gao,", "Mopti.", "Dakar!", "École", "İl", "ΣΑΣ", "Straße", "2026-05-12",
        "poste", "argent", "gendarme", "«", "»", "\n", "00000001", "76 12-34 56", "mɛkalo tile 5", "2026", "߃/߁߀/2026",
    ]),
    max_size=14,
).map(" ".join)  # fmt: skip


def messages(seed: int, count: int) -> list[dict[str, Any]]:
    """Compartments of every size class up to some kilobytes."""
    rng = Random(seed)
    words = ["Awa", "poste", "argent", "« »", "ɲɛgɛn", "🫱🏿", "\n", '"', "\\"]
    return [{"n": at, "text": " ".join(rng.choices(words, k=rng.randrange(400)))} for at in range(count)]


def test_a_thousand_boxes_of_the_phone_are_opened(phone: Phone) -> None:
    reader, device = PrivateKey.generate(), PrivateKey.generate()
    kid, public = key_id(bytes(reader.public_key)), to_text(bytes(reader.public_key))
    lost = 0
    for value in messages(1, BOXES // 2):
        binding = {"record": f"record-{value['n']}", "lineage": "lineage-é"}
        made = phone("seal", parts={"traces": value}, readers=[{"kid": kid, "public": public}], binding=binding)
        key = open_record_key(from_text(made["keys"][kid]), bytes(reader))
        box = from_text(made["boxes"]["traces"])
        assert len(box) - 16 >= 64
        assert (len(box) - 16) & (len(box) - 17) == 0
        lost += json.loads(open_part(box, key, "traces", Binding(**binding))) != value
        envelope = phone("envelope", publicKey=to_text(bytes(device.public_key)), value=value)
        lost += json.loads(open_envelope(from_text(envelope), bytes(device))) != value
    assert lost == 0


def test_the_phone_opens_a_thousand_boxes(phone: Phone) -> None:
    device = PrivateKey.generate()
    private, reader = to_text(bytes(device)), Reader("me", bytes(device.public_key))
    lost = 0
    for value in messages(2, BOXES // 2):
        binding = Binding(f"record-{value['n']}", "lineage-é")
        made = seal({"report": canonical(value)}, [reader], binding)
        boxes = {name: to_text(box) for name, box in made.boxes.items()}
        key = to_text(made.keys["me"])
        lost += phone("open", boxes=boxes, key=key, privateKey=private, binding=asdict(binding)) != {"report": value}
        envelope = to_text(seal_to(bytes(device.public_key), canonical(value)))
        lost += phone("openEnvelope", box=envelope, privateKey=private) != value
    assert lost == 0


def test_a_box_from_elsewhere_or_changed_does_not_open(phone: Phone) -> None:
    device = PrivateKey.generate()
    private = to_text(bytes(device))
    box = bytearray(seal_to(bytes(device.public_key), b'{"a":1}'))
    box[-1] ^= 1
    for altered in (bytes(box), bytes(box[:40]), b""):
        with pytest.raises(PhoneRefuses, match="Unopenable"):
            phone("openEnvelope", box=to_text(altered), privateKey=private)


SIZES = (4, 100, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 2 * CHUNK_BYTES, 200_001)


def jpeg(size: int) -> bytes:
    return b"\xff\xd8\xff" + bytes(Random(size).choices(range(128, 256), k=size - 3))


@pytest.mark.parametrize("size", SIZES)
def test_files_are_sealed_and_opened_by_both(phone: Phone, size: int) -> None:
    data = jpeg(size)
    made = phone("sealFile", data=to_text(data), name="à nous.jpg")
    sealed = from_text(made["sealed"])
    opened = open_file([sealed], from_text(made["key"]))
    assert (b"".join(opened.chunks), opened.description.name, made["kind"]) == (data, "à nous.jpg", "photo")
    assert (hashlib.sha256(sealed).hexdigest(), len(sealed)) == (made["sha256"], made["size"])

    key = new_file_key()
    described = Description(hashlib.sha256(data).hexdigest(), size, "image/jpeg", "b.jpg")
    ours = b"".join(seal_file(BytesIO(data), described, key))
    theirs = phone("openFile", sealed=to_text(ours), key=to_text(key))
    assert (from_text(theirs["data"]), theirs["name"]) == (data, "b.jpg")
    for cut in (ours[:-1], ours[:100], ours + b"x", bytes([ours[0] ^ 1]) + ours[1:]):
        with pytest.raises(PhoneRefuses):
            phone("openFile", sealed=to_text(cut), key=to_text(key))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=5),
    max_leaves=20,
)


@PATIENT
@given(JSON)
def test_canonical_json_is_the_same(phone: Phone, value: Any) -> None:
    assert from_text(phone("canonical", value=value)) == canonical(value)


@PATIENT
@given(TOLD | TEXT)
def test_what_is_compared_of_any_telling_is_the_same(phone: Phone, told: str) -> None:
    content = {
        "statement": {"clear": {"narrative": told}},
        "traces": {"clear": {"said": told, "place": {"id": "ml-v-1"}}},
        "identity": {"clear": {"persons": [{"no": 1, "name": told, "phone": told}], "contact": {"how": told}}},
    }
    assert phone("fold", text=told) == fold(told)
    assert phone("linkage", content=content, pivot=PIVOT) == json.loads(canonical(linkage_keys(content)))


def test_what_is_compared_of_told_complaints_is_the_same(phone: Phone) -> None:
    fields = ("narrative", "place_said", "name", "phone")
    lines = (KIT / "kit" / "reports.jsonl").read_text("utf-8").splitlines()
    for report in map(json.loads, lines):
        said = {name: str(report.get(name) or "") for name in fields}
        content = {
            "statement": {"clear": {"narrative": said["narrative"] or json.dumps(report, ensure_ascii=False)}},
            "traces": {"clear": {"said": said["place_said"]}},
            "identity": {"clear": {"persons": [{"no": 1, "name": said["name"], "phone": said["phone"]}]}},
        }
        assert phone("linkage", content=content, pivot=PIVOT) == json.loads(canonical(linkage_keys(content)))
    assert len(lines) > 2000


def test_steps_are_said_in_the_same_words(phone: Phone) -> None:
    compared = 0
    for language in documents.LANGUAGES:
        words, bodies = documents.steps(language), documents.labels(language)["body"]
        for template in (*words["template"], "of_a_later_version"):
            for extra in ({}, {"next": [3, 32]}, {"next": [0, 0]}, {"next": [10, 20], "wait": True}, FIELDS):
                change = {"kind": "step", "t": template, "on": "2026-11-21"} | extra
                said = steps.read(change)
                assert said is not None
                expected = list(steps.words(said, language))
                assert phone("sentences", step=change, words=words, bodies=bodies) == expected
                compared += 1
    assert compared > 100


FIELDS = {"code": "referred", "f": {"body": "cndh", "outcome": "remedied", "file_number": "12/A", "odd": "x"}}


def test_words_codes_and_letters_are_the_same(phone: Phone) -> None:
    hub, root, sign, box = (random_bytes(32) for _ in range(4))
    ours = fingerprint(hub, root, bytes(SigningKey(sign).verify_key), bytes(PrivateKey(box).public_key))
    texts = {"hubSignKey": to_text(hub), "root": to_text(root), "sign": to_text(sign), "box": to_text(box)}
    assert phone("words", **texts, list=list(WORDS)) == ours
    for typed in ("0o1l-uabc DEFG-hjkm np01", "ABCD EFGH JKMN PQRS TVWX"):
        assert phone("normalCode", text=typed) == normal_code(typed)
    for seed in range(200):
        body = "".join(Random(seed).choices(ALPHABET, k=6))
        assert phone("checkLetter", body=body) == check_letter(body)
    assert phone("uploadId", device="d", sha256="a" * 64) == upload_id("d", "a" * 64)


NOW = datetime(2026, 11, 21, 10, 0, 0, tzinfo=UTC)
RECEIPT = "7K4M-2QG"
WOMAN = {"roles": ["complainant", "victim"], "sex": "f", "age": "25-59"}
FILE = {"sha256": "a" * 64, "size": 9, "kind": "audio", "role": "testimony", "key": "k" * 43}
ANSWERED: list[tuple[dict[str, Any], Answers]] = [
    ({"consent": {"level": "C0", "bodies": []}}, Answers()),
    (
        {
            "danger": "yes",
            "urgency": {"reprisals": True, "detained": True},
            "narrative": "Au poste, on a pris 5 000.",
            "narrativeLanguage": "fra",
            "family": "corruption",
            "kinds": ["COR-RACKET"],
            "cercle": "ml-c-bla",
            "places": "2026.1",
            "place": "ml-v-1",
            "placeList": "2026.1",
            "said": "près du puits",
            "incident": {"from": "2026-11-20", "precision": "day"},
            "perpetrators": [{"roles": ["alleged_perpetrator"], "category": "gendarmerie"}],
            "money": {"asked_xof": 5000, "paid": "yes", "paid_xof": 5000, "receipt_given": False},
            "victims": [WOMAN],
            "consent": {
                "level": "C4",
                "bodies": ["cndh"],
                "given_by": "self",
                "form": "oral_witness",
                "read_aloud": True,
            },
            "contactOk": "yes",
            "contact": {"how": "par sa sœur"},
            "name": "Awa Exemple",
            "phone": "00 00 00 01",
            "files": [FILE],
        },
        Answers(
            danger="yes",
            urgency=Urgency(reprisals=True, detained=True),
            narrative="Au poste, on a pris 5 000.",
            narrative_language="fra",
            kinds=("COR-RACKET",),
            cercle="ml-c-bla",
            places="2026.1",
            place="ml-v-1",
            place_said="près du puits",
            incident_from="2026-11-20",
            incident_precision="day",
            perpetrators=(Person(("alleged_perpetrator",), category="gendarmerie"),),
            money=Money(asked_xof=5000, paid="yes", paid_xof=5000, receipt_given=False),
            victims=(Person(("complainant", "victim"), "f", "25-59", name="Awa Exemple", phone="00 00 00 01"),),
            relation="victim",
            consent=Consent("C4", "self", "oral_witness", read_aloud=True, bodies=("cndh",)),
            contact_ok="yes",
            contact=Contact(how="par sa sœur"),
            files=(Attachment(**FILE),),
        ),
    ),
    (
        {
            "kinds": ["COR-SEX"],
            "consent": {"level": "C1", "bodies": []},
            "victims": [{"roles": ["victim"], "count": 3}],
        },
        Answers(kinds=("COR-SEX",), consent=Consent("C1"), victims=(Person(("victim",), count=3),)),
    ),
    (
        {
            "kinds": ["HR-TOR"],
            "consent": {"level": "C2", "bodies": []},
            "victims": [{"roles": ["victim"], "age": "12-17"}],
        },
        Answers(kinds=("HR-TOR",), consent=Consent("C2"), victims=(Person(("victim",), age="12-17"),)),
    ),
    (
        {
            "consent": {"level": "C3", "bodies": []},
            "perpetrators": [{"roles": ["alleged_perpetrator"], "category": "network_staff"}],
            "name": "Awa Exemple",
        },
        Answers(
            consent=Consent("C3"),
            perpetrators=(Person(("alleged_perpetrator",), category="network_staff"),),
            others=(Person(("complainant",), name="Awa Exemple"),),
        ),
    ),
]


@pytest.mark.parametrize("number", range(len(ANSWERED)))
def test_the_same_answers_make_the_same_complaint(phone: Phone, number: int) -> None:
    told, answers = ANSWERED[number]
    ours = build_complaint(answers, now=NOW, receipt=RECEIPT)
    vocabulary = documents.vocabulary()
    theirs = phone("complaint", answers=told, now="2026-11-21T10:00:00.999Z", receipt=RECEIPT, vocabulary=vocabulary)
    assert theirs == ours
    assert phone("isStrict", facts=ours["facts"]["clear"], vocabulary=vocabulary) == VOCABULARY.is_strict(
        ours["facts"]["clear"]
    )
