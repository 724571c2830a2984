"""The doors of Carnet: what travels to a phone, under which rules, and how much of it."""

import json
import posixpath
import re
from collections.abc import Iterator
from pathlib import Path

import brotli
import pytest
from flask.testing import FlaskClient

import server.web.field
from server.domain.folding import fold
from server.hub import Hub
from server.services import places
from server.web.field.packs import later, shell
from tests.builders import NOW, Clock, app_of, open_test_hub

APP = Path(server.web.field.__file__).parent / "app"
SHIPPED = Path(__file__).resolve().parents[3] / "fixtures" / "places" / "mali-2026.1.csv"
SHELL_MAX = 60 * 1024
BR = {"Accept-Encoding": "gzip, br"}
# What a browser asks for before it can open the app without a network.
FIRST = ("", "carnet.css", "boot.js", "icon.svg", "manifest.webmanifest", "sw.js", "shell.json")
IMPORTED = re.compile(r"""(?:from |import\(?\s*)"(\.[^"]+)\"""")


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    opened = open_test_hub("sqlite", tmp_path_factory.mktemp("hub"), Clock())
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def client(hub: Hub) -> FlaskClient:
    return app_of(hub).test_client()


def test_what_opens_records_and_seals_is_light(client: FlaskClient) -> None:
    sizes = {name: len(client.get(f"/carnet/{name}", headers=BR).data) for name in FIRST}
    assert sum(sizes.values()) <= SHELL_MAX, sizes


def test_two_packs_hold_each_file_once_as_the_door_gives_it(client: FlaskClient) -> None:
    packs = [json.loads(client.get(f"/carnet/{name}.json").data) for name in ("shell", "later")]
    paths = [path for pack in packs for path in pack]
    with_page = {"/carnet/boot.js", "/carnet/carnet.css"}
    assert len(paths) == len(set(paths))
    assert {*paths, *with_page} == {
        f"/carnet/{'' if name == 'index.html' else name}" for name in {**shell(), **later()}
    }
    for pack in packs:
        for path, text in pack.items():
            assert client.get(path).text == text


def test_every_script_is_read_by_another_and_finds_what_it_reads() -> None:
    scripts = {file.relative_to(APP).as_posix() for file in APP.rglob("*.js")} - {"sw.js"}
    read = {
        posixpath.normpath(posixpath.join(posixpath.dirname(script), each))
        for script in scripts
        for each in IMPORTED.findall((APP / script).read_text("utf-8"))
    }
    assert read | {"boot.js"} == scripts
    assert scripts <= {**shell(), **later()}.keys()


def test_the_worker_knows_every_file_by_a_digest_that_keeps_it(client: FlaskClient) -> None:
    lines = client.get("/carnet/sw.js").text.splitlines()
    named = dict(re.findall(r'"(/carnet/[^"]*)":"([0-9a-f]+)"', lines[0] + lines[1]))
    assert len(named) == len(shell()) + len(later())
    for path, digest in named.items():
        assert "immutable" in client.get(f"{path}?v={digest}").headers["Cache-Control"]
        assert client.get(f"{path}?v=000000000000").headers["Cache-Control"] == "no-cache"
    assert client.get("/carnet/sw.js").headers["Cache-Control"] == "no-cache"


def test_the_page_runs_our_scripts_alone_and_stands_in_no_frame(client: FlaskClient) -> None:
    answer = client.get("/carnet/")
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'; script-src 'self'; style-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert not re.search(r"<script(?! type=\"module\" src=)|<style|style=|\son[a-z]+=|\{\{", answer.text)
    assert (answer.headers["Referrer-Policy"], answer.headers["X-Content-Type-Options"]) == ("no-referrer", "nosniff")
    assert "Set-Cookie" not in answer.headers


def test_it_travels_as_small_as_it_gets_to_whoever_can_read_that(client: FlaskClient) -> None:
    small = client.get("/carnet/shell.json", headers=BR)
    assert small.headers["Content-Encoding"] == "br"
    assert "Accept-Encoding" in small.headers["Vary"]
    plain = client.get("/carnet/shell.json")
    assert "Content-Encoding" not in plain.headers
    assert brotli.decompress(small.data) == plain.data


@pytest.mark.parametrize(
    "name", ["package.json", "vendor/vendored.toml", "nothing.js", "../doors.py", "places/mali.json"]
)
def test_what_is_not_of_the_app_is_not_there(client: FlaskClient, name: str) -> None:
    assert client.get(f"/carnet/{name}").status_code == 404


def test_places_of_a_cercle_are_given_by_name(hub: Hub, client: FlaskClient) -> None:
    gazetteer = places.read_list_file(SHIPPED, "2026.1")
    places.import_list(hub.store, gazetteer, SHIPPED.name, NOW)
    given = json.loads(client.get("/carnet/places/ml-c-gao.json").data)
    assert given["list"] == "2026.1"
    assert {id for id, *_ in given["places"]} == {*gazetteer.within(["ml-c-gao"])} - {"ml-c-gao"}
    names = [fold(name) for _, name, *_ in given["places"]]
    assert names == sorted(names) != []
    for other in ("ml-r-gao", "ml-c-nowhere"):
        assert client.get(f"/carnet/places/{other}.json").status_code == 404


def test_the_address_as_people_type_it_leads_there(client: FlaskClient) -> None:
    answer = client.get("/carnet")
    assert (answer.status_code, answer.headers["Location"]) == (308, "/carnet/")
