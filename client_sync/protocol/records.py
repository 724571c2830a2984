"""The shape of every operation: marshmallow owns it, for hub and client alike (PROTOCOL §3.3, §4)."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from marshmallow import EXCLUDE, Schema, ValidationError, fields, validates_schema
from marshmallow.validate import Length, OneOf, Range, Regexp, Validator

from client_sync.protocol.canonical import Operation, is_id
from client_sync.protocol.limits import (
    BOX_MAX_CHARS,
    JSON_INTEGER_MAX,
    LINKAGE_MAX_CHARS,
    NARRATIVE_MAX_CHARS,
    READERS_MAX,
    TEXT_MAX_CHARS,
    YEAR_MAX,
    YEAR_MIN,
)
from client_sync.protocol.receipts import is_receipt
from client_sync.protocol.vocabulary import VOCABULARY

FORM: Final = "complaint/1"
COMPARTMENTS: Final = ("facts", "statement", "traces", "identity")
# The one compartment of what was done of a task, which is always sealed.
REPORT: Final = "report"

# Narrower than fromisoformat, which also reads weeks and compact forms: claimed texts are compared as text.
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_TIME: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")

_KID: Final = re.compile(r"[0-9a-f]{16}")
# 107 characters in version 1 of the seal.
_SEALED_KEY: Final = re.compile(r"[A-Za-z0-9_-]{1,200}")

# Under these names the metadata of a member says of which list of the vocabulary its codes are, and that a text is a
# day or a time.
LIST: Final = "list"
SORT: Final = "sort"

# Marshmallow's own sentences become codes of the wire; what has no entry is `member_invalid`.
_MESSAGES: Final = {"required": "member_missing", "null": "member_invalid"}
_ANY_MESSAGE: Final = "member_invalid"


@dataclass(frozen=True)
class Flaw:
    """What is wrong with an operation: a code of CODES and the dotted path of the field."""

    code: str
    field: str


class Shape(Schema):
    """Unknown members are let by: they stay in the line as received."""

    class Meta:
        unknown = EXCLUDE

    error_messages = {"type": _ANY_MESSAGE, "unknown": _ANY_MESSAGE}

    @validates_schema(pass_original=True)
    def _check_whole(self, _: Mapping[str, Any], original: Mapping[str, Any], **__: Any) -> None:
        found = self.fault_of_whole(original)
        if found is not None:
            raise ValidationError(found[1], found[0])

    @staticmethod
    def fault_of_whole(original: Mapping[str, Any]) -> tuple[str, str] | None:  # noqa: ARG004 - for shapes that have one
        """What is wrong between several members, as sent: the member at fault and its code, or None."""
        return None


def _code(list_name: str, **options: Any) -> fields.String:
    known = OneOf(sorted(VOCABULARY.codes(list_name)), error="code_unknown")
    return fields.String(validate=known, metadata={LIST: list_name}, **_coded(options))


def _text(max_chars: int = TEXT_MAX_CHARS, **options: Any) -> fields.String:
    return fields.String(validate=Length(max=max_chars, error="text_too_long"), **_coded(options))


def _count(low: int = 0, high: int = JSON_INTEGER_MAX, **options: Any) -> fields.Integer:
    return fields.Integer(strict=True, validate=Range(low, high, error=_ANY_MESSAGE), **_coded(options))


class _Flag(fields.Boolean):
    """True or false; marshmallow's own would take 1 and 0, which a reader of the line would not."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> bool:
        if not isinstance(value, bool):
            raise self.make_error("invalid")
        return value


class _List(fields.List[Any]):
    """An array; marshmallow's own would take an object for its member names."""

    def _deserialize(self, value: Any, *args: Any, **options: Any) -> list[Any]:
        if not isinstance(value, list):
            raise self.make_error("invalid")
        return super()._deserialize(value, *args, **options)


def _flag() -> fields.Boolean:
    return _Flag(**_coded({}))


def _part(shape: type[Shape], **options: Any) -> fields.Nested:
    return fields.Nested(shape, **_coded(options))


