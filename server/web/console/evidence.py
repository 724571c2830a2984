"""S8, a piece of evidence: what was said or seen, looked at in a copy that harms nobody, and who had it in hand."""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from flask import Blueprint, Response, make_response, request, url_for

from client_sync.protocol.vocabulary import label
from server.domain.errors import PieceRefused, ReasonMissing
from server.domain.working_copy import LARGE, SMALL, Covered, Made, NotCopied, Rectangle
from server.i18n import Catalogue, catalogue
from server.refusals import refusal
from server.services.accounts.sessions import Login
from server.services.evidence.copies import working_copy
from server.services.vault import pieces
from server.services.vault.pieces import Handled, Opened, View
from server.web.auth import for_person, this_hub
from server.web.console.pages import Answer, page, see

# What the copy is shown by: it stands in the page itself, so no address leads to it.
_WITH_COPY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; media-src data:; "
    "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
_SANDBOX: Final = {"Content-Security-Policy": "sandbox; default-src 'none'", "X-Content-Type-Options": "nosniff"}
_ENDINGS: Final[Mapping[str, str]] = {
    "image/jpeg": "jpg", "image/png": "png", "image/heic": "heic", "application/pdf": "pdf", "audio/mp4": "m4a",
    "audio/amr": "amr", "audio/ogg": "ogg", "audio/webm": "webm", "video/mp4": "mp4", "video/3gpp": "3gp",
}  # fmt: skip
_HASH_DIGITS: Final = 12
_PERCENT: Final = 10
_SIDES: Final = ("left", "top", "width", "height")

blueprint = Blueprint("evidence", __name__, url_prefix="/console/evidence")


@dataclass(frozen=True)
class Copy:
    """A working copy as a page shows it: picture `no` of `pictures`, from 0, as a data address, and the sound."""

    no: int
    pictures: int
    picture: str = field(repr=False)
    sound: str = field(repr=False)
    kilobytes: int
    is_large: bool
    opened: Opened = field(repr=False)


@blueprint.get("/<int:piece>")
@for_person("find_complaint")
def show(person: Login, piece: int) -> Answer:
    """How it stands and who had it in hand, closed."""
    return _page(person, piece)


@blueprint.post("/<int:piece>")
@for_person("read_traces")
def look(person: Login, piece: int) -> Answer:
    """The working copy, on this answer alone: that it was looked at is written down first."""
    hub = this_hub()
    seen = pieces.view(hub.store, hub.depot, hub.desk(person.actor, person.keys), piece)
    try:
        copy = _copied(person, seen)
    except PieceRefused as refused:
        return _page(person, piece, wrong=refusal(catalogue(person.language), refused)), 422
    answer = make_response(_page(person, piece, copy=copy))
    answer.headers["Content-Security-Policy"] = _WITH_COPY
    return answer


@blueprint.post("/<int:piece>/cover")
@for_person("read_traces")
def cover(person: Login, piece: int) -> Answer:
    """Cover what nobody is to see of its pictures, or take a cover away again."""
    hub, form = this_hub(), request.form
    desk, no = hub.desk(person.actor, person.keys), form.get("no", 0, int)
    try:
        if "away" in form:
            pieces.uncover(hub.store, desk, piece, no, _rectangle(form["away"].split()))
        else:
            pieces.cover(hub.store, desk, piece, no, _rectangle([form.get(side, "") for side in _SIDES]))
    except PieceRefused as refused:
        return _page(person, piece, wrong=refusal(catalogue(person.language), refused)), 422
    return look(piece=piece)


@blueprint.post("/<int:piece>/words")
@for_person("read_traces")
def tell(person: Login, piece: int) -> Answer:
    """Write down what it says, sealed as it is itself."""
    hub = this_hub()
    try:
        pieces.tell(hub.store, hub.desk(person.actor, person.keys), piece, request.form.get("text", ""))
    except PieceRefused as refused:
        return _page(person, piece, wrong=refusal(catalogue(person.language), refused)), 422
    return see(_url(piece))


