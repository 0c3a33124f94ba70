"""Configs: a written config reads back the same, and an error names the wrong key."""

import json
import os
import re
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mathderive.config.loading import dump_config, load_config
from mathderive.core.errors import InputError

ROOT = Path(__file__).parents[2]
CONFIGS = sorted((ROOT / "configs").rglob("*.yaml"))

SECONDS_TO_REFUSE = 8.0
"""CPU time within which any config is read or refused; nearly all take less than a tenth of a second."""

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


def test_paths_are_relative_to_the_file_that_has_them_and_those_of_overrides_to_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep, here = tmp_path / "configs" / "deep", tmp_path / "here"
    for folder in (deep, here, tmp_path / "configs" / "model", here / "model"):
        folder.mkdir(parents=True)
    predictors = "predictors: [{kind: t5, checkpoint: ../model}, {kind: t5, checkpoint: google/flan-t5-base, name: b}]"
    (tmp_path / "configs" / "base.yaml").write_text(WHOLE + "evaluation: {source: released, released: [files]}")
    (deep / "mine.yaml").write_text(f"extends: ../base.yaml\n{predictors}")
    monkeypatch.chdir(here)
    config = load_config(deep / "mine.yaml", ["model.init_from=model"])
    assert config.evaluation.released == (str(tmp_path / "configs" / "files"),)
    assert [entry.model_dump()["checkpoint"] for entry in config.predictors] == [
        str(tmp_path / "configs" / "model"),
        "google/flan-t5-base",
    ]
    assert config.model is not None
    assert config.model.init_from == "model"
    resolved = tmp_path / "runs" / "mine" / "config.yaml"
    resolved.parent.mkdir(parents=True)
    resolved.write_text(dump_config(config))
    assert load_config(resolved).model_dump() == config.model_dump()


def test_an_absolute_path_means_the_same_once_the_checkpoint_is_gone(
    tmp_path: Path, config_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint = tmp_path / "start"
    monkeypatch.chdir(tmp_path)
    checkpoint.mkdir()
    before = load_config(config_file, [f"model.init_from={checkpoint}"])
    checkpoint.rmdir()
    assert load_config(config_file, [f"model.init_from={checkpoint}"]) == before


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
    assert len(blocks) == 4
    for block in blocks:
        path = tmp_path / "mine.yaml"
        path.write_text(block.replace("configs/", f"{ROOT}/configs/"), encoding="utf-8")
        assert any(model.kind in ("openai", "search", "engine") for model in load_config(path).predictors)


def test_the_config_of_self_training_in_the_docs_loads(tmp_path: Path) -> None:
    (block,) = re.findall(
        r"^```yaml\n(.*?)^```",
        (ROOT / "docs" / "self_training.md").read_text(encoding="utf-8"),
        re.MULTILINE | re.DOTALL,
    )
    path = tmp_path / "mine.yaml"
    path.write_text(block.replace("configs/", f"{ROOT}/configs/"), encoding="utf-8")
    assert load_config(path).self_training == load_config(ROOT / "configs" / "self_training.yaml").self_training


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


def refused(path: Path, overrides: list[str] | None = None) -> str:
    """Checks that a config is refused, within bounds of time and in one line, which is returned."""
    begun = time.process_time()
    with pytest.raises(InputError) as caught:
        load_config(path, overrides or [])
    assert time.process_time() - begun < SECONDS_TO_REFUSE
    line = str(caught.value)
    assert line.isprintable()
    assert len(line) < 3_000
    return line


LAUGHS = "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 10))
MAPS = "".join(f"b{n}: &b{n} {{x: *b{n - 1}, y: *b{n - 1}}}\n" for n in range(1, 40))


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("report: {title: x" + "x" * 2**20 + "}", "bytes; expected at most 1048576"),
        ("a0: &a0 [x]\n" + LAUGHS, "at most 10000 keys and values"),
        ("b0: &b0 {x: 1}\n" + MAPS, "at most 10000 keys and values"),
        (f"a: &a {'x' * 10_000}\nb: [{', '.join(['*a'] * 1_000)}]", "1048576 characters together"),
        ("".join(f"key{n}: 1\n" for n in range(50_000)), "at most 10000 keys and values"),
        ("run: &a {x: *a}", "the anchor a contains itself"),
        ("run: &a [[*a]]", "the anchor a contains itself"),
        ("run: *none", "undefined alias"),
        ("run: " + "[" * 33 + "]" * 33, "a depth of at most 32"),
        ("".join(" " * n + "a:\n" for n in range(40)), "a depth of at most 32"),
        ("run: {seed: " + "1" * 5_000 + "}", "a number of 5000 characters"),
        ("run: {seed: 0x" + "f" * 5_000 + "}", "a number of 5002 characters"),
        ("run: {seed: 1" + ":1" * 5_000 + "}", "a number of 10001 characters"),
        ("run: {seed: " + "1" * 200_000 + "}", "a number of 200000 characters"),
        ("run: {seed: !!int ''}", "the tag tag:yaml.org,2002:int is not allowed"),
        ("run: {seed: !!bool maybe}", "is not allowed"),
        ("run: {seed: !!timestamp never}", "is not allowed"),
        ("run: {seed: !!set {1}}", "is not allowed"),
        ('report: {title: "\\ud800"}', "half a surrogate pair"),
        ('report: {title: "\\Uffffffff"}', "not valid YAML"),
        ('"\\e[2J\\u202e": 1', r"\x1b[2J\u202e: unknown key"),
        ("? " + "k" * 100_000 + "\n: 1", "unknown key"),
        ("training: {batch_size: 1, learning_rate: .inf, steps: 1}", "training.learning_rate: "),
        ("model: {d_model: 1000000000}", "model: d_model: expected an integer from 1 to"),
    ],
    ids=range(24),
)
def test_a_hostile_text_is_refused_at_once(tmp_path: Path, text: str, named: str) -> None:
    write(tmp_path, top=text)
    line = refused(tmp_path / "top.yaml")
    assert line.startswith(str(tmp_path / "top.yaml"))
    assert named in line


