/** A subscriber in a process of its own: `URL SET`. Tells when it heard of each version. */
import { RedisTarget } from "../../layers/publish/redis.ts";

export interface Heard {
  readonly version: number;
  /** Milliseconds since the epoch. */
  readonly at: number;
}

const [url = "", set = ""] = process.argv.slice(2);
const target = await RedisTarget.connect(url);
await target.subscribe(set, ({ version }) => {
  process.send?.({ version, at: Date.now() } satisfies Heard);
});
process.on("disconnect", () => process.exit());