@blueprint.post("/<int:piece>/original")
@for_person("read_identity")
def original(person: Login, piece: int) -> Answer:
    """The file as it was taken, for a reason that its custody keeps; never shown in a page."""
    hub, texts = this_hub(), catalogue(person.language)
    desk = hub.desk(person.actor, person.keys)
    seen = pieces.view(hub.store, hub.depot, desk, piece)
    try:
        opened = pieces.original(hub.store, hub.depot, desk, piece, request.form.get("reason", ""))
    except (PieceRefused, ReasonMissing) as refused:
        return _page(person, piece, wrong=refusal(texts, refused)), 422
    # Never the name that it was given on the device: that may say who took it, and what a browser should make of it.
    name = f"{seen.number}-{seen.piece.no}.{_ENDINGS[opened.description.type]}"
    headers = _SANDBOX | {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(opened.data, mimetype="application/octet-stream", headers=headers)


def _page(person: Login, id: int, *, copy: Copy | None = None, wrong: str = "") -> str:
    hub, texts = this_hub(), catalogue(person.language)
    seen = pieces.view(hub.store, hub.depot, hub.desk(person.actor, person.keys), id)
    return page(
        "evidence.html",
        person,
        seen=seen,
        piece=seen.piece,
        kind=label("file_kind", seen.piece.kind, texts.language),
        role=label("file_role", seen.piece.role, texts.language),
        kilobytes=-(-seen.piece.size // 1024),
        percent=100 * seen.arrived // max(seen.piece.size, 1),
        hash=seen.piece.sha256[:_HASH_DIGITS],
        custody=[(each, _by(texts, each)) for each in reversed(seen.custody)],
        covers=_covers(seen.covered, copy.no if copy else 0),
        copy=copy,
        wrong=wrong,
        words_most=pieces.TRANSCRIPT_CHARS,
        url=_url(id),
    )


def _copied(person: Login, seen: View) -> Copy:
    """Raises PieceRefused, also for what no copy can be made of."""
    hub, form = this_hub(), request.form
    is_large = form.get("large") == "1"
    opened = pieces.look(hub.store, hub.depot, hub.desk(person.actor, person.keys), seen.piece.id)
    try:
        made = working_copy(opened.data, opened.description.type, seen.covered, LARGE if is_large else SMALL)
    except NotCopied as fault:
        raise PieceRefused(fault=fault.fault) from None
    no = min(max(form.get("no", 0, int), 0), max(len(made.pictures) - 1, 0))
    picture = made.pictures[no] if made.pictures else b""
    return Copy(
        no=no,
        pictures=len(made.pictures),
        picture=_address("image/jpeg", picture),
        sound=_address("audio/ogg", made.sound),
        kilobytes=_kilobytes(made, picture),
        is_large=is_large,
        opened=opened,
    )


def _kilobytes(made: Made, picture: bytes) -> int:
    return -(-(len(picture) + len(made.sound)) // 1024)


def _address(media_type: str, data: bytes) -> str:
    return f"data:{media_type};base64,{b64encode(data).decode()}" if data else ""


def _rectangle(typed: Sequence[str]) -> Rectangle:
    """Four sides in percent, with at most one place. Raises PieceRefused."""
    try:
        left, top, width, height = (round(_PERCENT * float(each.replace(",", "."))) for each in typed)
    except (ValueError, OverflowError):
        raise PieceRefused(fault="areas") from None
    return left, top, width, height


def _covers(covered: Covered, no: int) -> Sequence[tuple[str, ...]]:
    """The rectangles of a picture in percent, as they are typed."""
    return [tuple(_shown(each) for each in rectangle) for rectangle in covered.get(no, ())]


def _shown(thousandths: int) -> str:
    return f"{thousandths / _PERCENT:g}"


def _by(texts: Catalogue, handled: Handled) -> str:
    """Who did it, in words."""
    if handled.device is not None:
        return f"M-{handled.device}"
    return handled.name or texts.text("evidence.by_hub")


def _url(piece: int) -> str:
    return url_for("evidence.show", piece=piece)
