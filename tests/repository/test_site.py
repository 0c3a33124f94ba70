"""The site is built from the repository's pages, its links lead somewhere, and it is whole without a network."""

import shutil
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import pytest

from tests.support.browser import WatchedPages, expect, needs_chromium
from tests.support.command import complaint, run
from tests.support.file_server import serving_files

if TYPE_CHECKING:
    from playwright.sync_api import Browser

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.slow


class Page(HTMLParser):
    """The ids and the addresses of a page."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.addresses: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        for name, value in attributes:
            if name == "id" and value:
                self.ids.add(value)
            elif name in ("href", "src") and value:
                self.addresses.append(value)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site") / "new"
    run("docs", folder, cwd=folder.parent)
    return folder


def test_every_page_of_the_repository_is_a_page_of_the_site(site: Path) -> None:
    for page in (ROOT / "docs").glob("*.md"):
        assert (site / "docs" / page.stem / "index.html").is_file()
    assert "Results of the quick run" in (site / "index.html").read_text(encoding="utf-8")


def test_every_link_leads_to_a_file_and_to_a_place_in_it(site: Path) -> None:
    pages = {path: Page(path) for path in site.rglob("*.html") if path.name != "404.html"}
    followed = 0
    for path, page in pages.items():
        for address in page.addresses:
            parts = urlsplit(address)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            target = target / "index.html" if target.is_dir() else target
            assert target.is_file(), (path, address)
            if parts.fragment and target in pages:
                assert unquote(parts.fragment) in pages[target].ids, (path, address)
                followed += 1
    assert followed > 100


def test_a_link_that_leads_nowhere_ends_the_build(tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    for name in ("docs", "configs", "checkpoints", "examples", "scripts", "mathderive"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__", ".*"))
    for pattern in ("*.md", "CITATION.cff", ".env", "mkdocs.yml", "pyproject.toml"):
        for path in ROOT.glob(pattern):
            shutil.copy(path, copy)
    page = copy / "docs" / "api.md"
    for wrong in ("[nothing](nothing.md)", "[nothing](data.md#nothing)", "[nothing](../configs/nothing.yaml)"):
        shutil.copy(ROOT / "docs" / "api.md", page)
        run("docs", tmp_path / "site", cwd=tmp_path, PYTHONPATH=str(copy))
        page.write_text(page.read_text(encoding="utf-8") + f"\n{wrong}\n", encoding="utf-8")
        refused = run("docs", tmp_path / "site", cwd=tmp_path, code=1, PYTHONPATH=str(copy))
        assert "nothing" in refused.stderr


def test_a_folder_that_is_no_site_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    assert "not a site" in complaint(run("docs", ".", cwd=tmp_path, code=2).stderr)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


@needs_chromium
def test_the_served_site_is_whole_without_a_network_fits_a_telephone_and_can_be_searched(
    site: Path, browser: "Browser"
) -> None:
    with serving_files(site) as server:
        address = f"{server.url}/"
        pages = WatchedPages(browser)
        for name in ("", "docs/configuration/", "docs/validity/"):
            page = pages.new_page(
                lambda loaded: loaded.startswith(address) or loaded == "about:blank",
                lambda message: "search" in message.lower(),  # the search tells that it is ready
                viewport={"width": 390, "height": 844},
            )
            page.goto(address + name)
            assert page.evaluate("document.documentElement.scrollWidth") <= 390, name
        page.set_viewport_size({"width": 1280, "height": 900})
        with page.expect_console_message(lambda message: "search ready" in message.text, timeout=60_000):
            page.reload()
        page.get_by_text("Search", exact=True).first.click()
        page.locator("#mkdocs-search-query").press_sequentially("early_stopping")
        expect(page.locator("#mkdocs-search-results a").first).to_contain_text("search")
        pages.close()
