"""The layers: which package may import which, as a table, and what a module may weigh."""

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution, packages_distributions
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent
OURS = ("server", "client_sync")
MOST_LINES = 600

# The longest prefix of a module's name decides. A module without a line here may import nothing of ours.
MAY_IMPORT: dict[str, tuple[str, ...]] = {
    "client_sync": ("client_sync",),
    "client_sync.protocol": ("client_sync.protocol",),
    "client_sync.i18n": (),
    "client_sync.seal": (),
    "server.domain": ("server.domain",),
    "server.config": (),
    "server.durable": (),
    "server.slots": ("server.domain",),
    "server.credential": ("server.durable", "server.slots", "server.domain"),
    "server.i18n": ("client_sync.i18n",),
    "server.figure_words": ("server.domain", "server.i18n", "client_sync.protocol"),
    "server.press": ("server.hub", "server.services", "server.domain"),
    "server.reading": ("server.hub", "server.services", "server.domain"),
    "server.store": ("server.store", "server.durable", "server.domain"),
    "server.services": (
        "server.store",
        "server.durable",
        "server.slots",
        "server.domain",
        "server.i18n",
        "server.refusals",
        "server.figure_words",
        "client_sync.protocol",
        "client_sync.seal",
        "client_sync.file_seal",
        "client_sync.complaint",
        "client_sync.errors",
    ),
    "server.web": (
        "server.web",
        "server.hub",
        "server.services",
        "server.domain",
        "server.i18n",
        "server.refusals",
        "server.figure_words",
        "server.press",
        "server.reading",
        "client_sync.protocol",
    ),
    "server.refusals": ("server.domain", "server.i18n"),
    "server.scheduler": ("server.hub", "server.services", "server.domain"),
    "server.hub": ("server.config", "server.credential", "server.store", "server.domain", "server.i18n"),
    "server.app": ("server", "client_sync.protocol"),
    "server.cli": ("server", "client_sync.protocol"),
    "server.commands": ("server", "client_sync.protocol", "client_sync.seal", "client_sync.i18n"),
    "server.serve": ("server", "client_sync.protocol"),
    "server.lock": ("server.domain",),
    "server.copyist": ("server.domain",),
    "server.matcher": (
        "server.hub",
        "server.config",
        "server.credential",
        "server.services",
        "server.store",
        "server.domain",
    ),
    "server.logs": ("server.domain",),
}

# urllib3 is the engine of requests: a pinned certificate has to be checked on its connections.
CLIENT_LIBRARIES = frozenset(
    {"click", "marshmallow", "nacl", "requests", "rich", "sqlcipher3", "sqlite_utils", "urllib3", "zstandard"}
)

# Imports inside a function: (module, library) and why it has to wait.
LATE_IMPORTS = {
    ("server.commands.duplicate_audit", "server"): "its libraries are those of an extra: without it, it says so",
    ("server.services.commission.papers.printing", "weasyprint"): "of an extra: without it there is no PDF",
    ("server.store.depot", "obstore"): "of an extra: without it a bucket is refused in words",
    ("server.store.depot", "server"): "as above",
    ("server.store.migrations", "alembic"): "slow to import, and needed once a release: not on every start",
}


@dataclass(frozen=True)
class Import:
    """One imported name, where it stands, and whether that is the top of the file."""

    importer: str
    line: int
    target: str
    at_top: bool

    def __str__(self) -> str:
        return f"{self.importer}:{self.line} imports {self.target}"


