"""delta-rs behind `line_server`: reads tables and change feeds, runs programs that write.

    {"op": "read", "path": "/table", "version": 3}      rows of a version, the newest where none is given
    {"op": "newest", "path": "/table"}                  the newest version
    {"op": "changes", "path": "/table", "from": 0, "to": 3}
    {"op": "run", "path": "/table", "program": "…"}     Python with `path`, `pa`, `DeltaTable`, `write_deltalake`, …
"""

import deltalake
import pyarrow as pa
from canonical import arrow_table, canonical_rows
from deltalake import DeltaTable, QueryBuilder, write_deltalake
from line_server import run_program, serve


def read(path, version=None):
    table = DeltaTable(path, version=version)
    rows = QueryBuilder().register("t", table).execute("SELECT * FROM t")
    return canonical_rows(arrow_table(rows))


def newest(path):
    return DeltaTable(path).version()


def changes(path, **bounds):
    feed = DeltaTable(path).load_cdf(starting_version=bounds["from"], ending_version=bounds["to"])
    table = arrow_table(feed).drop_columns(["_commit_timestamp"])
    # delta-rs gives the type of this column differently from release to release; the protocol says long.
    at = table.schema.get_field_index("_commit_version")
    return canonical_rows(table.set_column(at, "_commit_version", table.column(at).cast(pa.int64())))


def run(program, path):
    names = {"deltalake": deltalake, "DeltaTable": DeltaTable, "write_deltalake": write_deltalake, "pa": pa}
    return run_program(program, {"path": path, **names})


serve({"read": read, "newest": newest, "changes": changes, "run": run})
