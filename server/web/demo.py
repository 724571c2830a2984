"""The doors of a demonstration: five ways into its month without a passphrase, on the machine that runs it alone."""

from typing import Final

from flask import Blueprint, request, session
from werkzeug.wrappers import Response

from server.domain.errors import DemoRefused, NotFound
from server.services import stolen
from server.services.accounts import demonstration
from server.services.accounts.demonstration import Mark
from server.web.auth import TOKEN, guarded, this_hub
from server.web.console.pages import page, see

blueprint = Blueprint("demo", __name__, url_prefix="/demo")

_LOOPBACK: Final = frozenset({"127.0.0.1", "::1"})
# What a proxy adds: whoever came through one may be anywhere.
_FORWARDED: Final = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-IP", "Via")
# Enough of a box to see that it is one.
_BOX_CHARS: Final = 160
# In every table with a complaint, and in no file that is encrypted.
_COLUMNS: Final = ("complaint", "received", "identity")


@blueprint.get("")
@guarded("public")
def show() -> str:
    """The doors."""
    return page("demo.html", doors=list(_marked().doors))


@blueprint.post("")
@guarded("public")
def enter() -> Response:
    """Through one of them."""
    _marked()
    hub = this_hub()
    entry, path = demonstration.enter(hub.store, hub.secrets.totp, request.form.get("door", ""), hub.clock())
    session.clear()
    session[TOKEN] = entry.token
    return see(path)


@blueprint.get("/disk")
@guarded("public")
def disk() -> str:
    """What a stolen disk would show, read from it now."""
    _marked()
    hub = this_hub()
    names = [each.name for each in demonstration.people(hub.store)]
    found = stolen.read(hub.store, hub.settings.hub_file, (*names, *_COLUMNS))
    return page("demo_disk.html", found=found, file=hub.settings.hub_file.name, most=_BOX_CHARS)


def _marked() -> Mark:
    """The mark of this hub. Raises NotFound where it has none, and for whoever asks from elsewhere."""
    if not _is_here():
        raise NotFound(object="demo")
    try:
        return demonstration.read(this_hub().store)
    except DemoRefused:
        raise NotFound(object="demo") from None


def _is_here() -> bool:
    """Whether the browser runs on this machine, by its address, by the name it asks for and by what came along."""
    settings, host = this_hub().settings, request.host.partition(":")[0]
    is_forwarded = any(name in request.headers for name in _FORWARDED)
    return settings.is_local and settings.is_private(host) and request.remote_addr in _LOOPBACK and not is_forwarded
