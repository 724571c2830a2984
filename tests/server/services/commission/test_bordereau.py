"""The papers that a person reads: the bordereau with its slip, the same as PDF, and how to check a package."""

import hashlib
import re
import sys
import zlib
from collections.abc import Callable, Sequence
from datetime import date
from html.parser import HTMLParser
from pathlib import Path
from subprocess import run
from typing import Any, Final

import pyrage
import pytest

from server.domain.referral import Destination
from server.services.commission import minisign, papers
from server.services.commission.bags import Bag
from server.services.commission.content import Content
from server.services.commission.papers.bordereau import references
from server.services.commission.sealing import seal
from tests import papers as packages
from tests.packing import SEED
from tests.papers import content, line

NUMBER: Final = "CNDH-2026-T3-0007"
VOID: Final = frozenset({"meta", "br"})


class Page(HTMLParser):
    """A page as somebody sees it: its texts, and the rows of its tables."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.rows: list[list[str]] = []
        self._open: list[str] = []
        self._texts: list[str] = []
        # A space that holds what stands around it together is one.
        self.feed(html.replace("\u00a0", " "))

    @property
    def text(self) -> str:
        return " ".join("".join(self._texts).split())

    def row(self, name: str) -> list[str]:
        """What stands beside something in a table."""
        [found] = [row[1:] for row in self.rows if row and row[0] == name]
        return found

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag not in VOID:
            self._open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" in self._open:
            return
        self._texts.append(data)
        if {"td", "th"} & set(self._open):
            self.rows[-1][-1] += data


def file_of(of: Content, wanted: str) -> bytes:
    return b"".join(next(chunks for name, chunks in papers.payload(of) if name == wanted))


def bordereau(of: Content) -> Page:
    return Page(file_of(of, "bordereau.html").decode())


def lines(*kinds: str) -> list[Any]:
    said = {"consent": "C2", "region": "ml-r-gao"}
    return [line(no, **said, kind=kind) for no, kind in enumerate(kinds, start=1)]


@pytest.mark.parametrize("name", ["bordereau.html", "verifier.html"])
def test_page_has_all_that_it_needs_and_runs_nothing(name: str) -> None:
    html = file_of(packages.full(), name).decode()
    page = Page(html)
    assert not page.tags & {"script", "link", "img", "iframe", "form", "a", "svg"}
    assert not {each for each in page.attributes if each.startswith("on") or each in ("src", "href", "style")}
    assert "url(" not in html
    assert "@import" not in html
    assert '<html lang="fr">' in html


def test_it_says_who_sends_what_to_whom_and_what_came_before() -> None:
    page = bordereau(content(lines=packages.several(30)))
    assert page.row("De") == ["Coalition d'essai"]
    assert page.row("À") == ["Commission nationale des droits de l'homme (CNDH)"]
    assert page.row("Situation au") == ["05/10/2026"]
    assert "CNDH-2026-T3-0007 · 3e trimestre 2026 (juillet à septembre)" in page.text
    [previous] = page.row("Envoi précédent")
    assert previous.startswith("CNDH-2026-T2-0006")
    assert previous.replace(" ", "").endswith("ab" * 32)
    assert "manifest-sha256.txt" in page.text


def test_first_package_has_none_before() -> None:
    assert bordereau(content(previous=None)).row("Envoi précédent") == ["Aucun : c'est le premier à votre organisme."]


def test_what_somebody_wrote_is_no_markup() -> None:
    page = bordereau(content(coalition="<script>`alert(1)`</script>", lines=lines(*["<b>"] * 6)))
    assert page.row("De") == ["<script>`alert(1)`</script>"]
    assert "script" not in page.tags
    assert page.row("<b>") == ["6"]


def test_lines_are_counted_by_consent_kind_and_region() -> None:
    page = bordereau(content(lines=lines(*["HR-ARR"] * 12, *["HR-TOR"] * 7)))
    assert page.row("Plaintes : une ligne chacune") == ["19"]
    assert page.row("C2 : Les faits, sans le nom ni le village") == ["19"]
    assert page.row("Gao") == ["19"]
    assert (page.row("Arrestation sans motif légal"), page.row("Torture")) == (["12"], ["7"])


def test_small_number_is_hidden_and_so_is_what_would_tell_it() -> None:
    page = bordereau(content(lines=lines(*["HR-ARR"] * 12, *["HR-TOR"] * 7, *["HR-DIS"] * 3)))
    assert page.row("Disparition forcée") == ["< 5"]
    assert page.row("Torture") == ["< 5"]
    assert page.row("Arrestation sans motif légal") == ["12"]
    assert ["Total", "22"] in page.rows


def test_of_a_few_lines_the_paper_says_nothing_but_that() -> None:
    page = bordereau(content(lines=lines("HR-ARR", "HR-TOR", "HR-DIS")))
    assert page.row("Plaintes : une ligne chacune") == ["< 5"]
    assert "P-000000000" not in page.text
    assert "Torture" not in page.text
    assert "À lire dans data/plaintes.xlsx." in page.text


def test_five_of_which_each_is_another_are_not_told_apart() -> None:
    page = bordereau(content(lines=lines("HR-ARR", "HR-TOR", "HR-DIS", "HR-EVI", "HR-PRO")))
    assert "Torture" not in page.text
    assert page.row("Gao") == ["5"]


def test_withheld_are_told_by_why_and_who_is_protected_is_not() -> None:
    against = {"numbers": 41, "consent_body": 20, "few_alike": 6, "own_people": 2, "totals": 8, "elsewhere": 90}
    page = bordereau(content(against=against))
    assert page.row("La personne n'a permis que des chiffres, ou rien") == ["41"]
    assert page.row("L'accord de la personne ne va pas jusqu'à votre organisme, a pris fin ou a été retiré") == ["20"]
    [protected] = [row for row in page.rows if row[0].startswith("La protection des personnes")]
    assert protected[1:] == ["16"]
    assert ["Total", "77"] in page.rows
    nothing = bordereau(content(against={"elsewhere": 3}))
    assert "Rien : chaque plainte du trimestre qui concerne votre organisme a sa ligne" in nothing.text
    before = bordereau(content(against=None))
    assert "Dit dans un envoi précédent : celui-ci porte sur le même trimestre." in before.text
    few = bordereau(content(against={"own_people": 2}))
    assert ["Total", "< 5"] in few.rows
    assert "La protection des personnes" not in few.text


@pytest.mark.parametrize("against", [{}, {"own_people": 1}, {"own_people": 4}, {"numbers": 3, "own_people": 1}])
def test_body_whose_own_people_may_be_accused_sees_no_difference_between_none_and_a_few(
    against: dict[str, int],
) -> None:
    to = Destination("police", "police", "corridor", None, date(2017, 1, 1))
    page = file_of(content(destination=to, against=against), "bordereau.html")
    assert page == file_of(content(destination=to, against={"few_alike": 1}), "bordereau.html")
    more = bordereau(content(destination=to, against={"numbers": 30, "consent_body": 20, "own_people": 9}))
    assert ["Total", "59"] in more.rows
    assert "La protection des personnes" not in more.text


def test_paper_has_the_key_that_signs_and_how_it_sounds() -> None:
    file = minisign.public_file(SEED)
    page = bordereau(content())
    assert page.row("Notre clé publique (minisign)") == [minisign.public_key(SEED)]
    [said] = [row[1] for row in page.rows if row[0].startswith("Empreinte de seere.pub")]
    assert hashlib.sha256(file).hexdigest().startswith(said.replace(" ", ""))
    assert len(said.split()) == 6
    assert said in Page(file_of(content(), "verifier.html").decode()).text


def test_violence_is_told_by_region_alone() -> None:
    told = {"ml-r-segou": 12, "ml-r-gao": 9, "ml-r-mopti": 30}
    table = packages.release("N8", [((region,), ("GBV",), number) for region, number in told.items()])
    page = bordereau(content(tables=[table]))
    assert (page.row("Ségou"), page.row("Gao"), page.row("Mopti")) == (["12"], ["9"], ["30"])
    assert ["Total", "51"] in page.rows
    assert "Violences basées sur le genre" not in bordereau(content(tables=[packages.by_kind()])).text


def test_references_stand_there_up_to_200_and_beyond_that_in_parts() -> None:
    refs = [f"P-{no:010d}" for no in range(201)]
    assert references(refs[:200]).listed == refs[:200]
    more = references(refs)
    assert not more.listed
    assert [(each.first, each.last, each.number) for each in more.groups] == [
        (refs[0], refs[66], 67),
        (refs[67], refs[133], 67),
        (refs[134], refs[200], 67),
    ]
    assert [references(refs[:no]).number for no in (0, 1, 4, 5)] == [0, None, None, 5]
    assert not references(refs[:4]).listed
    page = bordereau(content(lines=packages.several(230)))
    assert "P-0000000001" in page.text
    assert "P-0000000002" not in page.text


def test_slip_has_room_for_what_the_body_says() -> None:
    page = bordereau(packages.full(20))
    assert f"Accusé de réception · {NUMBER}" in page.text
    assert ["Référence", "Accepté", "Rejeté", "Si rejeté, motif", "Si accepté, votre numéro"] in page.rows
    assert page.rows.count([""] * 5) == 8
    assert page.rows.count([""] * 8) == 2
    assert "à rendre à Coalition d'essai" in page.text


def test_same_page_comes_as_pdf_that_can_be_read_aloud(caplog: pytest.LogCaptureFixture) -> None:
    pytest.importorskip("weasyprint")
    made = file_of(packages.full(20), "bordereau.pdf")
    assert made.startswith(b"%PDF-1.7")
    streams = [zlib.decompressobj().decompress(each) for each in re.findall(rb"stream\n(x.*?)\nendstream", made, re.S)]
    assert any(b'pdfuaid:part="1"' in each or b"<pdfuaid:part>1" in each for each in streams)
    assert made == file_of(packages.full(20), "bordereau.pdf")
    # What it can't lay out it says so of.
    assert caplog.messages == []


def test_without_the_extra_there_is_no_pdf_and_all_else(monkeypatch: pytest.MonkeyPatch) -> None:
    of = packages.full(5)
    whole = packages.written(of)
    monkeypatch.setitem(sys.modules, "weasyprint", None)
    assert packages.written(of) == {name: data for name, data in whole.items() if name != "bordereau.pdf"}


def test_how_to_check_is_told_for_each_system() -> None:
    html = file_of(content(), "verifier.html").decode()
    page = Page(html)
    assert all(f"Sous {system}" in page.text for system in ("Windows", "Linux", "macOS"))
    assert "N'ouvrez rien, n'effacez rien" in page.text
    assert "-p ../seere.pub" in html
    assert len([row for row in page.rows if len(row) == 3]) == 10
    # What comes out of 7-Zip is called otherwise than what went in.
    assert page.text.count(f"{NUMBER}-ouvert.zip") >= 6
    assert f"7zz x {NUMBER}-ouvert.zip" in html


def typed(html: str, system: str) -> list[str]:
    """The commands that the page gives under a system, in order, but for 7-Zip's."""
    part = html.split(f"Sous {system}</h2>")[1].split("</section>")[0]
    blocks = [re.sub("&#39;", "'", block) for block in re.findall("<pre>(.*?)</pre>", part, re.S)]
    return [block for block in blocks if not block.startswith("7z")]