def test_a_number_with_a_million_digits_before_text_is_read_in_linear_time(tmp_path: Path) -> None:
    write(tmp_path, top="report: {title: " + "1" * 1_000_000 + "x}")
    begun = time.process_time()
    load_config(tmp_path / "top.yaml")
    assert time.process_time() - begun < SECONDS_TO_REFUSE


def test_an_alias_is_a_copy(tmp_path: Path) -> None:
    text = "predictors: [&p {kind: openai, name: one, model: m, parameters: {x: 1}}, *p]"
    write(tmp_path, top="data: {sizes: {train: 1, validation: 1, static: 1}}\n" + text)
    config = load_config(tmp_path / "top.yaml", ["predictors.1.name=two", "predictors.1.parameters.x=2"])
    names = [(entry.model_dump()["name"], entry.model_dump()["parameters"]) for entry in config.predictors]
    assert names == [("one", {"x": 1}), ("two", {"x": 2})]


@pytest.mark.parametrize(
    ("extends", "named"),
    [
        ("pipe", "found a named pipe"),
        ("/dev/zero", "found a device"),
        ("link", "found a device"),
        ("loop", "Too many levels of symbolic links"),
        (".", "found a folder"),
        ("n" * 300, "File name too long"),
        ('"a\\0b"', "cannot be read"),
        ("large.yaml", "large.yaml: it has 1048577 bytes; expected at most 1048576"),
        ("latin.yaml", "latin.yaml: not UTF-8"),
        ("chain0.yaml", "expected a chain of at most 16 files"),
    ],
    ids=["fifo", "device", "link", "loop", "folder", "long", "nul", "large", "latin", "chain"],
)
def test_a_file_that_is_no_config_is_not_waited_for(tmp_path: Path, extends: str, named: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("/dev/zero")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "large.yaml").write_bytes(b"#" * (2**20 + 1))
    (tmp_path / "latin.yaml").write_bytes(b"\xff")
    write(tmp_path, **{f"chain{n}": f"extends: chain{n + 1}.yaml" for n in range(2_000)})
    write(tmp_path, top=f"extends: {extends}")
    assert named in refused(tmp_path / "top.yaml")


@pytest.mark.parametrize("kind", ["fifo", "device", "long", "NUL", "latin"])
def test_the_config_itself_is_a_regular_file(tmp_path: Path, kind: str) -> None:
    os.mkfifo(tmp_path / "fifo")
    places = {"device": "/dev/zero", "long": "n" * 300 + ".yaml", "NUL": "\0.yaml", "latin": os.fsdecode(b"\xff.yaml")}
    refused(tmp_path / places.get(kind, kind))


@pytest.mark.parametrize(
    ("override", "named"),
    [
        ("predictors.²=1", "expected an index below 2"),
        ("predictors.٣.name=x", "expected an index below 2"),
        (f"predictors.{'1' * 5_000}=1", "expected an index below 2"),
        (f"{'a.' * 1_000}a=1", "expected a key of at most 32 parts"),
        ("run.se\0ed=1", "expected key.sub=value"),
        ("run.\udcff=1", "expected key.sub=value"),
        ("run.seed=" + "9" * 5_000, "a number of 5000 characters"),
        ("report.title=\udcff", "not valid YAML"),
    ],
    ids=range(8),
)
def test_a_hostile_override_is_refused_at_once(config_file: Path, override: str, named: str) -> None:
    assert named in refused(config_file, [override])


@pytest.mark.parametrize("name", ["...yaml", "....yaml", "-x.yaml", " .yaml", "a b.yaml", "n" * 65 + ".yaml", "é.yaml"])
def test_a_file_s_name_is_a_run_s_name_under_the_same_rule(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("{}", encoding="utf-8")
    assert "cannot name a run folder" in refused(tmp_path / name)
    assert load_config(tmp_path / name, ["run.name=mine"]).run.name == "mine"


@pytest.mark.parametrize(
    "name", ["a:b.py", "a\nb.py", "a\0b.py", "n" * 300 + ".py", "loop.py", "folder.py", "exits.py"]
)
def test_an_extension_that_is_no_usable_file_is_refused(tmp_path: Path, name: str) -> None:
    for usual in ("a:b.py", "a\nb.py"):
        (tmp_path / usual).touch()
    (tmp_path / "loop.py").symlink_to("loop.py")
    (tmp_path / "folder.py").mkdir()
    (tmp_path / "exits.py").write_text("raise SystemExit(0)", encoding="utf-8")
    write(tmp_path, top=json.dumps({"extensions": [name]}))
    assert refused(tmp_path / "top.yaml").startswith(f"{tmp_path}/")
