"""What tables are made of: one metadata, and columns that say no more than they must."""

from collections.abc import Iterable
from typing import Any, Final

import sqlalchemy as sa

# A name, a level, and bits.
_Reason = tuple[str, int | None, float]
_NO_LEVEL: Final = "-"

metadata: Final = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class Reasons(sa.types.TypeDecorator[list[_Reason]]):
    """Reasons of a link as text: a name, a level or a dash, and bits, of each in turn. Shorter than JSON by a third."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(
        self,
        value: Iterable[_Reason] | None,
        dialect: sa.Dialect,  # noqa: ARG002 - its signature
    ) -> str | None:
        """No name has a space."""
        if value is None:
            return None
        return " ".join(f"{name} {_NO_LEVEL if level is None else level} {bits}" for name, level, bits in value)

    def process_result_value(
        self,
        value: str | None,
        dialect: sa.Dialect,  # noqa: ARG002 - its signature
    ) -> list[_Reason] | None:
        """As they were, the strongest first."""
        if value is None:
            return None
        words = iter(value.split())
        each = zip(words, words, words, strict=True)
        return [(name, None if level == _NO_LEVEL else int(level), float(bits)) for name, level, bits in each]


def column(name: str, kind: Any, *args: Any, null: bool = False, **options: Any) -> sa.Column[Any]:
    """A column that is never empty, unless `null`."""
    return sa.Column(name, kind, *args, nullable=null, **options)


def uuid(name: str, *args: Any, **options: Any) -> sa.Column[Any]:
    """A UUID."""
    # 36 characters on both engines: sa.Uuid would write two different forms.
    return column(name, sa.String(36), *args, **options)


def code(name: str, **options: Any) -> sa.Column[Any]:
    """A code of the vocabulary."""
    return column(name, sa.String(64), **options)


def slug(name: str, **options: Any) -> sa.Column[Any]:
    """A team or a partner."""
    return column(name, sa.String(80), **options)


def one_of(column: str, *values: str) -> sa.CheckConstraint:
    """That a column has one of these."""
    quoted = ", ".join(f"'{value}'" for value in values)
    return sa.CheckConstraint(f"{column} IN ({quoted})", name=column)
