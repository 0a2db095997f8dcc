#!/usr/bin/env bash
# Runs the tests of ingestion on a major version of Postgres, which is installed first.
#   npm run test:postgres -- 13                      all of them
#   npm run test:postgres -- 13 core                 those in which versions differ most, some two minutes
#   npm run test:postgres -- 13 test/capture/slot    these
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

major=${1:-}
shift || true
INGOT_POSTGRES_BIN=$(bash scripts/services/install-postgres.sh "$major")
export INGOT_POSTGRES_BIN

files=("$@")
if [ ${#files[@]} -eq 0 ]; then
  files=(test/bronze test/capture test/doctor test/embedded test/init test/models/captured.test.ts pipelines/commerce/source.test.ts)
elif [ "${files[*]}" = core ]; then
  files=(
    # Values of every type, in binary and as text; ranges, partitions, children, views; statements that end in time.
    test/bronze/{binary,ingest,load-kinds,load-limits,types,types-load}.test.ts
    # The hand-over from load to stream, of a killed load and under writers.
    test/bronze/load-wal.test.ts test/capture/pgbench.test.ts
    # Changes of every kind, long values, truncations, identities, columns that change, slots, large transactions.
    test/capture/{capture,drift,hostile,messages,other-identity,partitions,slot,types}.test.ts
    # What is asked of the catalogue.
    test/doctor/capture.test.ts test/init/choices.test.ts
  )
fi
exec npx vitest run "${files[@]}"
