/** A slot that somebody else reads: waited for, as long as there is patience. */
import { expect, it } from "vitest";
import { follow } from "../../layers/bronze/follow.ts";
import { keepUp } from "../../layers/bronze/keep-up.ts";
import { captured, useCapture } from "./setup.ts";

const { database, context, both, withTables } = await useCapture();

it("waits for another consumer to end, and then takes what there is", async () => {
  await withTables("CREATE TABLE busy (id int PRIMARY KEY)", captured({ busy: {} }), async (pipeline) => {
    const stop = new AbortController();
    let following: Promise<unknown> = Promise.resolve();
    const committed = new Promise<void>((resolve) => {
      following = follow(context(), pipeline, {
        signal: stop.signal,
        limits: { milliseconds: 10 },
        onFollowing: () => void database.query("INSERT INTO busy VALUES (1)"),
        // The slot is certainly in use.
        onCommitted: () => resolve(),
      });
    });
    await committed;
    const said: string[] = [];
    const waiting = keepUp(
      {
        ...context(),
        onProgress: ({ task, state, note }) => {
          if (!task.startsWith("slot ")) return;
          said.push(`${state} ${note}`);
          stop.abort();
        },
      },
      pipeline,
      { patience: 60_000 },
    );
    await following;
    await database.query("INSERT INTO busy VALUES (2)");
    await waiting;
    await keepUp(context(), pipeline);
    expect((await both(pipeline, "busy", ["id"])).bronze).toEqual(['["1"]', '["2"]']);
    expect(said[0]).toBe("running in use by another consumer: waiting for its end");
    expect(said.at(-1)).toBe("done free again");
  });
});
