"""The config for vLLM asks as the authors asked their adapter."""

from pathlib import Path

import jinja2
import yaml

from tests.predictors.test_faulty_endpoint import Place
from tests.support.chat_server import ChatServer

CONFIGS = Path(__file__).parents[2] / "configs"


def test_the_adapter_and_the_model_below_it_are_asked(server: ChatServer, tmp_path: Path) -> None:
    place = Place(tmp_path, server.url, rows=1)
    own = yaml.safe_load((tmp_path / "chat.yaml").read_text())
    config = yaml.safe_load((CONFIGS / "open_weights.yaml").read_text())
    for entry in config["predictors"][:2]:
        assert entry["base_url"] == "http://localhost:8000/v1"
        entry["base_url"] = server.url
    config["predictors"][1]["few_shot"] = 0  # the file of this test has no worked examples
    config["evaluation"] = own["evaluation"]
    (tmp_path / "chat.yaml").write_text(yaml.safe_dump(config))
    ended = place.run("predict", key="")
    assert ended.stderr.count("derivation-8b: warning: ") == 1  # the test's server counts 7 tokens in any prompt
    asked = [request for request in server.requests if request["model"] == "derivations"]
    below = [request for request in server.requests if request["model"] != "derivations"]
    assert len(asked) == len(below) == 5
    assert {(request["temperature"], request["max_tokens"]) for request in asked} == {(0, 400)}
    assert all(request["messages"][0]["content"].startswith("Given ") for request in asked)
    assert all(len(request["messages"]) == 1 for request in server.requests)
    assert {request["headers"]["Authorization"] for request in server.requests} == {None}


def test_the_template_is_chatml() -> None:
    template = jinja2.Environment(trim_blocks=True, lstrip_blocks=True).from_string(
        (CONFIGS / "chatml.jinja").read_text()
    )
    messages = [{"role": "user", "content": "Given x"}, {"role": "assistant", "content": "x = 1"}]
    written = template.render(messages=messages[:1], add_generation_prompt=True, eos_token="<|im_end|>")
    assert written == "<|im_start|>user\nGiven x<|im_end|>\n<|im_start|>assistant\n"
    trained = template.render(messages=messages, add_generation_prompt=False, eos_token="<|im_end|>")
    assert trained == "<|im_start|>user\nGiven x<|im_end|>\n<|im_start|>assistant\nx = 1<|im_end|>\n"
