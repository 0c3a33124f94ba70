#!/usr/bin/env bash
# Runs on every worker of a TPU VM, in the home folder; tpu_vm.sh copies and calls it. It works on any Debian or Ubuntu
# machine.
#
#   tpu_worker.sh install REPOSITORY REVISION    clones the kit and makes its environment
#   tpu_worker.sh run [ARGUMENTS OF run.sh]      starts the kit in the background; its log is mathderive/runs/run.log
set -euo pipefail
export MATHDERIVE_ACCELERATOR=${MATHDERIVE_ACCELERATOR:-tpu}

as_root() {
  if [[ $(id -u) == 0 ]]; then "$@"; else sudo "$@"; fi
}

newer_python() {
  local candidate
  for candidate in python3.13 python3.12 python3.11 python3; do
    "$candidate" -c 'import sys, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && return
  done
  return 1
}

step=${1:-nothing}
if (($#)); then shift; fi
case $step in
  install)
    if ! command -v git >/dev/null || ! newer_python; then
      as_root apt-get update -q
      as_root env DEBIAN_FRONTEND=noninteractive apt-get install -yq git
      newer_python || as_root env DEBIAN_FRONTEND=noninteractive apt-get install -yq python3.11 python3.11-venv
    fi
    [[ -d mathderive/.git ]] || git clone --quiet "$1" mathderive
    cd mathderive
    git fetch --quiet origin
    git checkout --quiet --detach "$2"
    ./run.sh --help >/dev/null
    echo "$(hostname): installed $2"
    ;;
  run)
    cd mathderive
    if [[ -f runs/run.pid ]] && kill -0 "$(<runs/run.pid)" 2>/dev/null; then
      echo "$(hostname): a run is at work here already, process $(<runs/run.pid)" >&2
      exit 2
    fi
    nohup ./run.sh "$@" >runs/run.log 2>&1 </dev/null &
    echo $! >runs/run.pid
    echo "$(hostname): runs, process $!"
    ;;
  *)
    echo "tpu_worker.sh: $step: expected install or run" >&2
    exit 2
    ;;
esac
