#!/bin/sh
# Secrets from files: what MONITOR_X_FILE names is read into MONITOR_X, so that no secret stands in a compose file, a manifest
# or the output of `docker inspect`.
set -eu
for name in MONITOR_DATABASE MONITOR_GITHUB_TOKEN MONITOR_GITHUB_APP_KEY; do
  eval "file=\${${name}_FILE:-}"
  if [ -n "$file" ]; then
    value=$(cat "$file") || { echo "${name}_FILE: cannot read $file" >&2; exit 2; }
    export "$name=$value"
    unset "${name}_FILE"
  fi
done
exec /app/bin/monitor "$@"
