"""Places of Mali: one stable id each, with the code that every published list gives it.

A P-code means nothing without the year of its list: ML0101 is Kayes in 2015 and Bafoulabé in 2021.
"""

import csv
import difflib
import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property
from typing import Final, Self

from server.domain.errors import PlaceListInvalid
from server.domain.folding import fold

LEVELS: Final = ("region", "cercle", "commune", "quarter", "locality")

# Code systems, each with its vintage. The quarters of Bamako come from a list of IOM, whose codes look like
# P-codes and name other places than the OCHA list of villages does under the same digits.
OCHA_2015: Final = "ocha-2015"
OCHA_2021: Final = "ocha-2021"
IOM_2015: Final = "iom-2015"
ISO_3166_2: Final = "iso-3166-2"
LAW_2023: Final = "law-2023"

# Loi n° 2023-006 du 13 mars 2023, which gave 19 regions and a district their codes.
_LAW_DAY: Final = date(2023, 3, 13)

LIST_COLUMNS: Final = (
    "id", "name", "level", "parent_id", "valid_from", "valid_to", OCHA_2015, OCHA_2021, ISO_3166_2, LAW_2023,
    "region_ocha-2015", "region_ocha-2021", "region_law-2023", "aliases",
)  # fmt: skip

REGIONS_2015: Final = "cod2015_admin1.csv"
CERCLES_2015: Final = "cod2015_admin2_cercles.csv"
COMMUNES_2015: Final = "cod2015_admin3_communes.csv"
QUARTERS_2015: Final = "cod2015_admin4_bamako_quartiers.csv"
LOCALITIES_2015: Final = "cod2015_populated_places.csv"
UNITS_2021: Final = "cod2021_admin1_admin2_pcodes.csv"
REGIONS_2023: Final = "regions_2023.csv"
REGIONS_ISO: Final = "iso3166_2_ml.csv"
TOWN_NAMES: Final = "geonames_cities_altnames.csv"

# The files that `parse_cod` reads, with the columns that it needs of each.
COD_COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {
    REGIONS_2015: ("admin1_pcode", "admin1_name"),
    CERCLES_2015: ("admin2_pcode", "admin2_name", "admin1_pcode"),
    COMMUNES_2015: ("admin3_pcode", "admin3_name", "admin3_ref_name", "admin2_pcode"),
    QUARTERS_2015: ("admin4_pcode", "admin4_name", "admin4_ref_name", "admin3_pcode"),
    LOCALITIES_2015: ("pcode", "name", "ref_name", "admin3_pcode", "lon", "lat"),
    UNITS_2021: ("admin_level", "pcode", "name", "parent_pcode", "valid_from"),
    REGIONS_2023: ("code_2023", "name_fr"),
    REGIONS_ISO: ("code", "name"),
    TOWN_NAMES: ("name", "lon", "lat", "alternate_names"),
}
# How alike two names have to be, from 0 to 1, for one to be offered in place of the other, and how many are.
_NEAR: Final = 0.75
_NEAREST_MAX: Final = 3
_NEEDED: Final = (REGIONS_2015, CERCLES_2015, COMMUNES_2015, UNITS_2021)

# Cercles whose region changed in 2023; all others stayed. Compiled by hand from the press, as no list of the
# cercles of the reform was found as open data: to be checked against the text of the law.
_REGION_SINCE_2023: Final[Mapping[str, str]] = {
    "ml-c-bandiagara": "ml-r-bandiagara",
    "ml-c-bankass": "ml-r-bandiagara",
    "ml-c-koro": "ml-r-bandiagara",
    "ml-c-bougouni": "ml-r-bougouni",
    "ml-c-kolondieba": "ml-r-bougouni",
    "ml-c-yanfolila": "ml-r-bougouni",
    "ml-c-dioila": "ml-r-dioila",
    "ml-c-douentza": "ml-r-douentza",
    "ml-c-kita": "ml-r-kita",
    "ml-c-koutiala": "ml-r-koutiala",
    "ml-c-yorosso": "ml-r-koutiala",
    "ml-c-nara": "ml-r-nara",
    "ml-c-diema": "ml-r-nioro",
    "ml-c-nioro": "ml-r-nioro",
    "ml-c-san": "ml-r-san",
    "ml-c-tominian": "ml-r-san",
}

