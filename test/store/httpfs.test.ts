import { existsSync } from "node:fs";
import { expect, test } from "vitest";
import { DeltaTable } from "../../lakehouse/delta/table.ts";
import { DuckDb } from "../../lakehouse/duckdb/duckdb.ts";
import { openStoreFor } from "../../lakehouse/lake.ts";
import { httpfsExtension } from "../support/httpfs.ts";
import { readRows, writeRows } from "../support/rows.ts";
import { s3Available, useS3 } from "../support/s3.ts";

const s3 = useS3();

test.skipIf(!s3Available() || httpfsExtension === undefined)(
  "DuckDB reads a bucket by httpfs, and only that bucket",
  async () => {
    const duckdb = await DuckDb.open({ memoryMb: 256, threads: 2 });
    try {
      const { endpoint, credentials } = s3;
      const options = { endpoint, credentials, region: "us-east-1", httpfs: httpfsExtension };
      const store = await openStoreFor(duckdb, `s3://${s3.bucket}/direct`, options);
      expect(store.address("a/b.parquet")).toBe(`s3://${s3.bucket}/direct/a/b.parquet`);
      const table = new DeltaTable(store, duckdb);
      await writeRows(
        duckdb,
        table,
        "SELECT i::BIGINT AS id, 'x' AS name, 1.5 AS price FROM range(1000) t(i)",
      );
      await writeRows(duckdb, table, "SELECT 7 AS id, 'ü %20' AS name, NULL AS price");
      expect(await readRows(duckdb, table)).toHaveLength(1001);
      const secrets = await duckdb.rows("SELECT secret_string::VARCHAR AS text FROM duckdb_secrets()");
      expect(String(secrets[0]?.text)).not.toContain(credentials.secretAccessKey);
    } finally {
      duckdb.close();
    }
  },
);

test("an extension that is none is told by name", async () => {
  const duckdb = await DuckDb.open({ memoryMb: 64, threads: 1 });
  const extension = new URL(import.meta.url).pathname;
  expect(existsSync(extension)).toBe(true);
  const options = {
    endpoint: "http://127.0.0.1:1",
    credentials: { accessKeyId: "a", secretAccessKey: "b" },
    httpfs: extension,
  };
  await expect(openStoreFor(duckdb, "s3://bucket/x", options)).rejects.toMatchObject({
    code: "DUCKDB_NO_HTTPFS",
    value: extension,
  });
  duckdb.close();
});
