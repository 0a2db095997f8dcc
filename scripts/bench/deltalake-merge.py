"""Merges a Parquet file into a Delta table by `id` with delta-rs: TABLE SOURCE. Prints one JSON object."""

import json
import re
import sys
import time

import pyarrow.parquet
from deltalake import DeltaTable

table, source = sys.argv[1:]
started = time.perf_counter()
rows = pyarrow.parquet.read_table(source)
metrics = (
    DeltaTable(table)
    .merge(rows, "target.id = source.id", source_alias="source", target_alias="target")
    .when_matched_update_all()
    .when_not_matched_insert_all()
    .execute()
)
milliseconds = (time.perf_counter() - started) * 1000
with open("/proc/self/status") as status:
    peak = int(re.search(r"VmHWM:\s+(\d+) kB", status.read()).group(1)) / 1024
updated = metrics["num_target_rows_updated"] + metrics["num_target_rows_inserted"]
print(json.dumps({"milliseconds": milliseconds, "peakMemoryMb": peak, "rows": updated}))
