"""Says for every code block of the documentation which test runs it, or why none does.

A key of a page is how a block begins, or a language for all blocks in it. A value is the file of the test that runs the
block, or the reason why it is not run.
"""

from collections.abc import Mapping

HERE = "tests/repository/test_code_blocks.py"

PARSED = "not run: it takes long or needs files; but its commands and overrides are parsed"
OUTPUT = "not run: it shows files, or what a command prints"
CLOUD = "not run: it needs an accelerator, a cluster or a cloud"
IMAGES = "not run: it needs a Docker engine; tests/containers runs commands like these"
INSTALLS = "not run: it installs packages or starts a program that is not part of the kit"
DATASETS = "not run: it needs datasets; tests/tfds_builders/test_export.py loads a folder in the same way"
PYTORCH = "not run: it needs PyTorch; tests/training/test_conversion.py compares such folders where it is installed"

BLOCKS: Mapping[str, Mapping[str, str]] = {
    "README.md": {"$ cat prompt.txt": HERE, "docker compose up": PARSED, "./run.sh eval": PARSED},
    "CONTRIBUTING.md": {"./run.sh lint": PARSED},
    "checkpoints/mini/README.md": {"./run.sh eval": PARSED},
    "docs/api.md": {"```python": "tests/api/test_api_docs.py", "```text": "tests/api/test_api_docs.py"},
    "docs/architecture.md": {" configs/NAME.yaml": OUTPUT, "runs/NAME/": OUTPUT},
    "docs/baselines.md": {
        "```yaml": "tests/config/test_config.py",
        "OPENAI_API_KEY=... ./run.sh": PARSED,
        "./run.sh": PARSED,
    },
    "docs/checkpoints.md": {"./run.sh": PARSED, "from transformers": PYTORCH},
    "docs/configuration.md": {"```yaml": "tests/config/test_reference.py", "./run.sh": PARSED},
    "docs/data.md": {
        "./run.sh export": PARSED,
        "./run.sh --config": PARSED,
        "from datasets": DATASETS,
        "```python": "tests/tfds_builders/test_tfds.py",
        "```text": "tests/tfds_builders/test_tfds.py",
    },
    "docs/docker.md": {"MATHDERIVE_CONFIG=": IMAGES, "docker": IMAGES},
    "docs/extending.md": {
        "# tangent.py": "tests/symbolic/engine/test_added_operator.py",
        "extends: smoke.yaml": HERE,
        "from collections import Counter": "tests/metrics/test_added_metric.py",
        "extensions: [character_recall.py]": "tests/metrics/test_added_metric.py",
        "from collections.abc": "tests/predictors/test_registry.py",
        "extensions: [endpoints.py]": "tests/predictors/test_registry.py",
        "import random": "tests/tfds_builders/test_added_set.py",
        "extensions: [premise_reversal.py]": "tests/tfds_builders/test_added_set.py",
    },
    "docs/gpu.md": {
        "data: begins": OUTPUT,
        "train: process 0": OUTPUT,
        "mathderive: ": OUTPUT,
        "docker": IMAGES,
        "./run.sh": PARSED,
        "export ": PARSED,
        "CUDA_VISIBLE_DEVICES": PARSED,
        "#!/bin/bash": CLOUD,
        "python benchmarks": CLOUD,
    },
    "docs/installation.md": {"pip install": INSTALLS},
    "docs/open_weights.md": {"python -m venv": INSTALLS, "./run.sh": PARSED, "evaluation:": HERE},
    "docs/scaling.md": {"./run.sh": PARSED, ".venv-beam": INSTALLS, "FROM ": IMAGES},
    "docs/self_training.md": {"```yaml": "tests/config/test_config.py", "runs/NAME/": OUTPUT},
    "docs/serving.md": {"./run.sh": PARSED, "```python": HERE, "curl": HERE, "MODEL=": INSTALLS},
    "docs/statistics.md": {"jq": OUTPUT, "./run.sh": PARSED},
    "docs/tpu.md": {
        "data: begins": OUTPUT,
        "train: 4 processes": OUTPUT,
        "mathderive: ": OUTPUT,
        "export ZONE": CLOUD,
        "gcloud": CLOUD,
        "sudo apt-get": CLOUD,
    },
    "docs/validity.md": {"$ cat prompt.txt": HERE, "```python": HERE},
    "docs/verifiers.md": {
        "mathderive export": PARSED,
        "```python": "tests/integrations/test_kits.py",
        "```text": "tests/integrations/test_kits.py",
        "```bash": "tests/integrations/test_kits.py",
    },
}
