"""Files of others that pages load are those that their makers published, and no more than what is named."""

import hashlib
import os
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
STATIC = ROOT / "server/web/static"
VENDOR = ROOT / "server/web/field/app/vendor"
OURS = {STATIC: {"console.js", "mark.svg", "seere.css", "vendored.toml"}, VENDOR: {"vendored.toml"}}


@pytest.mark.parametrize("folder", OURS, ids=["static", "carnet"])
def test_every_file_of_others_is_the_published_one(folder: Path) -> None:
    named = tomllib.loads((folder / "vendored.toml").read_text("utf-8"))
    found = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in named}
    assert found == {name: each["sha256"] for name, each in named.items()}
    assert {file.name for file in folder.iterdir()} == OURS[folder] | named.keys()


@pytest.mark.prove
def test_the_bundle_of_carnet_is_what_its_recipe_makes(tmp_path: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is not installed")
    recipe = shutil.copytree(
        ROOT / "requirements/field", tmp_path / "requirements/field", ignore=shutil.ignore_patterns("node_modules")
    )
    (tmp_path / VENDOR.relative_to(ROOT)).mkdir(parents=True)
    for command in (["ci", "--ignore-scripts"], ["rebuild", "esbuild"], ["run", "make"]):
        done = subprocess.run(
            [npm, *command], cwd=recipe, env=os.environ, capture_output=True, timeout=110, check=False
        )
        if command[0] == "ci" and done.returncode:
            pytest.skip("the packages can't be fetched here")
        assert done.returncode == 0, done.stderr[-500:]
    made = tmp_path / VENDOR.relative_to(ROOT) / "libraries.js"
    assert made.read_bytes() == (VENDOR / "libraries.js").read_bytes()
