"""The access log: refusals by the template of their route, never by the path, and without the caller's address.

What went well is said at DEBUG alone: when which device is at work is nobody's business.
"""

import hashlib
import logging
import time
from typing import Final

from flask import Flask, Response, g, request

log = logging.getLogger(__name__)

_DEVICE_DIGITS: Final = 12
_REFUSED: Final = 400


def register(app: Flask) -> None:
    """Log every answer of this app."""
    app.before_request(_begin)
    app.after_request(_log)


def _begin() -> None:
    g.begun_at = time.perf_counter()


def _log(response: Response) -> Response:
    said = {"method": request.method, "status": response.status_code}
    if "begun_at" in g:
        said["ms"] = round((time.perf_counter() - g.begun_at) * 1000)
    if request.url_rule is not None:
        said["route"] = request.url_rule.rule
    if "code" in g:
        said["code"] = g.code
    if "device" in g:
        # The same for the same device, and no id that any table has.
        said["device"] = hashlib.sha256(g.device.encode()).hexdigest()[:_DEVICE_DIGITS]
    log.log(logging.INFO if response.status_code >= _REFUSED else logging.DEBUG, "answered", extra=said)
    return response
