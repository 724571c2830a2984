"""Files of others that pages load are those that their makers published, and no more than what is named."""

import hashlib
import tomllib
from pathlib import Path

STATIC = Path(__file__).resolve().parent.parent / "server" / "web" / "static"
OURS = {"console.js", "mark.svg", "seere.css", "vendored.toml"}


def test_every_file_of_others_is_the_published_one() -> None:
    named = tomllib.loads((STATIC / "vendored.toml").read_text("utf-8"))
    found = {name: hashlib.sha256((STATIC / name).read_bytes()).hexdigest() for name in named}
    assert found == {name: each["sha256"] for name, each in named.items()}
    assert {file.name for file in STATIC.iterdir()} == OURS | named.keys()
