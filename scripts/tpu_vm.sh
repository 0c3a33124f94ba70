#!/usr/bin/env bash
# Runs the kit on Cloud TPU from this machine: creates the machines, installs and runs the kit on every worker, fetches
# the report, and deletes the machines. docs/tpu.md explains the steps.
#
#   scripts/tpu_vm.sh [--dry-run] create | install | run [ARGUMENTS OF run.sh] | log | fetch RUN | delete
#
#   --dry-run    only prints the commands
#
# Environment variables, with their defaults:
#   NAME         name of the TPU VM (mathderive)
#   ZONE         its zone (us-west4-a)
#   TYPE         accelerator type (v5litepod-4); a larger one such as v5litepod-16 has several workers
#   VERSION      version of the TPU software (v2-alpha-tpuv5-lite)
#   SPOT         1 for cheaper machines that may be preempted at any time
#   REPOSITORY   repository that the workers clone (this checkout's origin)
#   REVISION     commit that the workers check out (this checkout's); it must have been pushed
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
NAME=${NAME:-mathderive} ZONE=${ZONE:-us-west4-a} TYPE=${TYPE:-v5litepod-4} VERSION=${VERSION:-v2-alpha-tpuv5-lite}

fail() {
  echo "tpu_vm.sh: $1" >&2
  exit 2
}

dry_run=
if [[ ${1:-} == --dry-run ]]; then
  dry_run=yes
  shift
fi

# gcloud compute tpus tpu-vm WORD ... --zone
tpu_vm() {
  local command=(gcloud compute tpus tpu-vm "$@" "--zone=$ZONE")
  if [[ $dry_run ]]; then
    printf '%q ' "${command[@]}"
    echo
    return
  fi
  command -v gcloud >/dev/null || fail "gcloud is not installed; expected the Google Cloud CLI, or --dry-run"
  "${command[@]}"
}

# tpu_worker.sh on every worker
on_all() {
  tpu_vm scp "$here/tpu_worker.sh" "$NAME:tpu_worker.sh" --worker=all
  tpu_vm ssh "$NAME" --worker=all "--command=bash tpu_worker.sh $(printf '%q ' "$@")"
}

step=${1:-}
if (($#)); then shift; fi
case $step in
  create)
    tpu_vm create "$NAME" "--accelerator-type=$TYPE" "--version=$VERSION" --scopes=cloud-platform ${SPOT:+--spot}
    ;;
  install)
    repository=${REPOSITORY:-$(git -C "$here" remote get-url origin 2>/dev/null || true)}
    [[ $repository ]] || fail "this checkout has no origin; expected REPOSITORY, which the workers can clone"
    on_all install "$repository" "${REVISION:-$(git -C "$here" rev-parse HEAD)}"
    ;;
  run) on_all run "$@" ;;
  log) tpu_vm ssh "$NAME" --worker=0 "--command=tail -n +1 -f mathderive/runs/run.log" ;;
  fetch)
    (($# == 1)) || fail "fetch: expected the name of a run, such as t5_base"
    tpu_vm scp --recurse "$NAME:mathderive/runs/$1/report" "report-$1" --worker=0
    ;;
  delete) tpu_vm delete "$NAME" --quiet ;;
  *) fail "${step:-nothing}: expected create, install, run, log, fetch or delete; see the top of $0" ;;
esac
