"""Refusals become problem documents (RFC 9457): a stable code, and a sentence in the caller's language."""

import logging
from typing import Any

from flask import Flask, Response, g, json, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from client_sync.protocol.codes import CODES
from server.domain.errors import DecisionStale, SeereError, StaleRevision, trace_of
from server.i18n import catalogue
from server.web import refused
from server.web.cookies import API
from server.web.formats import callers_language
from server.web.schemas import PROBLEM

log = logging.getLogger(__name__)

RETRY_AFTER_S = {
    "locked": 120,
    "storage_full": 600,
    "storage_failed": 60,
    "busy": 30,
    "file_busy": 5,
    "files_too_many": 600,
    "server_error": 300,
}
_BY_STATUS = {404: "not_found", 405: "method_not_allowed", 413: "body_too_large"}


def register(app: Flask) -> None:
    """Answer every error of this app with a problem document."""
    app.register_error_handler(SeereError, _refusal)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(Exception, _fault)


def problem(code: str, status: int, **members: Any) -> Response:
    """A problem document for a code of the wire's table."""
    texts = catalogue(callers_language())
    g.code = code
    body = {
        "type": "about:blank",
        "title": texts.text(f"problem.{code}"),
        "status": status,
        "code": code,
    } | members
    headers = {}
    if code in RETRY_AFTER_S:
        body["retry_after_s"] = RETRY_AFTER_S[code]
        headers["Retry-After"] = str(RETRY_AFTER_S[code])
    return Response(json.dumps(body), status, headers, content_type=PROBLEM)


def _refusal(error: Exception) -> Response:
    assert isinstance(error, SeereError)
    status = _status_of(error)
    if status >= 500:
        log.error("refused", extra={"code": error.code} | trace_of(error.__cause__ or error))
    return _answer(error, error.code, status)


def _status_of(error: SeereError) -> int:
    """That of the wire's table; what only people are told is that others changed it, or that it can't be done so."""
    if error.code in CODES:
        return CODES[error.code].status or 400
    return 409 if isinstance(error, DecisionStale | StaleRevision) else 422


def _http_error(error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    status = error.code or 500
    code = _BY_STATUS.get(status, "member_invalid" if status == 422 else "body_unreadable")
    fields = getattr(error, "data", {}).get("messages", {}).get("json")
    refusal = _answer(error, code, status, **({"fields": sorted(fields)} if isinstance(fields, dict) else {}))
    if isinstance(error, MethodNotAllowed):
        refusal.allow.update(error.valid_methods or ())
    return refusal


def _fault(error: Exception) -> Response:
    log.error("fault", extra=trace_of(error))
    return _answer(error, "server_error", 500)


def _answer(error: Exception, code: str, status: int, **members: Any) -> Response:
    """A page for a browser, and for everybody else a problem document."""
    is_page = request.accept_mimetypes.accept_html and not request.path.startswith(API)
    if not is_page:
        return problem(code, status, **members)
    g.code = code
    return refused.page(code, status, error)
