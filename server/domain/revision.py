"""Revisions: what a correction changes, and where it clashes with one that came between."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

COMPARTMENTS: Final = ("facts", "statement", "traces", "identity")
Compartments = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Revised:
    """What a revision does: the compartments that result, the fields it set, and those it clashed on.

    `held`: the fields that it would have set, had they not been held back.
    """

    compartments: dict[str, dict[str, Any]]
    fields: tuple[str, ...]
    clashes: tuple[str, ...]
    held: tuple[str, ...] = ()


def of(content: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The compartments that a content holds."""
    return {name: content[name] for name in COMPARTMENTS if name in content}


def changed_fields(before: Compartments, after: Compartments) -> tuple[str, ...]:
    """Paths of the fields in which `after` differs; a sealed compartment is one field."""
    return tuple(
        path for name in COMPARTMENTS if name in after for path in _changed(name, before.get(name, {}), after[name])
    )


def apply(
    base: Compartments,
    current: Compartments,
    since_base: Sequence[str],
    change: Compartments,
    *,
    is_own: bool = True,
    held: Collection[str] = (),
) -> Revised:
    """The revision `change`, made against `base`, on top of `current`; the paths `held` are left as they are.

    `since_base` are the fields that other revisions set after the base. A field that both set to
    different values is a clash: the earlier one stands, the other is for a person to see. So is what is
    sealed, when the revision is not the complaint's own device's: nobody could see what it would replace.
    """
    changed = changed_fields(base, {**base, **change})
    wanted = tuple(path for path in changed if path not in held)
    clashes = tuple(
        path
        for path in wanted
        if (any(_overlap(path, other) for other in since_base) or (not is_own and "box" in current.get(path, {})))
        and value_at(change, path) != value_at(current, path)
    )
    applied = tuple(path for path in wanted if path not in clashes)
    kept_back = tuple(path for path in changed if path in held)
    return Revised(_with_fields(current, applied, change), applied, clashes, kept_back)


@dataclass(frozen=True)
class Earlier:
    """A revision that was filed: whose it is, the fields that it set, none where it clashed, and what it said."""

    lineage: str
    fields: Sequence[str]
    content: Mapping[str, Any]


def standing(
    first: Mapping[str, Any], applied: Iterable[tuple[Sequence[str], Mapping[str, Any]]]
) -> dict[str, dict[str, Any]]:
    """The compartments as they stand.

    `first` is the content as received, `applied` the fields that each revision set and its content, in the order
    filed.
    """
    current = of(first)
    for fields, content in applied:
        current = _with_fields(current, fields, of(content))
    return current


def revise(
    first: Mapping[str, Any],
    earlier: Sequence[Earlier],
    base_revision: int,
    change: Mapping[str, Any],
    *,
    lineage: str,
    is_own: bool = True,
    held: Collection[str] = (),
) -> Revised:
    """What the revision `change` of `lineage` does to a complaint; the paths `held` are left as they are.

    No device hears what another wrote, so `base_revision` counts its lineage's own: 1 is the complaint as it came,
    2 the first revision that this lineage made of it. What others set meanwhile it can't have seen. `first` is the
    content as received, `earlier` in the order filed; `is_own`: the lineage made the complaint, too.
    """
    base, since_base, own = of(first), list[str](), 1
    for each in earlier:
        own += each.lineage == lineage
        if each.lineage == lineage and own <= base_revision:
            base |= of(each.content)
        else:
            since_base.extend(each.fields)
    current = standing(first, ((each.fields, each.content) for each in earlier))
    return apply(base, current, since_base, of(change), is_own=is_own, held=held)


def value_at(compartments: Compartments, path: str) -> Any:
    """The value of a field by its path; None where there is none."""
    name, _, field = path.partition(".")
    compartment = compartments.get(name, {})
    return compartment.get("clear", {}).get(field) if field else dict(compartment)


def _changed(name: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    if "box" in before or "box" in after:
        return [name] if dict(before) != dict(after) else []
    old, new = before.get("clear", {}), after.get("clear", {})
    return [f"{name}.{field}" for field in sorted({*old, *new}) if old.get(field) != new.get(field)]


def _overlap(path: str, other: str) -> bool:
    return path == other or path.startswith(f"{other}.") or other.startswith(f"{path}.")


def _with_fields(compartments: Compartments, fields: Sequence[str], source: Compartments) -> dict[str, dict[str, Any]]:
    result = {name: dict(compartment) for name, compartment in compartments.items()}
    for path in fields:
        _set(result, path, value_at(source, path))
    return result


def _set(compartments: dict[str, dict[str, Any]], path: str, value: Any) -> None:
    name, _, field = path.partition(".")
    if not field:
        compartments[name] = dict(value)
        return
    clear = dict(compartments.get(name, {}).get("clear", {}))
    if value is None:
        clear.pop(field, None)
    else:
        clear[field] = value
    compartments[name] = {"clear": clear}
