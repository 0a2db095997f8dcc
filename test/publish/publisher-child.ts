/** A publisher as a process of its own, which others kill: `URL`. Publishes version after version until it is ended. */
import { RedisTarget } from "../../layers/publish/redis.ts";
import { chaosPublication, SETS } from "./chaos-rows.ts";

const target = await RedisTarget.connect(process.argv[2] ?? "");
for (;;) {
  for (const set of SETS) {
    try {
      const version = ((await target.read(set))?.version ?? 0) + 1;
      const { status } = await target.publish(chaosPublication(set, version));
      process.send?.(status);
    } catch {
      // Redis is away, or the set was lost: the next round begins anew.
    }
  }
}
