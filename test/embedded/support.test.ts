import { describe, expect, test } from "vitest";
import { useDatabase } from "../support/postgres.ts";

const seen: string[] = [];

describe("one suite with a database", () => {
  const database = useDatabase();

  test("has it to itself", async () => {
    await database.query("CREATE TABLE mine AS SELECT 1 AS n");
    expect(await database.query("SELECT n FROM mine WHERE n = $1", [1])).toEqual([{ n: 1 }]);
    seen.push(database.url);
  });
});

describe("another suite", () => {
  const [first, second] = [useDatabase(), useDatabase()];

  test("has others, on one server, and can replicate", async () => {
    expect(new Set([...seen, first.url, second.url]).size).toBe(seen.length + 2);
    expect(new URL(first.url).port).toBe(new URL(second.url).port);
    expect(await first.query("SELECT to_regclass('mine') AS found")).toEqual([{ found: null }]);
    await first.query("SELECT pg_create_logical_replication_slot('left_behind', 'pgoutput')");
  });
});
