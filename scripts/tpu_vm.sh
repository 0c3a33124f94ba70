#!/usr/bin/env bash
# A run on Cloud TPU, from here: the machines made, the kit installed and run on every worker, the report fetched, the
# machines given back. Each word is one of those steps; docs/tpu.md goes through them.
#
#   scripts/tpu_vm.sh [--dry-run] create | install | run [ARGUMENTS OF run.sh] | log | fetch RUN | delete
#
#   --dry-run    prints the commands and carries out none
#
#   NAME         of the TPU VM (mathderive)
#   ZONE         where it stands (us-west4-a)
#   TYPE         accelerator type (v5litepod-4); a larger one such as v5litepod-16 has several workers
#   VERSION      of its software (v2-alpha-tpuv5-lite)
#   SPOT         1: cheaper, and may be taken back at any time
#   REPOSITORY   where the workers clone the kit from (this checkout's origin)
#   REVISION     which commit (this checkout's); it must have been pushed
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