# A town of GeoNames and a village of the OCHA list are the same when as near as this, in degrees (about
# 20 km): village names repeat all over the country.
_SAME_TOWN_DEGREES: Final = 0.2
# Shorter alternative names are codes of airports.
_SHORTEST_ALIAS: Final = 4


@dataclass(frozen=True)
class Place:
    """One place. `codes`: code by system. `parent_id`: the place around it, None for a region.

    `valid_from` and `valid_to`: first and last day in law or in the lists, None where that is not known.
    `regions`: for a cercle only, the region that each list puts it in, by system; `parent_id` is then the
    last one before the reform of 2023.
    """

    id: str
    name: str
    level: str
    parent_id: str | None
    valid_from: date | None = None
    valid_to: date | None = None
    codes: Mapping[str, str] = field(default_factory=dict)
    aliases: tuple[str, ...] = ()
    regions: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Gazetteer:
    """A version of the list of places, consistent in itself.

    Raises PlaceListInvalid when an id or a code of one system stands twice, or when the place around a
    place is missing or not of a higher level.
    """

    version: str
    places: tuple[Place, ...]

    def __post_init__(self) -> None:
        self._check_unique("id_twice", (place.id for place in self.places))
        self._check_unique("code_twice", (f"{code} {system}" for system, code in self._each_code()))
        astray = next((place for place in self.places if not self._is_well_placed(place)), None)
        if astray is not None:
            raise PlaceListInvalid(fault="parent_unknown", file=self.version, value=astray.id)

    @cached_property
    def by_id(self) -> Mapping[str, Place]:
        """Every place under its id."""
        return {place.id: place for place in self.places}

    @cached_property
    def regions(self) -> Sequence[Place]:
        """All regions, by name."""
        return sorted((place for place in self.places if place.level == "region"), key=lambda each: fold(each.name))

    def resolve(self, code: str, system: str | None) -> Place | None:
        """The place that `code` means in `system`; None when it means none, or when no system is said."""
        return self._by_code.get((system, code))

    def cercle_of(self, place_id: str) -> Place | None:
        """The cercle that a place lies in or is; None for a region, and for an id that is not in the list."""
        return next((place for place in self.upward(place_id) if place.level == "cercle"), None)

    def region_around(self, place_id: str) -> Place | None:
        """The region that a place lies in or is, as scopes of people name it; None for an id not in the list."""
        return next((place for place in self.upward(place_id) if place.level == "region"), None)

    def within(self, place_ids: Collection[str]) -> frozenset[str]:
        """The ids of these places and of all that lie in them."""
        return frozenset(
            place.id for place in self.places if any(each.id in place_ids for each in self.upward(place.id))
        )

    def region_named(self, typed: str) -> Place | None:
        """The region that somebody means, by its id or a name of it however typed; None for none, or several."""
        return self._named("region", typed)

    def cercle_named(self, typed: str) -> Place | None:
        """As `region_named`, of cercles."""
        return self._named("cercle", typed)

    def called(self, typed: str) -> list[Place]:
        """The places of any level that are called so, or were once, however it is typed."""
        return list(self._by_fold.get(fold(typed), ()))

    def nearly_called(self, typed: str) -> list[str]:
        """Names of places that are written nearly so, the nearest first; a few at most."""
        near = difflib.get_close_matches(fold(typed), self._by_fold, _NEAREST_MAX, _NEAR)
        return [self._by_fold[each][0].name for each in near]

    def region_of(self, place_id: str, system: str) -> Place | None:
        """The region around a place in the list `system`, of which statistics must choose one and say which.

        None when that list does not know the cercle, and for a region that is not in it.
        """
        cercle = self.cercle_of(place_id)
        if cercle is not None:
            return self.by_id.get(cercle.regions.get(system, ""))
        place = self.by_id.get(place_id)
        return place if place is not None and system in place.codes else None

    def upward(self, place_id: str) -> Iterator[Place]:
        """The place and those around it, the nearest first."""
        place = self.by_id.get(place_id)
        while place is not None:
            yield place
            place = self.by_id.get(place.parent_id or "")

    def _named(self, level: str, typed: str) -> Place | None:
        wanted = fold(typed)
        known = [place for place in self.places if place.level == level]
        own = [place for place in known if wanted in (fold(place.id), fold(place.name))]
        # What a place is called means that place, whichever other was called so once.
        found = own or [place for place in known if wanted in map(fold, place.aliases)]
        return found[0] if len(found) == 1 else None

    @cached_property
    def _by_fold(self) -> Mapping[str, list[Place]]:
        found: dict[str, list[Place]] = {}
        for place in self.places:
            for name in dict.fromkeys(fold(each) for each in (place.name, *place.aliases)):
                found.setdefault(name, []).append(place)
        return found

    @cached_property
    def _by_code(self) -> Mapping[tuple[str | None, str], Place]:
        return {(system, code): place for place in self.places for system, code in place.codes.items()}

    def _each_code(self) -> Iterator[tuple[str, str]]:
        for place in self.places:
            yield from place.codes.items()

    def _check_unique(self, fault: str, values: Iterable[str]) -> None:
        twice = next((value for value, n in Counter(values).items() if n > 1), None)
        if twice is not None:
            raise PlaceListInvalid(fault=fault, file=self.version, value=twice)

    def _is_well_placed(self, place: Place) -> bool:
        around = list(place.regions.values())
        if place.level != "region" or place.parent_id is not None:
            around.append(place.parent_id or "")
        return all(each in self.by_id and _rank(self.by_id[each]) < _rank(place) for each in around)


