"""The wheel, installed in a fresh environment, away from the checkout."""

import os
import subprocess
import sys
import venv
import zipfile
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

from mathderive.core.extras import LIBRARIES
from tests.support.declared import requirements

ROOT = Path(__file__).resolve().parents[2]
PROMPT = r"Given f{(x)} = \sin{(x)}, then obtain \frac{d}{d x} f{(x)} = \cos{(x)}"
DERIVATION = (
    r"f{(x)} = \sin{(x)} and \frac{d}{d x} f{(x)} = \frac{d}{d x} \sin{(x)} and \frac{d}{d x} f{(x)} = \cos{(x)}"
)

USE_OF_THE_CORE = f"""
import mathderive
if __name__ == "__main__":
    assert mathderive.check({PROMPT!r}, {DERIVATION!r}).verified
    example, = mathderive.generate(1, seed=3)
    scores = mathderive.score([(example, example.target)])
    assert scores[0].rouge2 == 1 and scores[0].validity.verified
    try:
        mathderive.load_model("checkpoints/mini")
    except ModuleNotFoundError as error:
        assert "pip install 'mathderive[train]'" in str(error), error
    else:
        raise AssertionError("a model without JAX")
"""

SHORT = (
    "data.sizes={train: 20, validation: 4, static: 4}",
    *(f"training.{key}=2" for key in ("steps", "evaluate_every", "validation_examples", "checkpoint_every")),
    "evaluation.examples=2",
)
"""Overrides for a run of seconds."""


def run_outside(folder: Path, *command: str | Path, code: int = 0) -> "subprocess.CompletedProcess[str]":
    """Runs a command in an empty folder, with nothing that points to the checkout."""
    environment = {name: text for name, text in os.environ.items() if name not in ("PYTHONPATH", "MATHDERIVE_SHARED")}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=400)
    assert done.returncode == code, done.stdout + done.stderr
    return done


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build = ["wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), str(ROOT)]
    subprocess.run([sys.executable, "-m", "pip", *build], check=True)
    return next(folder.glob("mathderive-*.whl"))


@pytest.mark.slow
def test_the_wheel_has_the_configs_and_the_checkpoint_and_no_tests(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {"mathderive/bundled/configs/quick.yaml", "mathderive/bundled/checkpoints/mini/model.safetensors"} <= {
        *names
    }
    assert {name.partition("/")[0].partition("-")[0] for name in names} == {"mathderive", "tfds_builders"}


@pytest.mark.slow
def test_the_core_checks_generates_and_scores_in_a_fresh_environment(wheel: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "env", with_pip=True)
    python, command = tmp_path / "env/bin/python", tmp_path / "env/bin/mathderive"
    subprocess.run([python, "-m", "pip", "install", "--quiet", wheel], check=True, timeout=500)
    empty = tmp_path / "empty"
    empty.mkdir()
    run_outside(empty, python, "-c", USE_OF_THE_CORE)
    assert "premise" in run_outside(empty, command, "data", "--show", "1").stdout
    for name in ("train", "eval", "serve", "report"):
        refused = run_outside(empty, command, name, code=2).stderr
        assert "pip install 'mathderive[" in refused
        assert refused.count("\n") == 1
    assert "for a checkout" in run_outside(empty, command, "test", code=2).stderr
    assert list(empty.iterdir()) == []
    (empty / "prompt.txt").write_text(PROMPT)
    (empty / "derivation.txt").write_text(DERIVATION)
    assert "verified" in run_outside(empty, command, "check", "prompt.txt", "derivation.txt").stdout


@pytest.mark.slow
@pytest.mark.long
def test_with_all_libraries_the_wheel_trains_and_scores(wheel: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "env", with_pip=True)
    python = tmp_path / "env/bin/python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", "--no-deps", wheel], check=True, timeout=300)
    packages = next((tmp_path / "env/lib").glob("python3*/site-packages"))
    # The libraries of this environment, but not this environment's own link to the checkout.
    (packages / "libraries.pth").write_text(str(Path(pytest.__file__).parents[1]))
    empty = tmp_path / "empty"
    empty.mkdir()
    load = (
        "import mathderive; print(mathderive.load_model('checkpoints/mini').derive('Given a = b, then obtain b = a'))"
    )
    assert "=" in run_outside(empty, python, "-c", load).stdout
    command = tmp_path / "env/bin/mathderive"
    trained = run_outside(empty, command, "train", "--config", "configs/smoke.yaml", *SHORT, "--quiet")
    assert trained.stderr == ""
    assert (empty / trained.stdout.strip() / "t5" / "config.json").is_file()
    evaluated = run_outside(empty, command, "eval", "--config", "configs/smoke.yaml", *SHORT)
    assert (empty / evaluated.stdout.strip()).is_file()


def test_every_library_is_said_to_be_in_the_extra_that_installs_it() -> None:
    for extra, modules in LIBRARIES.items():
        names = {canonicalize_name(one.name) for one in requirements([extra])}
        for module in modules:
            assert canonicalize_name({"orbax": "orbax-checkpoint", "jaxlib": "jax"}.get(module, module)) in names


def test_the_metadata_name_authors_and_addresses() -> None:
    metadata = distribution("mathderive").metadata
    assert metadata["Author"]
    assert metadata["Project-URL"]
