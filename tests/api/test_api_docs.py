"""Every example of docs/api.md, as a script without a guard, prints what the page shows."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import mathderive
from tests.support.command import COMPILED

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```\n(?:\n```text\n(.*?)```)?", PAGE, re.DOTALL)


@pytest.mark.slow
@pytest.mark.parametrize(("code", "shown"), BLOCKS, ids=range(len(BLOCKS)))
def test_an_example_prints_what_the_page_shows(tmp_path: Path, code: str, shown: str) -> None:
    script = tmp_path / "example.py"
    script.write_text(code, encoding="utf-8")
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), **COMPILED}
    done = subprocess.run(
        [sys.executable, script], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert (done.stdout, done.returncode) == (shown, 0), done.stderr[-3000:]


def test_every_example_shows_what_it_prints() -> None:
    assert len(BLOCKS) == PAGE.count("```python") >= 6
    assert all(shown for _, shown in BLOCKS)


def test_the_page_names_every_public_name() -> None:
    for name in mathderive.__all__:
        assert re.search(rf"\b{name}\b", PAGE), name
        assert getattr(mathderive, name).__doc__, name