def place_name(places: Gazetteer | None, id: str | None) -> str:
    """What people call a place: its id where no list that stands has it, empty where there is none."""
    known = places.by_id.get(id or "") if places else None
    return known.name if known else id or ""


def cercle_name(places: Gazetteer | None, id: str | None) -> str:
    """The name of the cercle that a place lies in or is; empty where that is not known."""
    found = places.cercle_of(id or "") if places else None
    return found.name if found else ""


def region_name(places: Gazetteer | None, id: str | None) -> str:
    """As `cercle_name`, of the region around a place."""
    found = places.region_around(id or "") if places else None
    return found.name if found else ""


def read_list(lines: Iterable[str], *, version: str) -> Gazetteer:
    """The gazetteer written in a CSV file with LIST_COLUMNS, in any order; aliases are separated by `|`.

    Raises PlaceListInvalid, naming the version as the file, for a missing column, a row of another
    width, an unknown level or an impossible day, and as Gazetteer does.
    """
    rows = _rows(version, lines, LIST_COLUMNS)
    return Gazetteer(version, tuple(_listed_place(version, row) for row in rows))


def parse_cod(files: Mapping[str, Iterable[str]], *, version: str) -> Gazetteer:
    """One gazetteer out of OCHA's lists of Mali (COD-AB, 2015 and 2021) and the lists that go with them.

    `files`: lines of each CSV file under its name in COD_COLUMNS, without byte order mark; the regions,
    cercles and communes of 2015 and the units of 2021 are needed, the others add what they hold. A
    cercle that both years list is one place with two codes. Raises PlaceListInvalid for a missing file
    or column, a row that can't be read, or names by which two cercles could be the same; the exception
    names the file and the column or value.
    """
    tables = _tables(files)
    regions = _regions(tables)
    cercles = _cercles(tables, regions)
    communes = _units(tables, COMMUNES_2015, "commune", OCHA_2015, _ids_by_code(cercles, OCHA_2015))
    around = _ids_by_code(communes, OCHA_2015)
    quarters = _units(tables, QUARTERS_2015, "quarter", IOM_2015, around)
    localities = _units(tables, LOCALITIES_2015, "locality", OCHA_2015, around)
    towns = _Towns.read(tables[TOWN_NAMES])
    named = [
        *(towns.name(place) for place in (*regions, *cercles)),
        *communes,
        *quarters,
        *(
            towns.name(place, _position(LOCALITIES_2015, row))
            for place, row in zip(localities, tables[LOCALITIES_2015], strict=True)
        ),
    ]
    return Gazetteer(version, tuple(named))


