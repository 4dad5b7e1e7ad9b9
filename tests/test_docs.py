"""The pages of ``docs/``: built without a complaint, whole, at home without a network, and true to the code."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

import a2m_edge
from a2m_edge.impression.feeling import EMOTIONS
from tests.fixtures.places import ROOT
from tests.test_house import rooms
from tests.test_names import defined
from tools.draw_architecture import DOCUMENT, PICTURES, draw, written

DOCS = ROOT / "docs"
LOADED = {"script": "src", "img": "src", "source": "srcset", "iframe": "src", "video": "src", "audio": "src"}
"""What a browser fetches when it shows a page, by the attribute that names it; of ``link`` all but plain relations."""
NOT_FETCHED = {"canonical", "prev", "next", "alternate"}


class Page(HTMLParser):
    """What a page loads, and where its navigation leads."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.leads: set[str] = set()
        self.feed(file.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keeps an address."""
        given = {name: value or "" for name, value in attrs}
        if tag in LOADED and LOADED[tag] in given:
            self.loads.append(given[LOADED[tag]])
        if tag == "link" and not set(given.get("rel", "").split()) <= NOT_FETCHED:
            self.loads.append(given["href"])
        if tag == "a" and any(name.startswith(("md-nav", "md-tabs")) for name in given.get("class", "").split()):
            self.leads.add(given["href"])


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """The built pages."""
    missing = [name for name in ("mkdocs", "material", "mkdocstrings") if importlib.util.find_spec(name) is None]
    if missing:
        pytest.skip(f"{missing[0]} is not installed: run  pip install 'a2m-edge[docs]'")
    folder: Path = tmp_path_factory.mktemp("site")
    built = subprocess.run(  # without --quiet, which would hide the warnings that --strict counts
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", folder],
        cwd=ROOT,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert built.returncode == 0, built.stderr
    assert "WARNING" not in built.stderr
    return folder


def test_every_page_is_reached_by_the_navigation(site):
    found, waiting = set(), [site / "index.html"]
    while waiting:
        page = waiting.pop()
        if page not in found:
            found.add(page)
            leads = (urlsplit(lead).path for lead in Page(page).leads)
            waiting += [(page.parent / lead).resolve() for lead in leads if lead.endswith(".html")]
    assert found == {page.resolve() for page in site.rglob("*.html")} - {site / "404.html"}
    assert len(found) >= len(list(DOCS.rglob("*.md")))


def test_no_page_asks_the_network_for_anything(site):
    for page in site.rglob("*.html"):
        loads = Page(page).loads
        assert any("assets/stylesheets" in each for each in loads)
        for each in loads:
            parts = urlsplit(each)
            assert parts.scheme in ("", "data"), f"{page.name} loads {each}"
            assert not parts.netloc, f"{page.name} loads {each}"
            if parts.scheme == "" and page.name != "404.html":  # that one is for servers
                assert (page.parent / unquote(parts.path)).exists(), f"{page.name} loads {each}, which is not there"
    for sheet in site.rglob("*.css"):
        assert not re.search(r"(?:url\(|@import)\s*['\"]?(?:https?:)?//", sheet.read_text(encoding="utf-8")), sheet


def test_the_technician_s_page_is_the_one_beside_the_service(site):
    page = (site / "deploy.html").read_text(encoding="utf-8")
    assert "From a bare Debian to a running exhibit" in page
    assert (DOCS / "deploy.md").resolve() == ROOT / "deploy" / "README.md"


def test_the_reference_holds_every_folder_of_the_runtime(site):
    pages = [page.read_text(encoding="utf-8") for page in (DOCS / "reference").glob("*.md")]
    told = set(re.findall(r"^::: a2m_edge\.(\w+)$", "\n".join(pages), re.M))
    names = {name for storey in rooms()["a2m_edge"] for flat in storey for name in flat}
    assert {name for name in names if (ROOT / "a2m_edge" / name).is_dir()} <= told
    page = (site / "reference" / "soundscape.html").read_text(encoding="utf-8")
    assert 'id="a2m_edge.soundscape.Soundscape.see_another"' in page
    assert "1 - cosine of the embeddings" in page  # a sentence under Args
    assert 'id="a2m_edge.sound.loudness.normalise_loudness"' in (site / "reference" / "sound.html").read_text()


def test_the_picture_of_the_architecture_is_the_one_that_the_code_gives():
    again = "run  python -m tools.draw_architecture"
    for name, wide in PICTURES.items():
        assert (DOCS / name).read_text(encoding="utf-8") == draw(wide), again
    text = (DOCS / DOCUMENT).read_text(encoding="utf-8")
    assert text == written(text), again
    assert "`a2m_edge/soundscape.py`" in text


def test_the_answers_to_where_do_i_look_hold():
    section = (DOCS / DOCUMENT).read_text(encoding="utf-8").split("## Where do I look?")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (.+?) \| `([\w/.]+)` \| `([\w.]+)` \|$", section, re.M)
    assert len(rows) == section.count("\n|") - 2 >= 10
    for task, file, name in rows:
        outer, _, inner = name.partition(".")
        names = defined(ROOT / file)
        assert outer in names, f"{task}: {file} has no {name}"
        assert not inner or inner in names[outer], f"{task}: {file} has no {name}"


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md", "deploy/README.md", "examples/README.md"])
def test_links_of_a_document_outside_lead_somewhere(document):
    place = ROOT / document
    for link in re.findall(r"\]\(([^)\s]+)\)", place.read_text(encoding="utf-8")):
        path, _, anchor = link.partition("#")
        if urlsplit(link).scheme or not path:
            continue
        target = place.parent / path
        assert target.exists(), f"{document}: {link}"
        headings = re.findall(r"^#+ (.+)$", target.read_text(encoding="utf-8"), re.M) if anchor else []
        assert not anchor or anchor in {re.sub(r"[^\w -]", "", each).lower().replace(" ", "-") for each in headings}


def first_program(document: str) -> str:
    """The first block of Python in a document."""
    found = re.search(r"```python\n(.*?)```", (ROOT / document).read_text(encoding="utf-8"), re.S)
    assert found is not None, document
    return found[1]


def test_the_first_page_of_python_runs():
    if not hasattr(a2m_edge, "open_bundle"):
        pytest.skip("a2m_edge offers no open_bundle yet")
    program = first_program("docs/python.md")
    assert program == first_program("README.md")
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    feeling, *chunks = done.stdout.splitlines()
    assert feeling in EMOTIONS
    sizes = [int(size) for size in re.findall(r"\((\d+),", done.stdout)]
    assert len(sizes) == len(chunks)
    assert sum(sizes) == 860 * 256
