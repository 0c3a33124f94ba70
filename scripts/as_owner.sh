#!/usr/bin/env bash
# The image's entrypoint: runs `run.sh ARGUMENTS` as the owner of ./runs, so that a run's files belong to the owner of the
# checkout without any setting. HOST_UID and HOST_GID name another user.
#
# Compose starts this script as root, because only root may become another user. A user who is not root, such as the
# image's own, stays the same.
set -euo pipefail

if [[ $EUID != 0 ]]; then exec /app/run.sh "$@"; fi

uid=${HOST_UID:-$(stat --format=%u /app/runs)}
gid=${HOST_GID:-$(stat --format=%g /app/runs)}
if [[ $uid$gid == *[!0-9]* ]]; then
  echo "mathderive: HOST_UID=$uid HOST_GID=$gid: expected numbers, as id -u and id -g print them, or neither variable" >&2
  exit 2
fi

# The owner may be root: in rootless Docker and in Podman, the container's root is the user who started it. A program that
# root executes regains the capabilities of the bounding set, so the set must be empty too.
exec setpriv --reuid="$uid" --regid="$gid" --clear-groups --bounding-set=-all --inh-caps=-all --no-new-privs \
  /app/run.sh "$@"
