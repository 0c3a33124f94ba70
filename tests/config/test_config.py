"""Configs: a written config reads back the same, and an error names the wrong key."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mathderive.config.loading import dump_config, load_config
from mathderive.core.errors import InputError

ROOT = Path(__file__).parents[2]
CONFIGS = sorted((ROOT / "configs").rglob("*.yaml"))

WHOLE = """
data: {sizes: {train: 10, validation: 2, static: 5}}
model: {}
training: {batch_size: 4, steps: 10, learning_rate: 5e-5}
predictors:
  - kind: copy
  - {kind: openai, name: gpt, model: gpt-4}
"""


@pytest.fixture
def config_file(tmp_path: Path) -> Path:
    path = tmp_path / "mine.yaml"
    path.write_text(WHOLE, encoding="utf-8")
    return path


def test_the_run_is_named_after_its_file(config_file: Path) -> None:
    assert load_config(config_file).run.name == "mine"
    assert load_config(config_file, ["run.name=other"]).run.name == "other"


def test_scientific_notation_is_a_number(config_file: Path) -> None:
    # YAML 1.1, which PyYAML follows, reads 5e-5 as text.
    for overrides, expected in (([], 5e-5), (["training.learning_rate=1E3"], 1000)):
        training = load_config(config_file, overrides).training
        assert training is not None
        assert training.learning_rate == expected


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_a_resolved_config_reads_back(path: Path, tmp_path: Path) -> None:
    config = load_config(path)
    copy = tmp_path / "copy.yaml"
    copy.write_text(dump_config(config), encoding="utf-8")
    assert load_config(copy) == config


def test_the_configs_in_the_docs_load(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "baselines.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```yaml\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert len(blocks) == 2
    for block in blocks:
        path = tmp_path / "mine.yaml"
        path.write_text(block.replace("configs/", f"{ROOT}/configs/"), encoding="utf-8")
        assert any(model.kind == "openai" for model in load_config(path).predictors)


def test_overrides_reach_into_lists(config_file: Path) -> None:
    config = load_config(config_file, ["predictors.1.temperature=null", "data.sizes.train=99"])
    assert config.predictors[1].model_dump()["temperature"] is None
    assert config.data is not None
    assert config.data.sizes.train == 99


@pytest.mark.parametrize(
    ("override", "named"),
    [
        ("training.learning_rat=1", "training.learning_rat: unknown key; did you mean learning_rate?"),
        ("predictors.1.temprature=1", "predictors.1.temprature: unknown key; did you mean temperature?"),
        ("data.sampling.vocabulry=1", "data.sampling.vocabulry: unknown key; did you mean vocabulary?"),
        ("training.batch_size='4'", 'training.batch_size: expected a valid integer, got "4"'),
        ("training.batch_size=0", "training.batch_size: expected greater than or equal to 1, got 0"),
        ("training.learning_rate=.nan", "training.learning_rate: expected a finite number"),
        ("training.epochs=3", "training: exactly one of steps and epochs is expected"),
        ("run.name=../x", "run.name: "),
        ("run.seed.x=1", "run.seed"),
        ("predictors.1.parameters.temperature=1", "predictors.1.parameters: temperature is a key of the predictor"),
        ("predictors.1.parameters.stream=1", "predictors.1.parameters: stream is not the config's to choose"),
        ("predictors.1.parameters.max_completion_tokens=0", "max_completion_tokens: expected a whole number"),
        ("predictors.1.max_cost=1", "predictors.1: max_cost needs prompt_price and completion_price"),
        ("training", "expected key.sub=value"),
        ("predictors.9.name=x", "expected an index below 2"),
        ("run=[1", "run: not valid YAML"),
    ],
)
def test_a_wrong_override_is_named(config_file: Path, override: str, named: str) -> None:
    with pytest.raises(InputError) as caught:
        load_config(config_file, [override])
    message = str(caught.value)
    assert message.startswith("command line: ")
    assert named in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("trainig: {}", "trainig: unknown key; did you mean training?"),
        ("run: {seed: 1}\nrun: {seed: 2}", "'run' is given twice"),
        ("- a", "expected a mapping"),
        ("run: {seed: 2020-01-01}", "expected numbers, text, lists and mappings only"),
        ("run: {seed: !!python/object:os.system {}}", "not valid YAML"),
        ("[" * 10_000, "not valid YAML"),
    ],
)
def test_a_wrong_file_is_named(tmp_path: Path, text: str, named: str) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as caught:
        load_config(path)
    assert str(caught.value).startswith(str(path))
    assert named in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such config file"):
        load_config(tmp_path / "none.yaml")


@given(st.text(max_size=60))
def test_no_override_ends_in_anything_but_a_config_or_one_line(text: str) -> None:
    try:
        load_config(CONFIGS[0], [text])
    except InputError as error:
        assert "\n" not in str(error)


def write(folder: Path, **files: str) -> None:
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")


HASH = "0123456789abcdef" * 4
BASE = f"""
data: {{sizes: {{train: 7, validation: 2, static: 3}}, expected_content_hash: {HASH}}}
predictors: [{{kind: copy}}]
report: {{title: below, examples: 3}}
"""


def test_a_file_extends_another_section_by_section(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    write(tmp_path, base=BASE)
    write(tmp_path / "sub", middle="extends: ../base.yaml\nreport: {title: middle}", top="extends: middle.yaml")
    config = load_config(tmp_path / "sub" / "top.yaml")
    assert config.run.name == "top"
    assert config.data == load_config(tmp_path / "base.yaml").data
    assert (config.report.title, config.report.examples) == ("middle", 3)


@pytest.mark.parametrize(
    ("above", "overrides", "expected"),
    [
        ("report: {title: other}", [], HASH),
        ("data: {workers: 1}", ["data.workers=2"], HASH),
        ("data: {sizes: {train: 8}}", [], None),
        ("run: {seed: 1}", [], None),
        (f"data: {{leak_free: false, expected_content_hash: {HASH[::-1]}}}", [], HASH[::-1]),
        ("report: {title: other}", ["data.sampling.length_max=8"], None),
        ("report: {title: other}", ["run.seed=1"], None),
        ("report: {title: other}", ["run.seed=1", f"data.expected_content_hash={HASH[::-1]}"], HASH[::-1]),
    ],
)
def test_a_hash_is_expected_of_the_examples_it_was_written_for(
    tmp_path: Path, above: str, overrides: list[str], expected: str | None
) -> None:
    write(tmp_path, base=BASE, top=f"extends: base.yaml\n{above}")
    data = load_config(tmp_path / "top.yaml", overrides).data
    assert data is not None
    assert data.expected_content_hash == expected


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("extends: 3", "top.yaml: extends: expected the path"),
        ("extends: none.yaml", r"top.yaml: extends: .*none.yaml: no such config file"),
        ("extends: top.yaml", "top.yaml: extends: top.yaml extends this file again"),
        ("extends: round.yaml", "round.yaml: extends: top.yaml extends this file again"),
    ],
)
def test_a_wrong_extension_is_named(tmp_path: Path, text: str, named: str) -> None:
    write(tmp_path, top=text, round="extends: top.yaml")
    with pytest.raises(InputError, match=named):
        load_config(tmp_path / "top.yaml")
