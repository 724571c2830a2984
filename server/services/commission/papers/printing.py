"""The bordereau as PDF, where the extra `pdf` is installed: it needs Pango, which not every hub has."""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from threading import Lock
from typing import Any, Final, NoReturn

# Tagged, so that it can be read aloud (ISO 14289-1).
_VARIANT: Final = "pdf/ua-1"
_EXTRA: Final = "weasyprint"
_EPOCH: Final = "SOURCE_DATE_EPOCH"
_clock: Final = Lock()


def pdf(page: Callable[[], str], as_of: datetime) -> Iterator[bytes] | None:
    """A page as PDF, the same for the same page, moment and fonts, made when it is read; None without the extra, or
    where what that needs of the system is not there."""
    try:
        from weasyprint import HTML
    except ModuleNotFoundError as missing:
        if missing.name != _EXTRA:
            raise
        return None
    except OSError:
        # So it says that a library of the system can't be loaded.
        return None
    return _made(HTML, page, as_of)


def _made(html: Any, page: Callable[[], str], as_of: datetime) -> Iterator[bytes]:
    with _at(as_of):
        made: bytes = html(string=page(), url_fetcher=_fetch).write_pdf(pdf_variant=_VARIANT)
    yield made


def _fetch(url: str, **_: Any) -> NoReturn:
    """A page has all that it needs."""
    raise ValueError(f"a page asks for {url}")


@contextmanager
def _at(moment: datetime) -> Iterator[None]:
    """Let fonts that are made smaller say this moment and no other: they go by the environment of the process."""
    with _clock:
        before: Mapping[str, str] = {name: os.environ[name] for name in (_EPOCH,) if name in os.environ}
        os.environ[_EPOCH] = str(int(moment.timestamp()))
        try:
            yield
        finally:
            del os.environ[_EPOCH]
            os.environ.update(before)