@pytest.mark.prove
@pytest.mark.ci
def test_commands_of_the_page_check_a_package_as_they_stand(tmp_path: Path, program: Callable[[str], str]) -> None:
    for name in ("age", "minisign", "unzip", "sha256sum", "bash"):
        program(name)
    of = packages.full(30)
    identity = pyrage.x25519.Identity.generate()
    bag = Bag(papers.payload(of), of, SEED)
    seal(bag, tmp_path, NUMBER, recipient=str(identity.to_public()))
    (tmp_path / "cle.txt").write_text(f"{identity}\n")
    (tmp_path / "seere.pub").write_bytes(minisign.public_file(SEED))
    commands = typed(file_of(of, "verifier.html").decode(), "Linux")
    assert len(commands) == 7
    done = run(["bash", "-ec", "\n".join(commands)], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Signature and comment signature verified" in done.stdout
    assert f"Trusted comment: {NUMBER} 2026-10-05" in done.stdout
    assert "data/plaintes.xlsx: OK" in done.stdout
    assert bag.manifest in done.stdout
    # … and refuse it once one byte of it is another.
    file = tmp_path / NUMBER / "data" / "codes.csv"
    file.write_bytes(file.read_bytes()[:-1] + b"!")
    again = run(["bash", "-ec", commands[5]], cwd=tmp_path / NUMBER, capture_output=True, text=True, check=False)
    assert again.returncode != 0
    assert "data/codes.csv: FAILED" in again.stdout