def _parts(shape: type[Shape], most: int, least: int = 0, **options: Any) -> fields.List[Any]:
    return _list(_part(shape), most, least, **options)


def _list(item: fields.Field[Any], most: int, least: int = 0, **options: Any) -> fields.List[Any]:
    return _List(item, validate=Length(least, most, error=_ANY_MESSAGE), **_coded(options))


def _coded(options: dict[str, Any]) -> dict[str, Any]:
    messages = dict.fromkeys(("invalid", "type", "invalid_utf8", "too_large"), _ANY_MESSAGE) | _MESSAGES
    return options | {"error_messages": messages}


class Faultless(Validator):
    """A validator from a function that names what is wrong with a value by its code, or None.

    `sure`: a regular expression of texts that are without fault, for who wants to ask only about the rest.
    """

    def __init__(self, fault: Callable[[Any], str | None], sure: str | None = None) -> None:
        self.fault = fault
        self.sure = sure

    def __call__(self, value: Any) -> Any:
        if (code := self.fault(value)) is not None:
            raise ValidationError(code)
        return value


def _id(**options: Any) -> fields.String:
    return fields.String(validate=Faultless(lambda text: None if is_id(text) else _ANY_MESSAGE), **_coded(options))


def read_day(text: str) -> date | None:
    """The day of a claimed `2026-10-03`; None when there is no such day."""
    try:
        return date.fromisoformat(text) if _DAY.fullmatch(text) else None
    except ValueError:
        return None


def read_time(text: str) -> datetime | None:
    """The moment of a claimed `2026-11-21T10:04:05Z`; None for any other writing."""
    try:
        return datetime.fromisoformat(text) if _TIME.fullmatch(text) else None
    except ValueError:
        return None


def _day_fault(text: str) -> str | None:
    return _year_fault(read_day(text))


def _time_fault(text: str) -> str | None:
    return _year_fault(read_time(text))


def _year_fault(day: date | None) -> str | None:
    if day is None:
        return "date_impossible"
    return None if YEAR_MIN <= day.year <= YEAR_MAX else "date_out_of_range"


# Every day of 1900 to 2199 but the 29th of February.
_SURE_DAY: Final = (
    r"(?:19|20|21)[0-9]{2}-(?:"
    r"(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])"
    r"|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)"
    r"|02-(?:0[1-9]|1[0-9]|2[0-8]))"
)
_SURE_TIME: Final = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z"


def _receipt_fault(text: str) -> str | None:
    return None if is_receipt(text) else "receipt_invalid"


def _media_keys_fault(keys: Mapping[str, Any]) -> str | None:
    # Checked whole: a flaw inside would carry the member's name, which is the sender's own text.
    if not all(isinstance(key, str) for key in keys.values()):
        return _ANY_MESSAGE
    return "text_too_long" if any(len(key) > TEXT_MAX_CHARS for key in keys.values()) else None


def _sealed_keys_fault(keys: Mapping[str, Any]) -> str | None:
    # Checked whole, as media keys are.
    is_sound = 1 <= len(keys) <= READERS_MAX and all(
        _KID.fullmatch(kid) and isinstance(key, str) and _SEALED_KEY.fullmatch(key) for kid, key in keys.items()
    )
    return None if is_sound else _ANY_MESSAGE


def _day(**options: Any) -> fields.String:
    fit = Faultless(_day_fault, rf"^{_SURE_DAY}$")
    return fields.String(validate=fit, metadata={SORT: "day"}, **_coded(options))


def _time(**options: Any) -> fields.String:
    fit = Faultless(_time_fault, rf"^{_SURE_DAY}T{_SURE_TIME}$")
    return fields.String(validate=fit, metadata={SORT: "time"}, **_coded(options))