_Row = Mapping[str, str]
_Tables = Mapping[str, Sequence[_Row]]
_Position = tuple[float, float]
_PREFIXES: Final = {"region": "r", "cercle": "c", "commune": "k", "quarter": "q", "locality": "v"}


@dataclass(frozen=True)
class _Entry:
    """A region or cercle as one list has it; `region_id` is None for a region."""

    system: str
    code: str
    name: str
    since: date | None = None
    region_id: str | None = None


@dataclass(frozen=True)
class _Town:
    names: tuple[str, ...]
    position: _Position


@dataclass(frozen=True)
class _Towns:
    """Other names of towns, found by any of them in any spelling."""

    _by_spelling: Mapping[str, Sequence[_Town]]

    @classmethod
    def read(cls, rows: Iterable[_Row]) -> Self:
        found: dict[str, list[_Town]] = {}
        for row in rows:
            town = _Town(_town_names(row), _position(TOWN_NAMES, row))
            for spelling in {_spelling(name) for name in town.names}:
                found.setdefault(spelling, []).append(town)
        return cls(found)

    def name(self, place: Place, position: _Position | None = None) -> Place:
        """The place with the names of its town, if there is one; within reach of `position`, if given.

        A region or cercle takes the accents of the town that it is named for.
        """
        towns = self._by_spelling.get(_spelling(place.name), ())
        near = [town for town in towns if position is None or _is_near(town.position, position)]
        if not near:
            return place
        name = place.name
        if position is None and _slug(near[0].names[0]) == _slug(name):
            name = near[0].names[0]
        others = (place.name, *place.aliases, *(other for town in near for other in town.names))
        return replace(place, name=name, aliases=_without(name, others))


def _rank(place: Place) -> int:
    return LEVELS.index(place.level)


def _rows(file: str, lines: Iterable[str], columns: Iterable[str]) -> Iterator[_Row]:
    reader = csv.DictReader(lines)
    for column in columns:
        if column not in (reader.fieldnames or ()):
            raise PlaceListInvalid(fault="column_missing", file=file, column=column)
    for row in reader:
        if None in row or None in row.values():
            raise PlaceListInvalid(fault="row_width", file=file, line=reader.line_num)
        yield row


def _tables(files: Mapping[str, Iterable[str]]) -> _Tables:
    missing = next((file for file in _NEEDED if file not in files), None)
    if missing is not None:
        raise PlaceListInvalid(fault="file_missing", file=missing)
    return {
        file: list(_rows(file, files[file], columns)) if file in files else [] for file, columns in COD_COLUMNS.items()
    }


def _listed_place(file: str, row: _Row) -> Place:
    if row["level"] not in LEVELS:
        raise PlaceListInvalid(fault="level_unknown", file=file, value=row["level"])
    return Place(
        id=row["id"],
        name=row["name"],
        level=row["level"],
        parent_id=row["parent_id"] or None,
        valid_from=_day(file, row["valid_from"]),
        valid_to=_day(file, row["valid_to"]),
        codes=_filled(row, "", (OCHA_2015, OCHA_2021, ISO_3166_2, LAW_2023)),
        aliases=tuple(filter(None, row["aliases"].split("|"))),
        regions=_filled(row, "region_", (OCHA_2015, OCHA_2021, LAW_2023)),
    )


