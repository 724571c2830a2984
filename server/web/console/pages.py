"""What every page of the console is rendered with."""

from typing import Any

from flask import render_template

from server.i18n import catalogue
from server.services.accounts.sessions import Login
from server.web.auth import this_hub
from server.web.errors import callers_language


def page(template: str, person: Login | None = None, **values: Any) -> str:
    """A page in the language of its reader: that of the account, else that of the browser."""
    language = person.language if person else callers_language()
    coalition = this_hub().settings.coalition
    return render_template(
        template, texts=catalogue(language), language=language, coalition=coalition, person=person, **values
    )
