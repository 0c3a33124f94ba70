"""docs/configuration.md has every key of the tree, with its meaning, and its examples are configs."""

import re
from pathlib import Path

import yaml

from mathderive.config.loading import dump_config, load_config
from mathderive.config.reference import updated_page
from mathderive.predictors.registry import PREDICTORS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)


def test_the_page_is_up_to_date() -> None:
    assert updated_page(PAGE) == PAGE, "run: ./run.sh docs --update"


def test_the_page_explains_every_key_of_a_whole_config() -> None:
    tables = {
        section.partition("\n")[0]: dict(re.findall(r"(?m)^\| `(\w+)` \|.*\|([^|]*)\|$", section))
        for section in re.split(r"(?m)^##+ ", PAGE)[1:]
    }
    whole = load_config(ROOT / "configs" / "self_training.yaml", ["score.bleurt.checkpoint=bleurt"])

    def expect(name: str, tree: dict[str, object]) -> None:
        assert tables[name].keys() == tree.keys()
        assert all(meaning.strip() for meaning in tables[name].values()), tables[name]
        for key, value in tree.items():
            if isinstance(value, dict) and key != "operator_weights":
                expect(key if name == "Sections" else f"{name}.{key}", value)

    expect("Sections", yaml.safe_load(dump_config(whole)))
    for kind, entry in PREDICTORS.items():
        assert tables[kind].keys() == entry.settings.model_fields.keys()
        assert all(meaning.strip() for meaning in tables[kind].values()), kind


def test_the_examples_are_configs(tmp_path: Path) -> None:
    small, extending, released = EXAMPLES
    (tmp_path / "small.yaml").write_text(small, encoding="utf-8")
    config = load_config(tmp_path / "small.yaml")
    assert config.training
    assert [entry.kind for entry in config.predictors] == ["t5", "copy"]
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    (tmp_path / "mine.yaml").write_text(extending, encoding="utf-8")
    extended, quick = load_config(tmp_path / "mine.yaml"), load_config(ROOT / "configs" / "quick.yaml")
    assert extended.run.name == "longer"
    assert extended.training
    assert quick.training
    assert extended.training == quick.training.model_copy(update={"steps": 600})
    assert extended.data == quick.data
    (tmp_path / "released.yaml").write_text(released, encoding="utf-8")
    evaluation = load_config(tmp_path / "released.yaml").evaluation
    assert evaluation.source == "released"
    assert evaluation.released == (str(tmp_path / "DIR"),)


def test_the_overrides_are_accepted() -> None:
    for line in re.findall(r"(?m)^\./run\.sh --config (configs/quick\.yaml .*)$", PAGE):
        file, *overrides = (word.strip("'") for word in re.findall(r"'[^']*'|[^\s']+", line.partition(" #")[0]))
        assert load_config(ROOT / file, overrides)
