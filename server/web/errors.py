"""Refusals become problem documents (RFC 9457): a stable code, and a sentence in the caller's language."""

import logging
from typing import Any

from flask import Flask, Response, current_app, g, json, render_template, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed, SecurityError

from client_sync.protocol.codes import CODES
from server.domain.errors import SeereError, trace_of
from server.i18n import LANGUAGES, catalogue
from server.web.cookies import API
from server.web.schemas import PROBLEM

log = logging.getLogger(__name__)

RETRY_AFTER_S = {"locked": 120, "storage_full": 600, "storage_failed": 60, "busy": 30, "server_error": 300}
# What to do, where the sentence of the refusal does not say it.
_ADVICE = {404: "page.do_not_found", 405: "page.do_again", 413: "page.do_again", 422: "page.do_again"}
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


def callers_language() -> str:
    """The language that the caller prefers of ours, else that of the hub."""
    return request.accept_languages.best_match(LANGUAGES) or str(current_app.config["LANGUAGE"])


def _refusal(error: Exception) -> Response:
    assert isinstance(error, SeereError)
    status = CODES[error.code].status or 400
    if status >= 500:
        log.error("refused", extra={"code": error.code} | trace_of(error.__cause__ or error))
    return _answer(error, error.code, status)


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
    return _page(code, status, error) if is_page else problem(code, status, **members)


def _page(code: str, status: int, error: Exception) -> Response:
    language = callers_language()
    texts = catalogue(language)
    g.code = code
    advice = _ADVICE.get(status)
    shown = render_template(
        "error.html",
        texts=texts,
        language=language,
        text=texts.text(_sentence(code, error)),
        is_astray=isinstance(error, SecurityError),
        advice=texts.text(advice) if advice else None,
        status=status,
    )
    return Response(shown, status, mimetype="text/html")


def _sentence(code: str, error: Exception) -> str:
    """The key of what a page says: of a browser something else is true than of a device with the same code."""
    if isinstance(error, SecurityError):
        return "page.host_unknown"
    return "page.form_old" if code == "body_unreadable" else f"problem.{code}"