_SHA256: Final = Regexp(r"\A[0-9a-f]{64}\Z", error=_ANY_MESSAGE)
_BASE64URL: Final = Regexp(r"\A[A-Za-z0-9_-]*\Z", error=_ANY_MESSAGE)
_EPOCH: Final = Regexp(r"\A[0-9a-f]{8}\Z", error=_ANY_MESSAGE)
_SLUG: Final = Regexp(r"\A[a-z0-9][a-z0-9.-]{0,79}\Z", error=_ANY_MESSAGE)
_LISTED: Final = Regexp(r"\A[A-Za-z0-9][A-Za-z0-9._-]{0,19}\Z", error=_ANY_MESSAGE)
_DEGREES: Final = Regexp(r"\A-?[0-9]{1,3}(\.[0-9]{1,7})?\Z", error=_ANY_MESSAGE)


def _slug(**options: Any) -> fields.String:
    return fields.String(validate=_SLUG, **_coded(options))


def _listed() -> fields.String:
    """A code of somebody else's list, or the name of a list: never words."""
    return fields.String(validate=_LISTED, **_coded({}))


class IncidentShape(Shape):
    """When it happened, as the person can say it."""

    from_ = _day(data_key="from", required=True, allow_none=True)
    to = _day()
    precision = _code("date_precision", required=True)

    @staticmethod
    def fault_of_whole(original: Mapping[str, Any]) -> tuple[str, str] | None:
        """The last day is not before the first; days of one width compare as text."""
        first, last = original.get("from"), original.get("to")
        is_reversed = isinstance(first, str) and isinstance(last, str) and last < first
        return ("to", "date_impossible") if is_reversed else None


class PlaceShape(Shape):
    """A place by our own id and list, or by a code and its system; a code alone is for a person to settle."""

    id = _slug()
    list = _listed()
    code = _listed()
    system = _listed()


class PersonShape(Shape):
    """A person as role, sex and age band; the name, if any, is in `identity` under the same `no`."""

    no = _count(1, 999, required=True)
    roles = _list(_code("person_role"), 5, 1, required=True)
    sex = _code("sex")
    age = _code("age_band")
    category = _code("perpetrator_category")
    count = _count(1, 1_000_000)
    displaced = _code("displacement")
    disability = _flag()


class MoneyShape(Shape):
    """Money asked and paid, in whole XOF."""

    asked_xof = _count()
    paid_xof = _count()
    paid = _code("paid")
    receipt_given = _flag()
    recurring = _flag()


class UrgencyShape(Shape):
    """Answers that make a complaint urgent; the hub computes the urgency."""

    danger = _code("danger", required=True)
    within_72h = _flag()
    minor = _flag()
    detained = _flag()
    reprisals = _flag()
    witness = _flag()
    eviction = _flag()


class ConsentShape(Shape):
    """What the person allows, to whom, and how it was given."""

    level = _code("consent_level", required=True)
    given_by = _code("consent_given_by")
    form = _code("consent_form")
    language = _code("language")
    read_aloud = _flag()
    on = _day()
    expires = _day()
    bodies = _list(_code("body"), 40)
    assent = _flag()
    publish = _flag()
    share_media = _flag()
    share_family = _flag()
    withhold = _code("withhold_reason")


class FileShape(Shape):
    """A file by the hash of what is sent."""

    sha256 = fields.String(required=True, validate=_SHA256, **_coded({}))
    size = _count(0, required=True)
    kind = _code("file_kind", required=True)
    role = _code("file_role", required=True)


class FactsShape(Shape):
    """The compartment that is always clear."""

    kinds = _list(_code("kind"), 5, 1, required=True)
    channel = _code("channel", required=True)
    relation = _code("relation")
    sector = _code("sector")
    language = _code("language")
    incident = _part(IncidentShape)
    place = _part(PlaceShape)
    persons = _parts(PersonShape, 200)
    money = _part(MoneyShape)
    urgency = _part(UrgencyShape)
    consent = _part(ConsentShape, required=True)
    confidentiality = _code("confidentiality", required=True)
    contact_ok = _code("contact_ok", required=True)
    collected_at = _time()
    entered_at = _time(required=True)
    receipt = fields.String(required=True, validate=Faultless(_receipt_fault), **_coded({}))
    team = _slug()
    partner = _slug()
    files = _parts(FileShape, 100)


