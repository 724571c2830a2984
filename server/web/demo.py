"""The doors of a demonstration: six ways into its month without a passphrase, for who reads its terminal alone."""

from typing import Final

from flask import Blueprint, request, session, url_for
from werkzeug.wrappers import Response

from server.domain.errors import DemoRefused, NotFound
from server.services import stolen
from server.services.accounts import demonstration
from server.services.accounts.demonstration import Mark
from server.web.auth import TOKEN, guarded, this_hub
from server.web.console.pages import Answer, page, see

blueprint = Blueprint("demo", __name__, url_prefix="/demo")

_LOOPBACK: Final = frozenset({"127.0.0.1", "::1"})
# What a proxy adds: whoever came through one may be anywhere.
_FORWARDED: Final = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-IP", "Via")
# Enough of a box to see that it is one.
_BOX_CHARS: Final = 160
# In every table with a complaint, and in no file that is encrypted.
_COLUMNS: Final = ("complaint", "received", "identity")
# That the browser showed the key, in the cookie.
_KNOWN: Final = "demo"


@blueprint.get("")
@guarded("public")
def show() -> Answer:
    """The doors, for a browser that showed the key; the key does not stay in its address."""
    marked = _marked()
    if marked.is_shown(request.args.get("key", "")):
        session[_KNOWN] = True
        return see(url_for("demo.show"))
    if _KNOWN not in session:
        return page("demo_key.html"), 403
    return page("demo.html", doors=list(marked.doors))


@blueprint.post("")
@guarded("public")
def enter() -> Response:
    """Through one of them."""
    _require_key()
    hub = this_hub()
    entry, path = demonstration.enter(hub.store, hub.secrets.totp, request.form.get("door", ""), hub.clock())
    session.clear()
    session[_KNOWN] = True
    session[TOKEN] = entry.token
    return see(path)


@blueprint.get("/disk")
@guarded("public")
def disk() -> str:
    """What a stolen disk would show, read from it now."""
    _require_key()
    hub = this_hub()
    names = [each.name for each in demonstration.people(hub.store)]
    found = stolen.read(hub.store, hub.settings.hub_file, (*names, *_COLUMNS))
    return page("demo_disk.html", found=found, file=hub.settings.hub_file.name, most=_BOX_CHARS)


def _require_key() -> None:
    """Raises NotFound as `_marked` does, and for a browser that did not show the key."""
    _marked()
    if _KNOWN not in session:
        raise NotFound(object="demo")


def _marked() -> Mark:
    """The mark of this hub. Raises NotFound where it has none, and for whoever asks from elsewhere."""
    if not _is_here():
        raise NotFound(object="demo")
    try:
        return demonstration.read(this_hub().store)
    except DemoRefused:
        raise NotFound(object="demo") from None


def _is_here() -> bool:
    """Whether the browser runs on this machine, by its address, by the name it asks for and by what came along.

    A proxy on this machine may hide all of that: the key is what nobody behind one has.
    """
    settings, host = this_hub().settings, request.host.partition(":")[0]
    is_forwarded = any(name in request.headers for name in _FORWARDED)
    return settings.is_local and settings.is_private(host) and request.remote_addr in _LOOPBACK and not is_forwarded
