"""The page: self-contained, complete, the same every time, and inert with any model output."""

import base64
import hashlib
import json
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from mathderive.records import EVALUATION_SETS, EvaluationSet, Example, Scores
from mathderive.report.examples import choose
from mathderive.report.page import ReportContents, write_report
from mathderive.report.plain import visible
from mathderive.report.templates import duration
from tests.support.explored import checked_contents

MakeContents = Callable[..., ReportContents]


class Page(HTMLParser):
    """The elements and the text of a page."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.scripts: list[str] = []
        self.feed(source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.elements and self.elements[-1] == ("script", {}) and self.cdata_elem == "script":
            self.scripts.append(data)
        elif self.cdata_elem != "script":
            self.text += data


def digest(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def assert_inert(page: Page) -> None:
    """Asserts that the page has its data and one script, which its policy names, and nothing else that can act."""
    policy = next(a["content"] or "" for t, a in page.elements if t == "meta" and a.get("http-equiv"))
    hashes = re.findall(r"script-src ([^;]*);", policy)
    assert [f"'sha256-{digest(script)}'" for script in page.scripts] == hashes
    assert len(hashes) <= 1
    kinds = [attributes for tag, attributes in page.elements if tag == "script"]
    assert kinds == [{"type": "text/plain", "id": "explorer-data"}, {}][: 2 * len(hashes)]
    assert not {"iframe", "object", "embed", "base", "form", "link", "svg"} & {t for t, _ in page.elements}
    for tag, attributes in page.elements:
        assert not [name for name in attributes if name.startswith("on")], (tag, attributes)
        for name in ("src", "srcset", "href", "action", "xlink:href"):
            assert (attributes.get(name) or "#").startswith(("#", "data:image/svg+xml;base64,")), (
                tag,
                attributes,
            )


def test_is_self_contained_and_complete(tmp_path: Path, make_contents: MakeContents) -> None:
    contents = make_contents(
        notes=["gpt-4 was skipped: no key"], training=[{"step": 1, "loss": 2.0}, {"step": 2, "loss": 1.0}]
    )
    write_report(tmp_path, contents)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["index.html", "tables.json", "tables.md"]
    source = (tmp_path / "index.html").read_text(encoding="utf-8")
    page = Page(source)
    assert_inert(page)
    (policy,) = [a["content"] for t, a in page.elements if t == "meta" and a.get("http-equiv")]
    assert policy is not None
    assert re.sub(r"'sha256-[^']*'", "HASH", policy) == (
        "default-src 'none'; style-src 'unsafe-inline'; script-src HASH; img-src data:; font-src data:;"
        " base-uri 'none'; form-action 'none'"
    )
    assert not re.search(r"https?://(?!www\.w3\.org/1998/Math/MathML)", source)
    for expected in (
        "A run",
        "gpt-4 was skipped: no key",
        "seed: 7",
        "2 h 02 min 05 s",
        "derives nothing",
        "Training",
    ):
        assert expected in page.text, expected
    alternatives = [a.get("alt") or "" for t, a in page.elements if t == "img"]
    assert any("Loss: 2 at step 1, 1 at step 2" in text for text in alternatives)
    assert all(alternatives)
    assert [a for t, a in page.elements if t == "math"]
    assert sum(t == "article" for t, _ in page.elements) == 10
    identifiers = [a["id"] for _, a in page.elements if "id" in a]
    assert len(identifiers) == len(set(identifiers))
    # No cell is empty.
    assert not re.search(r"<(td|th)[^>]*>\s*</", source)
    assert json.loads((tmp_path / "tables.json").read_text())["scores"][0]["model"] == "t5"


@pytest.mark.parametrize(("origin", "are_shown"), [("generated", True), ("released", True), ("physics", False)])
def test_the_authors_means_are_shown_beside_examples_of_their_kind(
    tmp_path: Path, make_contents: MakeContents, origin: str, are_shown: bool
) -> None:
    write_report(tmp_path, make_contents(origin=origin))
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    for text in ("Recorded by the authors", "The authors’ means", "the means that the authors recorded"):
        assert (text in page) == are_shown, text


@pytest.mark.slow
def test_what_the_checker_says_is_on_the_page(tmp_path: Path, make_contents: MakeContents) -> None:
    write_report(tmp_path, make_contents(sources=6, checked=True))
    page = Page((tmp_path / "index.html").read_text(encoding="utf-8"))
    assert_inert(page)
    assert {"errors", "metric-study", "comparisons", "breakdown"} <= {a.get("id") for t, a in page.elements}
    for expected in ("Reasoning errors", "0.0 % of its answers are verified", "[11.1, 55.6]"):
        assert expected in page.text, expected
    write_report(tmp_path, make_contents(sources=6))
    page = Page((tmp_path / "index.html").read_text(encoding="utf-8"))
    assert not {"errors", "metric-study"} & {a.get("id") for t, a in page.elements}
    assert "erified" not in page.text


def test_an_examples_answers_say_whether_they_are_verified(tmp_path: Path) -> None:
    write_report(tmp_path, checked_contents(sources=2))
    source = (tmp_path / "index.html").read_text(encoding="utf-8")
    summaries = re.findall(r"<summary>(\w+)\s(.*?)</summary>", source, re.DOTALL)
    outcomes = {(model, *re.findall(r'<span class="(?:good|bad)">(.*?)</span>', rest)) for model, rest in summaries}
    assert {one for one in outcomes if one[0] == "right"} == {("right", "verified")}
    assert {one for one in outcomes if one[0] == "wrong"} == {("wrong", "not verified", "goal missed")}


@pytest.mark.slow
@pytest.mark.long
def test_the_same_contents_give_the_same_files(tmp_path: Path, make_contents: MakeContents) -> None:
    for name in ("a", "b"):
        write_report(tmp_path / name, make_contents(checked=True))
    for name in ("index.html", "tables.md", "tables.json"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_tables_depend_on_the_records_alone(tmp_path: Path, make_contents: MakeContents) -> None:
    write_report(tmp_path / "a", make_contents())
    write_report(tmp_path / "b", make_contents(timings={}, environment={"Host": "other"}, seed=8, title="Other"))
    for name in ("tables.md", "tables.json"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_a_run_without_anything_is_a_page_too(tmp_path: Path, make_contents: MakeContents) -> None:
    empty = make_contents(examples={}, predictions={}, scores={}, sensitivity={}, timings={})
    write_report(tmp_path, empty)
    text = Page((tmp_path / "index.html").read_text(encoding="utf-8")).text
    assert "Nothing was scored." in text
    assert "Training" not in text
    assert "derives nothing" not in text


def test_a_set_that_a_model_lacks_is_a_dash(tmp_path: Path, make_contents: MakeContents) -> None:
    contents = make_contents()
    scores: Scores = {"t5": contents.scores["t5"], "copy": {"static": contents.scores["copy"]["static"][:1]}}
    write_report(tmp_path, replace(contents, scores=scores, sensitivity={}))
    text = Page((tmp_path / "index.html").read_text(encoding="utf-8")).text
    assert "– not computed." in text
    assert "Examples" in text


def test_examples_are_spread_over_the_sets(make_contents: MakeContents) -> None:
    examples = make_contents(sources=20).examples
    chosen = choose(examples, 10)
    assert [example.set for example in chosen] == [name for name in EVALUATION_SETS for _ in range(2)]
    assert len({example.source_id for example in chosen}) == 10
    assert choose(examples, 10) == chosen
    assert choose(examples, 0) == []
    assert len(choose(examples, 1000)) == 100
    assert len({example.id for example in choose(examples, 99)}) == 99
    only_static: dict[EvaluationSet, Sequence[Example]] = {"static": examples["static"][:3]}
    assert [example.id for example in choose(only_static, 10)] == ["0-static", "1-static", "2-static"]


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0.3, "< 1 s"), (59.96, "1 min 00 s"), (8.4, "8 s"), (725.2, "12 min 05 s"), (12000, "3 h 20 min 00 s")],
)
def test_durations(seconds: float, shown: str) -> None:
    assert duration(seconds) == shown


def test_hidden_characters_are_shown() -> None:
    assert visible("a\x00\u202e\ud800\u200b\ue000\u2028b\n\tαé") == (
        "a⟨U+0000⟩⟨U+202E⟩⟨U+D800⟩⟨U+200B⟩⟨U+E000⟩⟨U+2028⟩b\n\tαé"
    )


RAN = "document.documentElement.setAttribute('data-ran','yes')"
HOSTILE = {
    "script": f"</script><script>{RAN}</script>",
    "image": f'"><img src=x onerror="{RAN}">',
    "svg": f"<svg onload={RAN}></svg>",
    "text": rf"\text{{<img src=x onerror={RAN}>}} = 1 and x = 2",
    "href": rf"\href{{javascript:{RAN}}}{{click}} = 1",
    "template": "{{ contents.config }}{% for x in y %}",
    "comment": "<!-- <style>* { display: none }</style> -->]]></code></details></article></main>",
    "braces": "{" * 3000,
    "nul": "a\x00b = \x00",
    "surrogate": "a = \ud800 and \udfff",
    "bidi": "a = \u202e\u2066b and \u200fc",
    "long": "x = y and " * 100_000,
    "one word": "x" * 1_000_000,
    "combining": "a" + "\u0301" * 5000,
}


@pytest.mark.slow
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_is_shown_as_text(tmp_path: Path, make_contents: MakeContents, name: str) -> None:
    write_report(tmp_path, hostile_contents(make_contents, HOSTILE[name]))
    data = (tmp_path / "index.html").read_bytes()
    page = Page(data.decode("utf-8"))
    assert_inert(page)
    assert len(data) < 2_000_000
    if name == "script":
        assert HOSTILE[name] in page.text
    if name in ("long", "one word"):
        assert "more characters" in page.text
    assert not re.search(r"[\x00\u202a-\u202e\u2066-\u2069]", page.text)


def hostile_contents(make_contents: MakeContents, text: str) -> ReportContents:
    """Makes contents with the text as every answer, and with a short piece of it as every other text from outside."""
    short = text[:300]
    contents = make_contents(
        answer=text,
        title=short,
        notes=[short],
        environment={short: short},
        config=short,
        timings={short: 1.0},
    )
    examples = {
        name: [example.model_copy(update={"prompt": text, "target": text}) for example in of_set]
        for name, of_set in contents.examples.items()
    }
    return replace(contents, examples=examples)


def test_an_answer_that_failed_says_why(tmp_path: Path, make_contents: MakeContents) -> None:
    contents = make_contents(answer="")
    predictions = {
        "t5": {
            name: [p.model_copy(update={"error": "quota <exceeded>"}) for p in of_set]
            for name, of_set in contents.predictions["t5"].items()
        }
    }
    write_report(tmp_path, replace(contents, predictions=predictions))
    text = Page((tmp_path / "index.html").read_text(encoding="utf-8")).text
    assert "No answer: quota <exceeded>" in text
    assert "Answers that failed" in text
    write_report(tmp_path, contents)
    assert "Answers that failed" not in (tmp_path / "index.html").read_text(encoding="utf-8")


def test_a_large_run_is_reported_in_seconds(tmp_path: Path, make_contents: MakeContents) -> None:
    contents = make_contents(sources=50)
    start = time.perf_counter()
    write_report(tmp_path, contents)
    assert time.perf_counter() - start < 30


@pytest.mark.slow
def test_nothing_runs_in_a_browser(tmp_path: Path, make_contents: MakeContents) -> None:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("no chromium on PATH")
    everything = "\n".join(text[:3000] for text in HOSTILE.values())
    write_report(tmp_path, hostile_contents(make_contents, everything))
    guarded = tmp_path / "index.html"
    # Escaping protects the page without its policy too; the policy is a second protection.
    bare = tmp_path / "bare.html"
    bare.write_text(
        re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", guarded.read_text(encoding="utf-8")),
        encoding="utf-8",
    )
    # The control has no escaping, which shows that this test notices a script that runs.
    control = tmp_path / "control.html"
    control.write_text(f"<!doctype html>{HOSTILE['image']}{HOSTILE['script']}", encoding="utf-8")
    locked = tmp_path / "locked.html"
    (policy,) = re.findall(r'<meta http-equiv="Content-Security-Policy"[^>]*>', guarded.read_text(encoding="utf-8"))
    locked.write_text(f"<!doctype html>{policy}{HOSTILE['image']}{HOSTILE['script']}", encoding="utf-8")
    assert 'data-ran="yes"' in dump(chromium, control, tmp_path)
    for path in (guarded, bare, locked):
        assert 'data-ran="yes"' not in dump(chromium, path, tmp_path), path.name
    assert "What was run" in dump(chromium, guarded, tmp_path)


def dump(chromium: str, path: Path, scratch: Path) -> str:
    """Returns the page's document after it was opened, as chromium serialises it."""
    flags = (
        "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
        "--disable-component-update --disable-sync --dump-dom"
    )
    command = [chromium, *flags.split(), f"--user-data-dir={scratch / 'profile'}", path.as_uri()]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout
