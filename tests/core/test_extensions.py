"""Extension files: loaded once, known to worker processes, refused in one line."""

import os
import sys
from pathlib import Path

import pytest

from mathderive.config.loading import load_config
from mathderive.core import extensions
from mathderive.core.errors import InputError
from mathderive.core.workers import WorkerProcess


@pytest.fixture(autouse=True)
def nothing_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extensions, "_digests", {})
    monkeypatch.setenv(extensions.VARIABLE, "")


def loaded_modules(_: int) -> list[str]:
    return [name for name in sys.modules if name.startswith("mathderive_extension_")]


def test_a_config_s_extensions_are_loaded_once_and_in_worker_processes(tmp_path: Path) -> None:
    (tmp_path / "counted.py").write_text(
        "import os\nos.environ['LOADED'] = os.environ.get('LOADED', '') + 'x'\n", encoding="utf-8"
    )
    (tmp_path / "run.yaml").write_text("extensions: [counted.py]\n", encoding="utf-8")
    os.environ.pop("LOADED", None)
    for _ in range(2):
        assert load_config(tmp_path / "run.yaml").extensions == (str(tmp_path / "counted.py"),)
    assert os.environ.pop("LOADED") == "x"
    assert list(extensions.extension_digests()) == ["counted.py"]
    worker = WorkerProcess(loaded_modules)
    assert worker.run([0]).results == [["mathderive_extension_counted"]]
    worker.stop()


def test_a_config_without_extensions_inherits_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "inherited.py").write_text("", encoding="utf-8")
    (tmp_path / "run.yaml").write_text("run: {seed: 1}\n", encoding="utf-8")
    monkeypatch.setenv(extensions.VARIABLE, str(tmp_path / "inherited.py"))
    load_config(tmp_path / "run.yaml")
    worker = WorkerProcess(loaded_modules)
    assert worker.run([0]).results == [[]]
    worker.stop()


@pytest.mark.parametrize(
    ("text", "expected"),
    [(None, "no such file"), ("1 +", "raises SyntaxError"), ("import no_such_module", "raises ModuleNotFoundError")],
)
def test_an_extension_that_cannot_be_loaded_is_one_line(tmp_path: Path, text: str | None, expected: str) -> None:
    if text is not None:
        (tmp_path / "broken.py").write_text(text, encoding="utf-8")
    (tmp_path / "run.yaml").write_text("extensions: [broken.py]\n", encoding="utf-8")
    with pytest.raises(InputError, match=expected) as caught:
        load_config(tmp_path / "run.yaml")
    assert str(tmp_path / "broken.py") in str(caught.value)
    assert "\n" not in str(caught.value)
