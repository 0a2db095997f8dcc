#!/usr/bin/env bash
# Installs the tools that the benchmarks compare Ingot with, at pinned versions and from PyPI alone,
# into a cache folder outside of the repository. Runs again without work where the pins have not changed.
#   scripts/bench/install-peers.sh      into INGOT_PEERS, or $XDG_CACHE_HOME/ingot/peers, or ~/.cache/ingot/peers
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
target=${INGOT_PEERS:-${XDG_CACHE_HOME:-$HOME/.cache}/ingot/peers}

pins=$(cat "$here/peers/requirements.txt")
# Written last: says that all before it went well.
if [ "$(cat "$target/installed" 2>/dev/null)" = "$pins" ]; then
  echo "Peers are installed in $target."
  exit 0
fi
command -v python3 >/dev/null || {
  echo "Install python3 (3.10 or newer) first." >&2
  exit 1
}

rm -rf "$target/installed" "$target/venv"
mkdir -p "$target"
python3 -m venv "$target/venv"
# Compiled here: a first run that compiles would be slower than the next.
"$target/venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-cache-dir --compile \
  --requirement "$here/peers/requirements.txt"
# The package of Sling holds the program and installs no command.
sling=("$target"/venv/lib/python3*/site-packages/sling_linux_amd64/bin/sling-linux-amd64)
chmod +x "${sling[0]}"
ln -sf "${sling[0]}" "$target/venv/bin/sling"
printf '%s\n' "$pins" >"$target/installed"
echo "Peers are installed in $target ($(du -sm "$target" | cut -f1) MB)."
