"""What a hub said, checked before anything on the device changes (PROTOCOL §3.5)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from marshmallow import EXCLUDE, Schema, ValidationError, fields
from marshmallow.validate import Length, OneOf, Range, Regexp

from client_sync.errors import NotAnAnswer
from client_sync.protocol.codes import STORED, VERDICTS
from client_sync.protocol.limits import FRAME_RECORDS_MAX, JSON_INTEGER_MAX, NEED_MAX
from client_sync.protocol.records import read_time

# Whatever a hub says, a device comes back within a day.
RETRY_AFTER_MOST_S: Final = 86_400
_MINUTE_S: Final = 60
# Codes of the wire and names of members are far shorter.
CODE_MOST_CHARS: Final = 100
_CURSOR_MOST_CHARS: Final = 256
# Among what does not print, lines and tabs belong to a text, and the joiners to its spelling.
_TEXT_KEEPS: Final = frozenset("\n\t\u200c\u200d")


@dataclass(frozen=True)
class Verdict:
    """What became of one operation."""

    name: str
    code: str | None = None
    field: str | None = None


@dataclass(frozen=True)
class FrameReport:
    """What the hub says of one frame: `n` records and the verdicts that are named, or why it was not read."""

    frame: int
    n: int
    named: Mapping[int, Verdict]
    unread: str | None

    def verdict(self, at: int) -> Verdict:
        """The verdict on the record at this place of the frame."""
        return self.named.get(at, _SIMPLY_STORED)


@dataclass(frozen=True)
class Needed:
    """A file that the hub wants, from byte `offset` on."""

    sha256: str
    offset: int


@dataclass(frozen=True)
class HubAnswer:
    """One answer; what PROTOCOL §3.5 leaves out when there is nothing to say is None or empty."""

    now: datetime
    epoch: str
    position: int | None
    reports: tuple[FrameReport, ...]
    changes: tuple[Mapping[str, Any], ...]
    cursor: str | None
    has_more: bool
    is_reset: bool
    backed_up_to: int | None
    orders: tuple[Mapping[str, Any], ...]
    retry_after_s: int | None
    sync_after_s: int | None
    rolled_back: int | None
    missing_parcels: tuple[int, ...]
    anchor: Mapping[str, Any] | None
    need: tuple[Needed, ...]


_SIMPLY_STORED: Final = Verdict(STORED)


def shown(text: str, most_chars: int) -> str:
    """A code or a name of the hub as it may be shown: nothing that steers a terminal, and not too long."""
    return "".join(char for char in text if char.isprintable())[:most_chars]


def retry_after(seconds: int) -> int:
    """The wait that a hub asks for, a day at the most."""
    return min(seconds, RETRY_AFTER_MOST_S)


class ShownText(fields.String):
    """A string that is cut and cleaned as by `shown`."""

    def __init__(self, most_chars: int, **options: Any) -> None:
        super().__init__(**options)
        self._most_chars = most_chars

    def _deserialize(self, value: Any, *args: Any, **options: Any) -> Any:
        return shown(super()._deserialize(value, *args, **options), self._most_chars)


class _Members(Schema):
    """Members that we don't know are let by: a newer hub may say more."""

    class Meta:
        unknown = EXCLUDE


def _number(most: int = JSON_INTEGER_MAX, **options: Any) -> fields.Integer:
    return fields.Integer(strict=True, validate=Range(0, most), **options)


class _NamedShape(_Members):
    at = _number(FRAME_RECORDS_MAX - 1, required=True)
    verdict = fields.String(required=True, validate=OneOf(VERDICTS))
    code = ShownText(CODE_MOST_CHARS, allow_none=True)
    field = ShownText(CODE_MOST_CHARS, allow_none=True)


class _ReportShape(_Members):
    frame = _number(required=True)
    n = _number(FRAME_RECORDS_MAX, load_default=0)
    named = fields.List(fields.Nested(_NamedShape), load_default=[])
    unread = ShownText(CODE_MOST_CHARS, load_default=None)


class _NeedShape(_Members):
    sha256 = fields.String(required=True, validate=Regexp(r"\A[0-9a-f]{64}\Z"))
    offset = _number(required=True)


class _AnswerShape(_Members):
    now = fields.String(required=True)
    epoch = fields.String(required=True, validate=Length(1, 64))
    position = _number(load_default=None)
    frames = fields.List(fields.Nested(_ReportShape), load_default=[])
    changes = fields.List(fields.Dict(), load_default=[])
    cursor = fields.String(load_default=None, validate=Length(1, _CURSOR_MOST_CHARS))
    more = fields.Boolean(load_default=False)
    reset = fields.String(load_default=None)
    backed_up_to = _number(load_default=None)
    orders = fields.List(fields.Dict(), load_default=[])
    retry_after_s = _number(load_default=None)
    sync_after = _number(load_default=None)
    rolled_back = _number(load_default=None)
    missing_parcels = fields.List(_number(), load_default=[])
    anchor = fields.Dict(load_default=None)
    need = fields.List(fields.Nested(_NeedShape), load_default=[], validate=Length(max=NEED_MAX))


_ANSWER: Final = _AnswerShape()


def read_answer(members: object) -> HubAnswer:
    """The answer in a JSON document; raises NotAnAnswer for one that a hub would not give."""
    if not isinstance(members, dict):
        raise NotAnAnswer
    try:
        answer: dict[str, Any] = _ANSWER.load(members)
    except ValidationError:
        raise NotAnAnswer from None
    now = read_time(answer["now"])
    if now is None:
        raise NotAnAnswer
    return HubAnswer(
        now=now,
        epoch=answer["epoch"],
        position=answer["position"],
        reports=tuple(_report(report) for report in answer["frames"]),
        changes=tuple(_cleaned(change) for change in answer["changes"]),
        cursor=answer["cursor"],
        has_more=answer["more"],
        is_reset=answer["reset"] is not None,
        backed_up_to=answer["backed_up_to"],
        orders=tuple(answer["orders"]),
        retry_after_s=None if answer["retry_after_s"] is None else retry_after(answer["retry_after_s"]),
        sync_after_s=None if answer["sync_after"] is None else retry_after(answer["sync_after"] * _MINUTE_S),
        rolled_back=answer["rolled_back"],
        missing_parcels=tuple(answer["missing_parcels"]),
        anchor=answer["anchor"],
        need=tuple(Needed(each["sha256"], each["offset"]) for each in answer["need"]),
    )


def _report(report: Mapping[str, Any]) -> FrameReport:
    named = {each["at"]: Verdict(each["verdict"], each.get("code"), each.get("field")) for each in report["named"]}
    if named and max(named) >= report["n"]:
        raise NotAnAnswer
    return FrameReport(report["frame"], report["n"], named, report["unread"])


def _cleaned(value: Any) -> Any:
    """A change, its texts without what steers a terminal."""
    if isinstance(value, dict):
        return {name: _cleaned(member) for name, member in value.items()}
    if isinstance(value, list):
        return [_cleaned(member) for member in value]
    if isinstance(value, str):
        return "".join(char for char in value if char.isprintable() or char in _TEXT_KEEPS)
    return value
