"""What a hub said, checked before anything on the device changes (PROTOCOL §3.5)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from marshmallow import EXCLUDE, Schema, ValidationError, fields
from marshmallow.validate import Length, OneOf, Range

from client_sync.errors import NotAnAnswer
from client_sync.protocol.codes import STORED, VERDICTS
from client_sync.protocol.limits import JSON_INTEGER_MAX
from client_sync.protocol.records import read_time


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
    rolled_back: int | None
    missing_parcels: tuple[int, ...]


_SIMPLY_STORED: Final = Verdict(STORED)


class _Members(Schema):
    """Members that we don't know are let by: a newer hub may say more."""

    class Meta:
        unknown = EXCLUDE


def _number(**options: Any) -> fields.Integer:
    return fields.Integer(strict=True, validate=Range(0, JSON_INTEGER_MAX), **options)


class _NamedShape(_Members):
    at = _number(required=True)
    verdict = fields.String(required=True, validate=OneOf(VERDICTS))
    code = fields.String(allow_none=True)
    field = fields.String(allow_none=True)


class _ReportShape(_Members):
    frame = _number(required=True)
    n = _number(load_default=0)
    named = fields.List(fields.Nested(_NamedShape), load_default=[])
    unread = fields.String(load_default=None)


class _AnswerShape(_Members):
    now = fields.String(required=True)
    epoch = fields.String(required=True, validate=Length(1, 64))
    position = _number(load_default=None)
    frames = fields.List(fields.Nested(_ReportShape), load_default=[])
    changes = fields.List(fields.Dict(), load_default=[])
    cursor = fields.String(load_default=None)
    more = fields.Boolean(load_default=False)
    reset = fields.String(load_default=None)
    backed_up_to = _number(load_default=None)
    orders = fields.List(fields.Dict(), load_default=[])
    retry_after_s = _number(load_default=None)
    rolled_back = _number(load_default=None)
    missing_parcels = fields.List(_number(), load_default=[])


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
        changes=tuple(answer["changes"]),
        cursor=answer["cursor"],
        has_more=answer["more"],
        is_reset=answer["reset"] is not None,
        backed_up_to=answer["backed_up_to"],
        orders=tuple(answer["orders"]),
        retry_after_s=answer["retry_after_s"],
        rolled_back=answer["rolled_back"],
        missing_parcels=tuple(answer["missing_parcels"]),
    )


def _report(report: Mapping[str, Any]) -> FrameReport:
    named = {each["at"]: Verdict(each["verdict"], each.get("code"), each.get("field")) for each in report["named"]}
    if named and max(named) >= report["n"]:
        raise NotAnAnswer
    return FrameReport(report["frame"], report["n"], named, report["unread"])