def _sources(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def _module(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _is_module(name: str) -> bool:
    path = ROOT / name.replace(".", "/")
    return path.with_suffix(".py").is_file() or path.is_dir()


def _targets(node: ast.AST) -> list[str]:
    """What a statement imports: `from a import b` is `a.b` when that is a module of ours, else `a`."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        source = "." * node.level + (node.module or "")
        joined = {alias.name: f"{source}.{alias.name}" for alias in node.names}
        return sorted({full if _is_module(full) else source for full in joined.values()})
    return []


def _top(tree: ast.Module) -> list[ast.stmt]:
    """The statements of the module itself, and those under `if TYPE_CHECKING:`."""
    branches = [node for node in tree.body if isinstance(node, ast.If)]
    guards = [branch.body for branch in branches if ast.unparse(branch.test) == "TYPE_CHECKING"]
    return [*tree.body, *(node for body in guards for node in body)]


def _imports(path: Path) -> Iterator[Import]:
    tree = ast.parse(path.read_text("utf-8"))
    top = {id(node) for node in _top(tree)}
    for node in ast.walk(tree):
        for target in _targets(node):
            yield Import(_module(path), getattr(node, "lineno", 0), target, id(node) in top)


def _all_imports(*folders: str) -> list[Import]:
    return [each for path in _sources(*folders) for each in _imports(path)]


def _within(name: str, prefix: str) -> bool:
    return name == prefix or name.startswith(prefix + ".")


def _rule(module: str) -> str | None:
    prefixes = [prefix for prefix in MAY_IMPORT if _within(module, prefix)]
    return max(prefixes, key=len, default=None)


def _is_allowed(each: Import) -> bool:
    rule = _rule(each.importer)
    if rule is None:
        return False
    # Services do not import each other, but one service may be a package of several modules.
    itself = (".".join(each.importer.split(".")[:3]),) if rule == "server.services" else ()
    return any(_within(each.target, prefix) for prefix in MAY_IMPORT[rule] + itself)


def _of_ours(imports: list[Import]) -> list[Import]:
    return [each for each in imports if _library(each.target) in OURS]


def _library(target: str) -> str:
    return target.partition(".")[0]


def test_no_module_imports_upward() -> None:
    assert [str(each) for each in _of_ours(_all_imports(*OURS)) if not _is_allowed(each)] == []


def test_the_table_refuses_what_it_should() -> None:
    def allowed(importer: str, target: str) -> bool:
        return _is_allowed(Import(importer, 1, target, at_top=True))

    assert allowed("server.services.intake", "client_sync.protocol.frames")
    assert allowed("server.services.intake.reading", "server.services.intake.verdicts")
    assert not allowed("server.services.intake", "server.services.feed")
    assert not allowed("server.services.intake", "client_sync.client")
    assert not allowed("server.web.sync_api", "server.store.complaints")
    assert not allowed("server.domain.complaint", "server.store")
    assert not allowed("client_sync.protocol.records", "client_sync.seal")
    assert not allowed("client_sync.client", "server.domain")
    assert not allowed("server.storefront", "server.store")


def test_every_line_of_the_table_speaks_of_something() -> None:
    assert [prefix for prefix in MAY_IMPORT if not _is_module(prefix)] == []


def test_imports_are_absolute() -> None:
    everything = _all_imports(*OURS, "fixtures", "tests")
    assert [str(each) for each in everything if each.target.startswith(".")] == []


def test_imports_stand_at_the_top_of_the_file() -> None:
    late = {(each.importer, _library(each.target)) for each in _all_imports(*OURS) if not each.at_top}
    assert late == LATE_IMPORTS.keys()


def test_client_names_only_its_own_libraries() -> None:
    allowed = {*CLIENT_LIBRARIES, "client_sync", *sys.stdlib_module_names}
    foreign = [each for each in _all_imports("client_sync") if _library(each.target) not in allowed]
    assert [str(each) for each in foreign] == []


def _with_requirements(names: set[str]) -> set[str]:
    """Distributions, and whatever they require that is installed."""
    known: set[str] = set()
    waiting = set(names)
    while waiting:
        name = waiting.pop()
        known.add(name)
        for line in distribution(name).requires or []:
            requirement = Requirement(line)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                waiting |= _installed(requirement.name) - known
    return known


def _installed(name: str) -> set[str]:
    try:
        return {distribution(name).name}
    except PackageNotFoundError:
        return set()


# Refuses what is not named, as an interpreter with the client's libraries alone would; an import that is
# optional then takes its other way, one that is needed fails here.
LEAN_INTERPRETER = """
import json, sys
allowed = set(json.loads(sys.argv[1]))
class Lean:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] not in allowed and not name.startswith("_sysconfigdata"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Lean())
import client_sync.client, client_sync.cli
"""


def test_client_runs_with_its_own_libraries_alone() -> None:
    owners = packages_distributions()
    lean = _with_requirements({owners[library][0] for library in CLIENT_LIBRARIES})
    libraries = {name for name, distributions in owners.items() if lean & set(distributions)}
    allowed = libraries | {"client_sync"} | sys.stdlib_module_names
    assert {"flask", "sqlalchemy", "server"} & allowed == set()
    command = [sys.executable, "-c", LEAN_INTERPRETER, json.dumps(sorted(allowed))]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_every_module_can_be_read_in_one_sitting() -> None:
    sources = _sources(*OURS, "fixtures", "tests")
    lengths = {_module(path): len(path.read_text("utf-8").splitlines()) for path in sources}
    assert {module: lines for module, lines in lengths.items() if lines > MOST_LINES} == {}


def test_one_module_asks_which_database_it_is() -> None:
    asks = re.compile(r"\.dialect\.name|postgresql")
    asking = [_module(path) for path in _sources("server") if asks.search(path.read_text("utf-8"))]
    assert asking == ["server.store.dialect"]
