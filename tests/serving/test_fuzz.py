"""The server keeps to its own OpenAPI description, from which schemathesis generates requests."""

import json
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from tests.support.served import Served

pytest.importorskip("schemathesis")


@pytest.mark.slow
@pytest.mark.long
def test_no_generated_request_breaks_the_server(served: Served, tmp_path: Path) -> None:
    with urllib.request.urlopen(f"{served.url}/openapi.json", timeout=60) as response:
        description = json.load(response)
    # Otherwise most requests would name an unknown model and get no further.
    description["components"]["schemas"]["ChatRequest"]["properties"]["model"] = {"enum": ["tiny", "another"]}
    (tmp_path / "openapi.json").write_text(json.dumps(description))
    # A batch with too many derivations may also be too large a body.
    refused = [400, 401, 403, 404, 405, 406, 409, 413, 415, 422, 428, 429]
    settings = f"[checks]\nnegative_data_rejection.expected-statuses = {[*map(str, refused), '5xx']}\n"
    (tmp_path / "schemathesis.toml").write_text(settings)
    arguments = [f"--url={served.url}", f"--header=Authorization: {served.headers['Authorization']}"]
    # The limits on a prompt's tokens and on `n` cannot be expressed in the description.
    # One worker, because CPython 3.11 raises a SystemError where several threads make syntax trees, as Hypothesis does.
    arguments += ["--exclude-checks=positive_data_acceptance", "--max-examples=200", "--workers=1", "--seed=0"]
    arguments.append("--request-timeout=120")  # the first sampled answer is compiled
    result = subprocess.run(
        [Path(sys.executable).with_name("schemathesis"), "--no-color", "run", "openapi.json", *arguments],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=500,
    )
    print(result.stdout[-1500:])
    assert result.returncode == 0, result.stdout[-6000:] + result.stderr[-3000:]
