#!/bin/sh
# Gives each role its password from its secret, when the database is made: /docker-entrypoint-initdb.d runs it after roles.sql.
set -eu
for role in owner run prune; do
  # In a line of its own, so that a secret that cannot be read ends this: in an argument, it would be an empty password.
  password=$(cat "/run/secrets/${role}_password")
  [ -n "$password" ] || { echo "/run/secrets/${role}_password is empty" >&2; exit 1; }
  # The name and the value are given as variables of psql, which quotes them.
  psql --quiet --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" \
    --set "role=monitor_$role" --set "password=$password" <<'SQL'
ALTER ROLE :"role" PASSWORD :'password';
SQL
done
