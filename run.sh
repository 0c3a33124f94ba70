#!/usr/bin/env bash
# Makes the environment on first use, then runs `mathderive COMMAND`. See ./run.sh --help and README.md.
#
#   MATHDERIVE_ACCELERATOR   cpu (default), cuda or tpu: the lock file of the environment
#   MATHDERIVE_VENV          the folder of the environment (default: .venv beside this file)
#   PYTHON                   the Python of the environment (default: the newest of 3.11 to 3.13 found)
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
venv=${MATHDERIVE_VENV:-$root/.venv}
accelerator=${MATHDERIVE_ACCELERATOR:-cpu}

fail() {
  echo "run.sh: $1" >&2
  exit 2
}

find_python() {
  local candidate
  for candidate in ${PYTHON:-python3.13 python3.12 python3.11 python3 python}; do
    if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      command -v "$candidate"
      return
    fi
  done
  fail "no Python of version 3.11 or newer found (tried: ${PYTHON:-python3.13 python3.12 python3.11 python3 python}); install one, or name it: PYTHON=/path/to/python ./run.sh"
}

# The checksum of standard input; macOS has no sha256sum.
sha256() { if command -v sha256sum >/dev/null; then sha256sum; else shasum -a 256; fi; }

# Installs a lock file unless the environment holds exactly this one.
install() { # LOCK_FILE
  local marker stamp python
  marker=$venv/.installed-$(basename "$1" .txt)
  stamp=$(cat "$1" "$root/pyproject.toml" | sha256)
  if [[ -x $venv/bin/mathderive && -f $marker && $(<"$marker") == "$stamp" ]]; then return; fi
  if [[ ! -x $venv/bin/python ]]; then
    python=$(find_python)
    echo "run.sh: making the environment in $venv with $("$python" --version), a minute or two" >&2
    "$python" -m venv "$venv" || fail "$python cannot make a virtual environment; on Debian: apt-get install python3-venv"
  fi
  echo "run.sh: installing $(basename "$1")" >&2
  "$venv/bin/python" -m pip install -qq --disable-pip-version-check --require-hashes -r "$1" >&2
  "$venv/bin/python" -m pip install -qq --disable-pip-version-check --no-deps --no-build-isolation -e "$root" >&2
  echo "$stamp" >"$marker"
}

# Beam pins older versions, so it has its own environment beside the usual one.
asks_for_help=''
for argument in "$@"; do
  case $argument in
    --beam) accelerator=beam venv=$venv-beam ;;
    --help | -h) asks_for_help=yes ;;
  esac
done
[[ -f $root/requirements/$accelerator.txt ]] || fail "MATHDERIVE_ACCELERATOR=$accelerator is unknown; expected cpu, cuda or tpu"
install "$root/requirements/$accelerator.txt"
case $asks_for_help${1:-} in
  test | lint | docs) install "$root/requirements/dev.txt" ;;
esac
exec "$venv/bin/mathderive" "$@"
