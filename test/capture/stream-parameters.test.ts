/** What a stream is asked for, and which servers and configurations are refused. */
import { expect, it } from "vitest";
import { TerminalError } from "../../lakehouse/errors.ts";
import { streamParameters } from "../../layers/bronze/postgres/replication/stream-parameters.ts";
import { parseConfig } from "../../layers/definition/config.ts";
import { type PostgresSource, postgres } from "../../layers/definition/pipeline.ts";

const parameters = (version: number, selection: Parameters<typeof streamParameters>[2]) =>
  streamParameters(version, ["changes", "in'serts"], selection);

it("asks for what is wanted, and nothing else", () => {
  const plain = `proto_version '1', publication_names '"changes","in''serts"'`;
  expect(parameters(130_022, {})).toBe(plain);
  expect(parameters(130_022, { origin: "any" })).toBe(plain);
  expect(parameters(140_000, { messages: "outbox" })).toBe(`${plain}, messages 'true'`);
  expect(parameters(160_000, { messages: "outbox", origin: "none" })).toBe(
    `${plain}, messages 'true', origin 'none'`,
  );
});

it("refuses servers that are too old for it", () => {
  const refusal = (version: number, selection: Parameters<typeof streamParameters>[2]) => {
    try {
      return parameters(version, selection);
    } catch (error) {
      return error instanceof TerminalError ? [error.code, error.value] : error;
    }
  };
  expect(refusal(130_022, { messages: "outbox" })).toEqual([
    "POSTGRES_MESSAGES",
    "server_version_num 130022",
  ]);
  expect(refusal(150_014, { origin: "none" })).toEqual(["POSTGRES_ORIGIN", "server_version_num 150014"]);
});

it("takes messages in the configuration where changes are captured, under a name of their own", () => {
  const failure = (source: Omit<PostgresSource, "kind">) => {
    try {
      parseConfig({ pipelines: [{ name: "shop", source: postgres(source) }] }, {}, "ingot.config.ts");
    } catch (error) {
      if (error instanceof TerminalError) return { message: error.message, allowed: error.allowed };
      throw error;
    }
    return undefined;
  };
  const wal = { messages: "outbox", origin: "none" } as const;
  expect(failure({ changes: "wal", tables: { orders: {} }, wal })).toBeUndefined();
  expect(failure({ changes: "wal", tables: { outbox: {} }, wal })).toMatchObject({
    message: expect.stringContaining("source.wal.messages"),
    allowed: "a name that none of the tables has",
  });
  expect(failure({ tables: { orders: {} }, wal })?.allowed).toContain('changes: "wal"');
  expect(failure({ changes: "wal", tables: {}, wal: { messages: "a/b" } })?.allowed).toContain("no slash");
});
