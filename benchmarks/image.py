"""Size, content and build time of the image for the CPU.

    python benchmarks/image.py [--base python:3.13-slim-trixie]

It needs a Docker engine. The image is built from a clone of the current commit three times: without a cache, with a
complete cache, and after a change of one line of Python. The size of a package is that of its files. A package counts
as imported if one of its modules is looked for while the image is used: it runs the smoke config with a model behind
the API of `serve`, checks a derivation, trains on shards, and converts a checkpoint in both directions. The last line
is a JSON object.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
IMAGE = "mathderive-benchmark"

RECORDER = """
import os, sys

class Recorder:
    file = os.open("/seen/modules", os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    @classmethod
    def find_spec(cls, name, path=None, target=None):
        os.write(cls.file, f"{name}\\n".encode())

sys.meta_path.insert(0, Recorder)
"""

CONFIG = """
extends: /app/configs/smoke.yaml
predictors:
  - {kind: t5}
  - {kind: copy}
  - {kind: openai, name: served, model: mini, base_url: 'http://127.0.0.1:8001/v1', api_key_variable: null, few_shot: 0}
"""

USE = r"""
set -e
export PYTHONPATH=/seen
./run.sh serve --port 8001 --checkpoint checkpoints/mini & server=$!
./run.sh all --config /seen/smoke.yaml --runs /seen/runs
kill $server
echo 'Given f{(x)} = \sin{(x)}, then obtain 2 f{(x)} = 2 \sin{(x)}' >/tmp/prompt
echo 'f{(x)} = \sin{(x)} and 2 f{(x)} = 2 \sin{(x)}' | ./run.sh check /tmp/prompt -
./run.sh data --config /seen/smoke.yaml --show 1
./run.sh train --config configs/scratch.yaml --runs /seen/runs 'shards={}' training.steps=2 data.sizes.train=200 \
    data.sizes.validation=20 data.sizes.static=20 data.expected_content_hash=null
./run.sh convert checkpoints/mini /seen/ours
./run.sh convert /seen/ours /seen/hugging_face
rm /seen/hugging_face/sentencepiece.model
./run.sh convert /seen/hugging_face /seen/back
# These fail without the network; they import what a download would need.
! ./run.sh convert nobody/nothing /seen/none
! ./run.sh data --config configs/smoke.yaml --runs /seen/runs run.name=released evaluation.source=released
"""

PACKAGES = r"""
import importlib.metadata, json, re
from pathlib import Path

packages = {package.name: package.files or [] for package in importlib.metadata.distributions()}
texts = {path: path.read_text(errors="replace") for path in Path("/opt/venv/lib").rglob("*.py")}
found = {}
for name, files in packages.items():
    paths = {Path(file.locate()) for file in files}
    modules = {str(file.with_name(file.name.split(".")[0])).removesuffix("/__init__").replace("/", ".")
               for file in files if file.suffix in (".py", ".so")}
    # A namespace such as google belongs to several packages.
    tops = {".".join(module.split(".")[: 1 + module.startswith("google.")]) for module in modules}
    imports = re.compile(rf"^\s*(import|from)\s+({'|'.join(map(re.escape, sorted(tops)))})\b", re.MULTILINE)
    found[name] = {
        "bytes": sum(path.stat().st_size for path in paths if path.exists()),
        "modules": sorted(modules),
        "importers": sum(path not in paths and bool(imports.search(text)) for path, text in texts.items()),
    }
print(json.dumps(found))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", default="python:3.13-slim-trixie")
    base = parser.parse_args().base
    with tempfile.TemporaryDirectory() as place:
        clone = Path(place) / "mathderive"
        subprocess.run(["git", "clone", "--quiet", ROOT, clone], check=True)
        build = ("build", f"--tag={IMAGE}", f"--build-arg=BASE_IMAGE={base}", str(clone))
        seconds = {"no_cache": timed(*build, "--no-cache"), "cache": timed(*build)}
        module = clone / "mathderive" / "__init__.py"
        module.write_text(module.read_text() + "# changed\n")
        seconds["changed_line"] = timed(*build)
        try:
            size = int(docker("image", "inspect", "--format={{.Size}}", IMAGE))
            base_size = int(docker("image", "inspect", "--format={{.Size}}", base))
            packages = json.loads(inside(PACKAGES))
            modules = used(Path(place))
        finally:
            docker("rmi", "--force", IMAGE)
    packages.pop("mathderive")
    for name, package in sorted(packages.items(), key=lambda item: -item[1]["bytes"]):
        package["imported"] = not modules.isdisjoint(package.pop("modules"))
        note = "" if package["imported"] else f"  (not imported; by {package['importers']} modules in other uses)"
        print(f"{package['bytes'] / 1e6:8.1f} MB  {name}{note}")
    print(json.dumps({"build_seconds": seconds, "bytes_beyond_base": size - base_size, "packages": packages}))


def timed(*arguments: str) -> float:
    started = time.monotonic()
    docker(*arguments)
    return round(time.monotonic() - started, 1)


def inside(program: str) -> str:
    return docker("run", "--rm", "--entrypoint=/opt/venv/bin/python", IMAGE, "-c", program)


def used(place: Path) -> set[str]:
    """The modules that are looked for while the image is used."""
    seen = place / "seen"
    seen.mkdir()
    (seen / "sitecustomize.py").write_text(RECORDER)
    (seen / "smoke.yaml").write_text(CONFIG)
    place.chmod(0o755)
    seen.chmod(0o777)
    docker("run", "--rm", "--init", f"--volume={seen}:/seen", "--entrypoint=bash", IMAGE, "-c", USE)
    return set((seen / "modules").read_text().split())


def docker(*arguments: str) -> str:
    result = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False)
    if result.returncode != 0:
        sys.exit(f"docker {' '.join(arguments)[:100]}: {result.stderr[-3000:]}")
    return result.stdout


if __name__ == "__main__":
    main()
