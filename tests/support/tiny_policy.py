"""Makes a causal language model whose tokens are lines: `python tiny_policy.py FOLDER LINES`.

LINES is a JSON file with a list of pairs: what is asked, and an answer as a list of lines. The model learns each pair
for a second, so that it samples all of the answers.
"""

import json
import sys
from pathlib import Path
from typing import Any

import torch
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

TEMPLATE = "{% for message in messages %}{{ message['content'] }}\n{% endfor %}"
STEPS = 60


def main(folder: Path, pairs: list[tuple[str, list[str]]]) -> None:
    lines = [line + "\n" for asked, answer in pairs for line in (*asked.splitlines(), *answer)]
    vocabulary = {token: number for number, token in enumerate(dict.fromkeys(["<pad>", "<end>", "<unknown>", *lines]))}
    tokens = Tokenizer(models.WordLevel(vocabulary, unk_token="<unknown>"))
    tokens.pre_tokenizer = pre_tokenizers.Split(Regex("\n"), "merged_with_previous")
    tokens.decoder = decoders.Fuse()
    tokenizer: Any = PreTrainedTokenizerFast(
        tokenizer_object=tokens, pad_token="<pad>", eos_token="<end>", unk_token="<unknown>", padding_side="left"
    )
    tokenizer.chat_template = TEMPLATE
    torch.manual_seed(0)
    sizes: Any = {"n_embd": 32, "n_layer": 1, "n_head": 2, "n_positions": 1024}
    model = GPT2LMHeadModel(GPT2Config(vocab_size=len(vocabulary), bos_token_id=1, eos_token_id=1, **sizes))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(STEPS):
        for asked, answer in pairs:
            prompt = tokenizer(asked + "\n")["input_ids"]
            ids = torch.tensor([[*prompt, *(vocabulary[line + "\n"] for line in answer), 1]])
            labels = ids.clone()
            labels[0, : len(prompt)] = -100
            model(input_ids=ids, labels=labels).loss.backward()
            optimizer.step()
            optimizer.zero_grad()
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]), json.loads(Path(sys.argv[2]).read_text(encoding="utf-8")))
