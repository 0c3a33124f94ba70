"""lm-evaluation-harness, from an environment of its own, evaluates the served model."""

import json
import os
import subprocess
from pathlib import Path

import openai
import pytest
import yaml

from tests.support import tiny_training
from tests.support.kits import kits_folder
from tests.support.served import KEY, Served

TASK = {
    "task": "served_derivations",
    "dataset_path": "json",
    "test_split": "test",
    "output_type": "generate_until",
    "doc_to_text": "{{prompt}}",
    "doc_to_target": "{{target}}",
    "generation_kwargs": {"until": ["\n\n"], "max_gen_toks": 64, "temperature": 0},
    "metric_list": [{"metric": "exact_match", "aggregation": "mean", "higher_is_better": True}],
}


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.timeout(1500)
def test_local_chat_completions_scores_the_served_model(
    served: Served, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    lm_eval = kits_folder(tmp_path_factory) / "lm_eval"
    prompts = [prompt for prompt, _ in tiny_training.PAIRS[:4]]
    with openai.OpenAI(base_url=f"{served.url}/v1", api_key=KEY, max_retries=0) as client:
        answers = [
            client.chat.completions.create(model="tiny", messages=[{"role": "user", "content": prompt}])
            for prompt in prompts
        ]
    targets = [answer.choices[0].message.content for answer in answers[:3]] + ["another text"]
    rows = [{"prompt": prompt, "target": target} for prompt, target in zip(prompts, targets, strict=True)]
    (tmp_path / "rows.json").write_text("\n".join(map(json.dumps, rows)))
    (tmp_path / "tasks").mkdir()
    task = {**TASK, "dataset_kwargs": {"data_files": {"test": str(tmp_path / "rows.json")}}}
    (tmp_path / "tasks" / "task.yaml").write_text(yaml.safe_dump(task))
    arguments = f"model=tiny,base_url={served.url}/v1/chat/completions,num_concurrent=2,max_retries=1"
    result = subprocess.run(
        [lm_eval, "--model", "local-chat-completions", "--model_args", arguments, "--apply_chat_template",
         "--system_instruction", "Derive.", "--tasks", "served_derivations", "--include_path", tmp_path / "tasks",
         "--output_path", tmp_path / "out"],
        cwd=tmp_path,
        env={**os.environ, "OPENAI_API_KEY": KEY, "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "hf")},
        capture_output=True,
        text=True,
        timeout=300,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr[-3000:]
    (file,) = (tmp_path / "out").rglob("results_*.json")
    scores = json.loads(file.read_text())["results"]["served_derivations"]
    print(scores)
    assert scores["exact_match,none"] == 0.75
