#!/usr/bin/env bash
# Installs the engines that the interoperability tests run against: delta-rs and Spark, at pinned versions, into a
# cache folder outside of the repository. Runs again without work where the pins have not changed.
#   scripts/interop/install.sh            into INGOT_INTEROP, or $XDG_CACHE_HOME/ingot/interop, or ~/.cache/ingot/interop
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
target=${INGOT_INTEROP:-${XDG_CACHE_HOME:-$HOME/.cache}/ingot/interop}

pins=$(cat "$here/requirements.txt" "$here/pom.xml")
# The tests compare this file with the pins: it is written last, and says that all before it went well.
if [ "$(cat "$target/installed" 2>/dev/null)" = "$pins" ]; then
  echo "Engines are installed in $target."
  exit 0
fi

missing=()
command -v python3 >/dev/null || missing+=("python3 (3.10 or newer)")
command -v mvn >/dev/null || missing+=("mvn (Maven 3)")
command -v java >/dev/null || missing+=("java (17 or newer)")
if [ ${#missing[@]} -gt 0 ]; then
  echo "Install these first: $(IFS=,; echo "${missing[*]}")" >&2
  exit 1
fi

rm -rf "$target/installed" "$target/venv" "$target/jars"
mkdir -p "$target"
python3 -m venv "$target/venv"
# pip's own cache would keep Spark a second time.
"$target/venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-cache-dir --no-compile \
  --requirement "$here/requirements.txt"
mvn --quiet --batch-mode --file "$here/pom.xml" dependency:copy-dependencies "-DoutputDirectory=$target/jars"
printf '%s\n' "$pins" >"$target/installed"
echo "Engines are installed in $target ($(du -sm "$target" | cut -f1) MB)."
