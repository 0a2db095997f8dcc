/** A slot that cannot be made as long as others write: it is said for whom it waits. */
import { expect, it } from "vitest";
import { startPostgres } from "../../jobs/embedded/postgres.ts";
import type { ProgressEvent } from "../../lakehouse/progress.ts";
import { connect, disconnect } from "../../layers/bronze/postgres/connect.ts";
import { createSlotSnapshot } from "../../layers/bronze/postgres/replication/slot-snapshot.ts";
import { useFolder } from "../support/folder.ts";
import { copyTemplate, THROWAWAY } from "../support/postgres.ts";

const folder = useFolder();

it("names open transactions that have written, and prepared ones", async () => {
  const data = `${folder.path}/postgres`;
  await copyTemplate(data);
  const server = await startPostgres({
    folder: data,
    settings: { ...THROWAWAY, max_prepared_transactions: "2" },
  });
  const { connectionString } = server;
  const writer = await connect(connectionString);
  const other = await connect(connectionString);
  try {
    const run = async (client: typeof writer, ...statements: readonly string[]) => {
      for (const statement of statements) await client.query(statement);
    };
    await run(writer, "SET application_name = 'nightly report'", "CREATE TABLE held (id int)");
    await run(writer, "BEGIN", "INSERT INTO held VALUES (1)");
    await run(other, "BEGIN", "INSERT INTO held VALUES (2)", "PREPARE TRANSACTION 'left behind'");
    const events: ProgressEvent[] = [];
    let said = () => {};
    const spoken = new Promise<void>((resolve) => {
      said = resolve;
    });
    const onProgress = (event: ProgressEvent) => {
      events.push(event);
      said();
    };
    const making = createSlotSnapshot({ connectionString, onProgress });
    await spoken;
    await writer.query("COMMIT");
    await other.query("ROLLBACK PREPARED 'left behind'");
    await (await making).end();
    const [first] = events;
    expect(first?.task).toMatch(/^slot ingot_read_/);
    expect(first?.note).toMatch(/^waiting for 2 transactions that are writing \(1 prepared\): /);
    expect(first?.note).toMatch(/nightly report, pid \d+, database \w+, open for \d+ s/);
    expect(first?.note).toMatch(/prepared transaction 'left behind', database \w+, open for \d+ s/);
    expect(events.at(-1)).toMatchObject({ state: "done" });
  } finally {
    await disconnect(writer);
    await disconnect(other);
    await server.stop({ patience: 2_000 });
  }
});
