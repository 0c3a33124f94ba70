#!/usr/bin/env bash
# Writes the lock files anew from pyproject.toml. Needs uv. Arguments go to uv (--upgrade, for one).
set -euo pipefail
cd "$(dirname "$0")/.."

lock() { # FILE [EXTRA...]
  local file=$1 extras=()
  shift
  for extra in "$@"; do extras+=(--extra "$extra"); done
  uv pip compile pyproject.toml requirements/build.in "${extras[@]}" --universal --python-version 3.11 \
    --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --no-annotate --quiet \
    --output-file "requirements/$file.txt" "${arguments[@]}"
}

arguments=("$@")
lock cpu all
lock dev dev
# Beam holds back numpy, protobuf, pyarrow and others, so its environment stands apart and has its own test tools.
lock beam beam dev
lock cuda cuda
lock tpu tpu
