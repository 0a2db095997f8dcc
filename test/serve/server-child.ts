/** A server as a process of its own, which a test kills: `REDIS PORT`. Says "ready" to its parent. */
import { BOUNDS } from "../../jobs/serve/bounds.ts";
import { startServer } from "../../jobs/serve/server.ts";
import { redisSource } from "../../layers/publish/client-source.ts";
import { RedisTarget } from "../../layers/publish/redis.ts";

const [, , url = "", port = "0"] = process.argv;
const source = redisSource(await RedisTarget.connect(url), { url });
const declared = { model: "top", title: "Top" };
await startServer({
  sets: new Map([["shop/top", { set: "shop/top", declared, contract: undefined, source }]]),
  host: "127.0.0.1",
  port: Number(port),
  bounds: BOUNDS,
  unexpected: (error) => process.stderr.write(`${error}\n`),
});
process.send?.("ready");
