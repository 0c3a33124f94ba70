"""Every code block of the documentation is run by a test, or there is a reason; other commands are parsed."""

import ast
import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from typer.main import get_command

from mathderive.cli.main import app
from mathderive.config.loading import load_config
from mathderive.core.bundled import existing_or_bundled
from tests.repository.code_blocks import BLOCKS, PARSED
from tests.support.command import run
from tests.support.served import serving

ROOT = Path(__file__).parents[2]
PAGES = ["README.md", "CONTRIBUTING.md", "checkpoints/mini/README.md"]
PAGES += [f"docs/{path.name}" for path in sorted((ROOT / "docs").glob("*.md"))]
COMMAND = re.compile(r"(?m)^(?:[A-Z_]+=\S+ )*(?:\./run\.sh|mathderive)(?![\w:])((?:[^\n']|'[^']*')*)$")
"""A command, whose quoted arguments may have several lines."""


class Block(NamedTuple):
    page: str
    language: str
    text: str

    @property
    def keys(self) -> list[str]:
        """The keys of its page that are about it; the longest beginning decides over shorter ones and the language."""
        known = BLOCKS.get(self.page, {})
        beginnings = sorted((key for key in known if self.text.startswith(key)), key=len)
        return beginnings[-1:] or [key for key in known if key == f"```{self.language}"]


def blocks() -> Iterator[Block]:
    for page in PAGES:
        text = (ROOT / page).read_text(encoding="utf-8")
        for language, body in re.findall(r"(?m)^ *```(\w*)\n((?:.*\n)*?) *```$", text):
            yield Block(page, language, body)


ALL = list(blocks())


def block(page: str, beginning: str) -> str:
    """The only block of a page that begins so."""
    (found,) = [one.text for one in ALL if one.page == page and one.text.startswith(beginning)]
    return found


def test_every_block_is_run_or_there_is_a_reason() -> None:
    assert sum((ROOT / page).read_text(encoding="utf-8").count("```") for page in PAGES) == 2 * len(ALL)
    for one in ALL:
        assert one.keys, f"{one.page}: tests/repository/code_blocks.py says nothing of the block\n{one.text}"
    said = {(one.page, key) for one in ALL for key in one.keys}
    assert said == {(page, key) for page, keys in BLOCKS.items() for key in keys}


def test_the_tests_that_run_blocks_read_their_pages() -> None:
    for page, keys in BLOCKS.items():
        for value in keys.values():
            if not value.startswith("not run: "):
                assert Path(page).name in (ROOT / value).read_text(encoding="utf-8"), (page, value)


def commands() -> Iterator[tuple[str, list[str]]]:
    """Each command of the blocks whose commands are parsed, as its arguments."""
    for one in ALL:
        if BLOCKS[one.page][one.keys[0]] == PARSED:
            text = re.sub(" +#.*", "", one.text).replace("\\\n", " ")
            found = [shlex.split(arguments) for arguments in COMMAND.findall(text)]
            assert len(found) == len(re.findall(r"\./run\.sh|^mathderive", text)), text
            yield from ((one.page, arguments) for arguments in found)


@pytest.mark.parametrize(("page", "given"), [pytest.param(*one, id=" ".join(one[1])) for one in commands()])
def test_commands_and_overrides_are_understood(page: str, given: list[str]) -> None:
    group = get_command(app)
    arguments = given if given and given[0] in group.commands else ["all", *given]  # type: ignore[attr-defined]
    command = group
    while hasattr(command, "commands"):
        command = command.commands[arguments.pop(0)]
    parameters = command.make_context("mathderive", arguments).params
    config = existing_or_bundled(parameters.get("config") or Path("configs/quick.yaml"))
    if config.exists():
        assert load_config(config, parameters.get("overrides") or [])


@pytest.mark.parametrize("page", ["README.md", "docs/validity.md"])
def test_a_checked_derivation_is_judged_as_shown(page: str, tmp_path: Path) -> None:
    prompt, command, *shown = block(page, "$ cat prompt.txt").removeprefix("$ cat prompt.txt\n").splitlines()
    words = command.removeprefix("$ ./run.sh ").split()
    (tmp_path / words[1]).write_text(prompt)
    equations = [match[1] for line in shown if (match := re.match(r" +\d+  \w+ +(.*)", line))]
    (tmp_path / words[2]).write_text("\n".join(equations))
    assert run(*words, cwd=tmp_path).stdout.splitlines() == shown


@pytest.mark.parametrize(
    ("page", "beginning"),
    [("docs/open_weights.md", "evaluation:"), ("docs/extending.md", "extends: smoke.yaml")],
)
def test_a_config_that_is_not_run_loads(page: str, beginning: str, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "configs", tmp_path / "configs")
    (tmp_path / "checkpoints").symlink_to(ROOT / "checkpoints")
    (tmp_path / "configs" / "tangent.py").write_text(block("docs/extending.md", "# tangent.py"))
    (tmp_path / "configs" / "mine.yaml").write_text(block(page, beginning))
    # In a process of its own, as an operator stays registered.
    program = "from mathderive.config.loading import *; load_config(Path('configs/mine.yaml'))"
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}, check=True)


def test_a_search_s_state_is_what_the_page_says(tmp_path: Path) -> None:
    code = block("docs/validity.md", "from mathderive.checker.supervised_states")
    command = [sys.executable, "-c", code]
    environment = {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "valid True False\n"


@pytest.mark.slow
@pytest.mark.long
def test_the_server_answers_the_programs_of_its_page(tmp_path: Path) -> None:
    programs = [one.text for one in ALL if one.page == "docs/serving.md" and one.language == "python"]
    asking, sampling, checking = programs
    notation, filling, batch = [one.text for one in ALL if one.page == "docs/serving.md" and "curl " in one.text]
    # Like the page's programs, the server knows no key.
    with serving(
        ROOT / "checkpoints" / "mini", "--api-key-variable", "NO_SUCH_KEY", "--batch-size", "4", tokens=96
    ) as server:

        def executed(*command: str) -> str:
            here = [part.replace("http://127.0.0.1:8000", server.url) for part in command]
            done = subprocess.run(here, cwd=tmp_path, capture_output=True, text=True, timeout=200, check=False)
            assert done.returncode == 0, done.stderr[-3000:]
            return done.stdout

        answer, samples = executed(sys.executable, "-c", asking + sampling).splitlines()
        assert answer.count(" = ") >= 2
        assert len(ast.literal_eval(samples)) == 4
        assert executed(sys.executable, "-c", checking) == "[1.0, 0.0]\n"
        assert executed("bash", "-euc", batch).count('"verified":') == 2
        question = json.loads(executed("bash", "-euc", notation))
        page = (ROOT / "docs" / "serving.md").read_text()
        for equation in (*question["premises"], *question["derive"], question["goal"]):
            assert f"`{equation['text']}`" in page
        assert question["prompt"].startswith("Given ")
        assert json.loads(executed("bash", "-euc", filling))["filled"]["missing"] == [2, 3]