class StatementShape(Shape):
    """The person's words; `service` is what the money was asked for."""

    narrative = _text(NARRATIVE_MAX_CHARS)
    lang = _code("language")
    summary = _text()
    service = _text(200)
    withhold_note = _text()


class GpsShape(Shape):
    """A position in degrees WGS84, as decimal strings."""

    lat = fields.String(required=True, validate=_DEGREES, **_coded({}))
    lon = fields.String(required=True, validate=_DEGREES, **_coded({}))
    accuracy_m = _count(0, 100_000)


class TracesShape(Shape):
    """What would lead to the person: exact place, position, keys of media."""

    place = _part(PlaceShape)
    said = _text(500)
    gps = _part(GpsShape)
    media_keys = fields.Dict(validate=Faultless(_media_keys_fault), **_coded({}))


class NameShape(Shape):
    """Who a person of `facts.persons` is."""

    no = _count(1, 999, required=True)
    name = _text(200)
    phone = _text(80)
    note = _text()


class ContactShape(Shape):
    """How the person can be reached without harm."""

    how = _text(200)
    when = _text(200)
    through = _text(200)
    say = _text()


class IdentityShape(Shape):
    """Names and contacts."""

    persons = _parts(NameShape, 200)
    contact = _part(ContactShape)


class LookShape(Shape):
    """That somebody opened the details of a task on the device, and why."""

    at = _time(required=True)
    why = _text(200, required=True)


class ReportShape(Shape):
    """What a team tells of a task: whom it heard, which documents it saw, and what it has to add."""

    heard = _text()
    documents = _text()
    note = _text(NARRATIVE_MAX_CHARS)
    looks = _parts(LookShape, 100)


def _sealed_text(max_chars: int) -> fields.String:
    """Sealed bytes as base64url."""
    length = Length(1, max_chars, error="text_too_long")
    return fields.String(required=True, validate=[length, _BASE64URL], **_coded({}))


class BoxShape(Shape):
    """A sealed compartment: opaque to the hub."""

    box = _sealed_text(BOX_MAX_CHARS)


class SealShape(Shape):
    """What opens the sealed compartments beside it: the record key, sealed to each reader."""

    v = _count(1, 999, required=True)
    keys = fields.Dict(required=True, validate=Faultless(_sealed_keys_fault), **_coded({}))


_CLEAR_SHAPES: Final[dict[str, Shape]] = {
    "facts": FactsShape(),
    "statement": StatementShape(),
    "traces": TracesShape(),
    "identity": IdentityShape(),
    REPORT: ReportShape(),
}
BOX: Final = BoxShape()
SEAL: Final = SealShape()


def clear_shape(compartment: str) -> Shape:
    """The shape of a clear compartment."""
    return _CLEAR_SHAPES[compartment]


class _AboutComplaint(Shape):
    complaint = _id(required=True)
    lineage = _id()


class RevisionShape(_AboutComplaint):
    """Members of a revision beside its compartments."""

    base_revision = _count(1, required=True)


class ConsentChangeShape(_AboutComplaint):
    """A new consent, whole."""

    consent = _part(ConsentShape, required=True)


class WithdrawalShape(_AboutComplaint):
    """The person takes the complaint back."""

    scope = fields.String(required=True, validate=OneOf(["exports", "all"], error="code_unknown"), **_coded({}))
    reason = _text()
    wished_on = _day()


class AnswerShape(_AboutComplaint):
    """An answer to a coordinator's question; its compartments are checked apart."""

    question = _id(required=True)


class TaskDoneShape(Shape):
    """What came of a task, beside its report: `finding` is proposed, `sources` are independent ones."""

    task = _id(required=True)
    outcome = _code("task_outcome", required=True)
    done_on = _day()
    method = _code("verification_method")
    sources = _count(0, 99)
    certainty = _code("certainty")
    finding = _code("finding")


class SeenShape(Shape):
    """Numbers of the changes that were shown to a person."""

    changes = _list(_count(1), 5000, 1, required=True)


class LinkageShape(_AboutComplaint):
    """What duplicates are searched by, sealed to the hub's linkage key."""

    v = _count(1, 999, required=True)
    box = _sealed_text(LINKAGE_MAX_CHARS)


class AnchorShape(Shape):
    """A head of the hub's log."""

    day = _day(required=True)
    epoch = fields.String(required=True, validate=_EPOCH, **_coded({}))
    hub = _id(required=True)
    root = fields.String(required=True, validate=_SHA256, **_coded({}))
    size = _count(1, required=True)


class AnchorSeenShape(Shape):
    """The last head of the log that the device saw, as the hub signed it."""

    anchor = _part(AnchorShape, required=True)
    sig = _sealed_text(90)


SHAPES: Final[dict[str, Shape]] = {
    "revision": RevisionShape(),
    "consent_change": ConsentChangeShape(),
    "withdrawal": WithdrawalShape(),
    "answer": AnswerShape(),
    "task_done": TaskDoneShape(),
    "seen": SeenShape(),
    "linkage": LinkageShape(),
    "anchor_seen": AnchorSeenShape(),
}
OPERATIONS: Final = ("complaint", *SHAPES)
# By operation, the compartments that it may have.
COMPARTMENTS_OF: Final[Mapping[str, tuple[str, ...]]] = {
    "complaint": COMPARTMENTS,
    "revision": COMPARTMENTS,
    "answer": COMPARTMENTS,
    "task_done": (REPORT,),
}


def check_operation(operation: Operation) -> Flaw | None:
    """What is wrong with the operation, the first in the order of the form; None when nothing is."""
    if operation.op == "complaint":
        return check_complaint(operation.content)
    if operation.op not in SHAPES:
        return Flaw("op_unknown", "op")
    if (found := _first(SHAPES[operation.op], operation.content, "")) is not None:
        return found
    return check_compartments(operation.content, COMPARTMENTS_OF.get(operation.op, ()))


def check_complaint(content: Mapping[str, Any]) -> Flaw | None:
    """What is wrong with the content of a complaint, the first in the order of the form."""
    if content.get("form") != FORM:
        return Flaw("form_unknown" if "form" in content else "member_missing", "form")
    if content.get("vocabulary") != VOCABULARY.version:
        return Flaw("vocabulary_unknown" if "vocabulary" in content else "member_missing", "vocabulary")
    if "facts" not in content:
        return Flaw("member_missing", "facts")
    return check_compartments(content)


def check_compartments(content: Mapping[str, Any], names: Sequence[str] = COMPARTMENTS) -> Flaw | None:
    """What is wrong with the compartments of these names that are there; a sealed one is only checked as a box."""
    for name in names:
        if name in content and (found := _check_compartment(name, content[name])) is not None:
            return found
    if names and "seal" in content:
        return _first(SEAL, content["seal"], "seal.")
    is_sealed = any("box" in content.get(name, ()) for name in names)
    return Flaw("member_missing", "seal") if is_sealed else None


def _check_compartment(name: str, compartment: Any) -> Flaw | None:
    if not isinstance(compartment, dict) or ("clear" in compartment) == ("box" in compartment):
        return Flaw("compartment_invalid", name)
    if "clear" in compartment:
        return _first(_CLEAR_SHAPES[name], compartment["clear"], f"{name}.")
    if name == "facts":
        return Flaw("compartment_sealed_facts", name)
    return _first(BOX, compartment, f"{name}.")


def _first(schema: Shape, value: Any, prefix: str) -> Flaw | None:
    errors = schema.validate(value)
    if not errors:
        return None
    path, code = _leaf(errors)
    return Flaw(code, (prefix + ".".join(path)).rstrip("."))


def _leaf(errors: Any) -> tuple[tuple[str, ...], str]:
    """The first error with its path; marshmallow nests dictionaries of lists of messages."""
    if isinstance(errors, dict):
        name, inner = next(iter(errors.items()))
        path, code = _leaf(inner)
        return (() if name == "_schema" else (str(name), *path)), code
    return (), errors[0] if isinstance(errors, list) else str(errors)
