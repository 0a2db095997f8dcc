/** Tables of values and histories that every reader of Delta must get right, as delta-rs writes them. */
import { type ForeignTable, forget, type Program } from "./foreign-table.ts";
import { ODD_TEXTS } from "./odd-texts.ts";

const python = (program: string): Program => ({ program });

/** Rows 0, 1, … `count` with a text and a partition column. */
const batch = (first: number, count: number) =>
  `pa.table({"id": pa.array(range(${first}, ${first + count}), pa.int64()), "v": [f"v{i}" for i in range(${first}, ${first + count})], "p": [f"p {i % 3}" for i in range(${first}, ${first + count})]})`;

export const DELTALAKE_TABLES: readonly ForeignTable<Program>[] = [
  {
    name: "every primitive type",
    make: [
      python(`
from datetime import date, datetime, timezone
from decimal import Decimal
schema = pa.schema([("id", pa.int64()), ("ti", pa.int8()), ("si", pa.int16()), ("i", pa.int32()), ("f", pa.float32()),
    ("d", pa.float64()), ("s", pa.string()), ("b", pa.binary()), ("ok", pa.bool_()), ("day", pa.date32()),
    ("at", pa.timestamp("us", "UTC")), ("ntz", pa.timestamp("us")), ("m", pa.decimal128(38, 10))])
rows = [
    [2**63 - 1, 127, 32767, 2**31 - 1, 0.1, 1.7976931348623157e308, "naïve 😀", b"\\x00\\xff", True, date(9999, 12, 31),
     datetime(9999, 12, 31, 23, 59, 59, 999999, timezone.utc), datetime(1, 1, 1), Decimal("1234567890123456789012345678.0123456789")],
    [-2**63, -128, -32768, -2**31, float("nan"), float("-inf"), "", b"", False, date(1, 1, 1),
     datetime(1, 1, 1, tzinfo=timezone.utc), datetime(2026, 3, 29, 2, 30, 0, 1), Decimal("-0.0000000001")],
    [None] * 13,
]
write_deltalake(path, pa.Table.from_pylist([dict(zip(schema.names, row)) for row in rows], schema))
`),
    ],
  },
  {
    name: "structs, lists and maps",
    make: [
      python(`
schema = pa.schema([("id", pa.int32()), ("st", pa.struct([("a", pa.int64()), ("in", pa.struct([("x", pa.string())]))])),
    ("l", pa.list_(pa.int32())), ("ls", pa.list_(pa.struct([("y", pa.float64())]))), ("m", pa.map_(pa.string(), pa.list_(pa.int64())))])
write_deltalake(path, pa.Table.from_pylist([
    {"id": 1, "st": {"a": 1, "in": {"x": "deep"}}, "l": [1, None], "ls": [{"y": 0.5}, None], "m": [("k", [1]), ("n", None)]},
    {"id": 2, "st": {"a": None, "in": None}, "l": [], "ls": [], "m": []},
    {"id": 3},
], schema))
`),
    ],
  },
  {
    name: "partition values that are a trap in paths",
    make: [
      python(`
odd = [${ODD_TEXTS.map((text) => JSON.stringify(text)).join(", ")}, None]
write_deltalake(path, pa.table({"id": pa.array(range(len(odd)), pa.int32()), "p": odd}), partition_by=["p"])
DeltaTable(path).delete("p = 'a%b'")
DeltaTable(path).update(updates={"id": "id + 1000"}, predicate="p = 'a/b'")
`),
    ],
  },
  {
    name: "partitions of every type",
    make: [
      python(`
from datetime import date, datetime, timezone
from decimal import Decimal
columns = {"i": pa.array([1, -2, None], pa.int32()), "n": pa.array([2**63 - 1, -1, None], pa.int64()),
    "ok": pa.array([True, False, None]), "day": pa.array([date(2026, 2, 28), date(1, 1, 1), None]),
    "at": pa.array([datetime(2026, 2, 28, 12, 0, 0, 123456, timezone.utc), datetime(1969, 12, 31, 23, 59, 59, 0, timezone.utc), None], pa.timestamp("us", "UTC")),
    "m": pa.array([Decimal("1.500"), Decimal("12345.5"), None], pa.decimal128(12, 3)), "d": pa.array([0.1, -1e20, None])}
write_deltalake(path, pa.table({"id": pa.array([1, 2, 3], pa.int32()), **columns}), partition_by=list(columns))
`),
    ],
  },
  {
    name: "append, overwrite, update, delete, merge, compact, restore",
    make: [
      python(`write_deltalake(path, ${batch(0, 30)}, partition_by=["p"])`),
      python(`write_deltalake(path, ${batch(30, 10)}, mode="append")`),
      python(`DeltaTable(path).update(updates={"v": "'updated'"}, predicate="id >= 5 AND id < 9")`),
      python(`DeltaTable(path).delete("id % 7 = 0")`),
      python(`
merge = DeltaTable(path).merge(${batch(35, 10)}, "t.id = s.id", source_alias="s", target_alias="t")
merge.when_matched_update(updates={"v": "'merged'"}).when_not_matched_insert_all().when_not_matched_by_source_delete("t.id < 3").execute()`),
      python(`DeltaTable(path).optimize.compact()`),
      python(`write_deltalake(path, ${batch(300, 1)}, mode="overwrite", predicate="p = 'p 0'")`),
      python(`DeltaTable(path).optimize.z_order(["id"])`),
      python(`write_deltalake(path, ${batch(500, 3)}, mode="overwrite")`),
      python(`DeltaTable(path).delete()`),
      python(`DeltaTable(path).restore(4)`),
    ],
  },
  {
    name: "columns added and replaced, constraints, NOT NULL",
    make: [
      python(`write_deltalake(path, pa.table({"id": pa.array([1], pa.int64()), "a": ["one"]}))`),
      python(
        `write_deltalake(path, pa.table({"id": pa.array([2], pa.int64()), "b": [0.5]}), mode="append", schema_mode="merge")`,
      ),
      python(`DeltaTable(path).alter.add_constraint({"positive": "id > 0"})`),
      python(
        `write_deltalake(path, pa.table({"id": pa.array([3], pa.int64()), "a": ["three"], "b": [1.5]}), mode="append")`,
      ),
      python(
        `write_deltalake(path, pa.table({"id": pa.array([4], pa.int64()), "other": ["x"]}), mode="overwrite", schema_mode="overwrite")`,
      ),
    ],
  },
  {
    name: "change data feed",
    make: [
      python(`write_deltalake(path, ${batch(0, 10)}, configuration={"delta.enableChangeDataFeed": "true"})`),
      python(`DeltaTable(path).update(updates={"v": "'updated'"}, predicate="id = 3")`),
      python(`DeltaTable(path).delete("id IN (4, 5)")`),
      python(`
merge = DeltaTable(path).merge(${batch(8, 4)}, "t.id = s.id", source_alias="s", target_alias="t")
merge.when_matched_update(updates={"v": "'merged'"}).when_not_matched_insert_all().execute()`),
      python(`write_deltalake(path, ${batch(100, 2)}, mode="append")`),
    ],
    changesFrom: 0,
  },
  {
    name: "a checkpoint, the log before it gone",
    make: [
      ...[0, 1, 2, 3].map((i) =>
        python(`write_deltalake(path, ${batch(i * 5, 5)}, partition_by=["p"], mode="append")`),
      ),
      python(`DeltaTable(path).delete("id = 7")`),
      python("DeltaTable(path).create_checkpoint()"),
      python(`write_deltalake(path, ${batch(50, 5)}, mode="append")`),
      forget(4),
    ],
    from: 4,
  },
];