def _filled(row: _Row, prefix: str, systems: Iterable[str]) -> dict[str, str]:
    return {system: row[prefix + system] for system in systems if row[prefix + system]}


def _day(file: str, text: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise PlaceListInvalid(fault="date_invalid", file=file, value=text) from None


def _position(file: str, row: _Row) -> _Position:
    try:
        return float(row["lon"]), float(row["lat"])
    except ValueError:
        raise PlaceListInvalid(fault="position_invalid", file=file, value=row["name"]) from None


def _regions(tables: _Tables) -> list[Place]:
    named: dict[str, list[_Entry]] = {}
    for entry in _listed_regions(tables):
        named.setdefault(_spelling(entry.name), []).append(entry)
    return [_merged("region", entries) for entries in named.values()]


def _listed_regions(tables: _Tables) -> Iterator[_Entry]:
    """Oldest list first; the newer ones spell better."""
    for row in tables[REGIONS_2015]:
        yield _Entry(OCHA_2015, row["admin1_pcode"], row["admin1_name"])
    for row in _of_level(tables, "1"):
        yield _Entry(OCHA_2021, row["pcode"], row["name"], _day(UNITS_2021, row["valid_from"]))
    for row in tables[REGIONS_2023]:
        yield _Entry(LAW_2023, row["code_2023"], row["name_fr"].removesuffix(" (District)"), _LAW_DAY)
    for row in tables[REGIONS_ISO]:
        yield _Entry(ISO_3166_2, row["code"], row["name"])


def _cercles(tables: _Tables, regions: Sequence[Place]) -> list[Place]:
    groups = [[entry] for entry in _listed_cercles_2015(tables, _ids_by_code(regions, OCHA_2015))]
    for entry in _listed_cercles_2021(tables, _ids_by_code(regions, OCHA_2021)):
        same = _same_cercle(groups, entry)
        if same is None:
            groups.append([entry])
        else:
            same.append(entry)
    cercles = [_merged("cercle", entries) for entries in groups]
    return [_reformed(cercle) for cercle in cercles] if tables[REGIONS_2023] else cercles


def _listed_cercles_2015(tables: _Tables, regions: Mapping[str, str]) -> Iterator[_Entry]:
    for row in tables[CERCLES_2015]:
        region_id = _around(CERCLES_2015, regions, row["admin1_pcode"])
        yield _Entry(OCHA_2015, row["admin2_pcode"], row["admin2_name"], region_id=region_id)


def _listed_cercles_2021(tables: _Tables, regions: Mapping[str, str]) -> Iterator[_Entry]:
    for row in _of_level(tables, "2"):
        region_id = _around(UNITS_2021, regions, row["parent_pcode"])
        yield _Entry(OCHA_2021, row["pcode"], row["name"], _day(UNITS_2021, row["valid_from"]), region_id)


def _of_level(tables: _Tables, level: str) -> Iterator[_Row]:
    return (row for row in tables[UNITS_2021] if row["admin_level"] == level)


def _same_cercle(groups: Iterable[list[_Entry]], entry: _Entry) -> list[_Entry] | None:
    """The group that `entry` names again: in its region, else anywhere (Ménaka got a region of its own)."""
    named = [group for group in groups if _spelling(group[0].name) == _spelling(entry.name)]
    same = [group for group in named if group[0].region_id == entry.region_id] or named
    if len(same) > 1 or any(group[-1].system == entry.system for group in same):
        raise PlaceListInvalid(fault="match_ambiguous", file=UNITS_2021, value=entry.code)
    return same[0] if same else None


def _merged(level: str, entries: Sequence[_Entry]) -> Place:
    name = entries[-1].name
    return Place(
        id=f"ml-{_PREFIXES[level]}-{_slug(name)}",
        name=name,
        level=level,
        parent_id=entries[-1].region_id,
        valid_from=entries[0].since,
        codes={entry.system: entry.code for entry in entries},
        aliases=_without(name, (entry.name for entry in entries)),
        regions={entry.system: entry.region_id for entry in entries if entry.region_id is not None},
    )


def _reformed(cercle: Place) -> Place:
    last_region_id = list(cercle.regions.values())[-1]
    region_id = _REGION_SINCE_2023.get(cercle.id, last_region_id)
    return replace(cercle, regions={**cercle.regions, LAW_2023: region_id})


def _units(tables: _Tables, file: str, level: str, system: str, around: Mapping[str, str]) -> list[Place]:
    code, name, other_name, parent_code = COD_COLUMNS[file][:4]
    rows = tables[file]
    parents = [_around(file, around, row[parent_code]) for row in rows]
    ids = _child_ids(_PREFIXES[level], [(row[name], row[code]) for row in rows], parents)
    return [
        Place(
            id=place_id,
            name=row[name],
            level=level,
            parent_id=parent_id,
            codes={system: row[code]},
            aliases=_without(row[name], (row[other_name],)),
        )
        for place_id, parent_id, row in zip(ids, parents, rows, strict=True)
    ]


def _child_ids(prefix: str, units: Iterable[tuple[str, str]], parents: Sequence[str]) -> Iterator[str]:
    """An id per (name, code): from the name; where it repeats, also from the place around, then the code.

    A double hyphen, which no name gives, keeps `kani--koro` (Kani in Koro) apart from `kani-koro`.
    """
    codes = [code for _, code in units]
    bare = [f"ml-{prefix}-{_slug(name)}" for name, _ in units]
    repeated = _repeated(bare)
    full = [
        f"{each}--{parent.split('-', 2)[2]}" if each in repeated else each
        for each, parent in zip(bare, parents, strict=True)
    ]
    repeated = _repeated(full)
    return (f"{each}--{code[-3:]}" if each in repeated else each for each, code in zip(full, codes, strict=True))


def _repeated(values: Iterable[str]) -> frozenset[str]:
    return frozenset(value for value, n in Counter(values).items() if n > 1)


def _ids_by_code(places: Iterable[Place], system: str) -> dict[str, str]:
    return {place.codes[system]: place.id for place in places if system in place.codes}


def _around(file: str, ids: Mapping[str, str], code: str) -> str:
    if code not in ids:
        raise PlaceListInvalid(fault="parent_unknown", file=file, value=code)
    return ids[code]


def _town_names(row: _Row) -> tuple[str, ...]:
    others = (name for name in row["alternate_names"].split("|") if _is_written_name(name))
    return (row["name"], *others)


def _is_written_name(name: str) -> bool:
    """False for airport codes, for romanisations without a capital, and for other scripts than Latin."""
    is_latin = all("LATIN" in unicodedata.name(char, "") for char in name if char.isalpha())
    return is_latin and len(name) >= _SHORTEST_ALIAS and name[0].isupper()


def _is_near(one: _Position, other: _Position) -> bool:
    return all(abs(a - b) <= _SAME_TOWN_DEGREES for a, b in zip(one, other, strict=True))


def _without(name: str, names: Iterable[str]) -> tuple[str, ...]:
    return tuple(other for other in dict.fromkeys(names) if other not in ("", name))


def _spelling(name: str) -> str:
    """A key on which the lists agree: Koulikouro and Koulikoro, Baroueli and Baraoueli."""
    return re.sub(r"[^a-z]", "", _plain(name)).replace("ou", "o").replace("ao", "o")


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", _plain(name).replace("'", "")).strip("-")


def _plain(name: str) -> str:
    """Lower case without accents."""
    return unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode("ascii").lower()
