"""Message catalogues: the texts shown to people, kept in TOML files and found by stable keys."""

import functools
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any, Final, Self

SOURCE_LANGUAGE: Final = "fr"


@dataclass(frozen=True)
class Catalogue:
    """The texts of one package in one language, with French behind it for what is not translated yet.

    Keys are dotted paths of the TOML tables (`sync.cut` is `cut` in table `[sync]`); placeholders are
    those of `str.format`.
    """

    language: str
    _layers: tuple[tuple[str, Mapping[str, str]], ...]

    @classmethod
    def load(cls, package: str, language: str) -> Self:
        """The catalogue in `translations/<language>.toml` of an importable package.

        Raises LookupError when the package has no such language.
        """
        languages = dict.fromkeys((language, SOURCE_LANGUAGE))
        return cls(language, tuple((each, _read(package, each)) for each in languages))

    def text(self, key: str, **values: object) -> str:
        """The text of `key` with its placeholders filled from `values`.

        Raises KeyError, naming the key or the placeholder, when one of them is missing.
        """
        for _, texts in self._layers:
            if key in texts:
                return texts[key].format_map(values)
        raise KeyError(key)

    def plural(self, key: str, n: int, **values: object) -> str:
        """The text of `key.one` or `key.other`, whichever `n` asks for, with `n` among its placeholders.

        Raises KeyError as `text` does.
        """
        for language, texts in self._layers:
            form = f"{key}.{_plural_form(language, n)}"
            if form in texts:
                return texts[form].format_map({"n": n} | values)
        raise KeyError(key)


@functools.cache
def _read(package: str, language: str) -> Mapping[str, str]:
    file = resources.files(package) / "translations" / f"{language}.toml"
    if not file.is_file():
        raise LookupError(f"{package} has no texts in {language!r}")
    return dict(_flatten(tomllib.loads(file.read_text("utf-8"))))


def _flatten(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in table.items():
        if isinstance(value, dict):
            yield from _flatten(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def _plural_form(language: str, n: int) -> str:
    # CLDR cardinal rules: French counts 0 with the singular, English does not, Bambara has one form.
    singular = {"fr": (0, 1), "en": (1,)}.get(language, ())
    return "one" if n in singular else "other"
