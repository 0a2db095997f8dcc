import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { afterEach, describe, expect, it } from "vitest";
import { freePort } from "../../jobs/embedded/free-port.ts";
import { RedisTarget } from "../../layers/publish/redis.ts";
import { useFolder } from "../support/folder.ts";
import { redisAvailable } from "../support/redis.ts";
import { publicationOf, rowsOf } from "./publications.ts";
import { type RedisServer, startServer } from "./redis-servers.ts";

const folder = useFolder();
/** Makes certificates; on every machine that has a redis-server with TLS. */
const OPENSSL = "openssl";
const lookup = { kind: "lookup", by: ["i"] } as const;

describe.skipIf(!redisAvailable)("Redis as it is run", () => {
  const closing: (() => Promise<unknown>)[] = [];
  afterEach(async () => {
    for (const close of closing.splice(0).reverse()) await close();
  });
  const start = async (given: Partial<Parameters<typeof startServer>[0]> = {}): Promise<RedisServer> => {
    const server = await startServer({ folder: `${folder.path}/${crypto.randomUUID()}`, ...given });
    closing.push(() => server.kill());
    return server;
  };
  const connect = async (where: Parameters<typeof RedisTarget.connect>[0]) => {
    const target = await RedisTarget.connect(where);
    closing.push(() => target.close());
    return target;
  };

  it("that restarts with what it had: nothing is published twice, readers and subscribers go on", async () => {
    const server = await start({ settings: { appendonly: "yes", appendfsync: "always" } });
    const target = await connect(server.url);
    const seen: number[] = [];
    const subscription = await target.subscribe("shop/top", ({ version }) => {
      seen.push(version);
    });
    await target.publish(publicationOf("shop/top", { version: 1 }));
    await expect.poll(() => seen, { timeout: 20_000 }).toEqual([1]);
    await server.kill();
    const publishing = target.publish(publicationOf("shop/top", { version: 2 }));
    await server.start();
    expect((await publishing).status).toBe("published");
    expect((await target.read("shop/top"))?.rows).toEqual(rowsOf(2));
    await expect.poll(() => seen, { timeout: 20_000 }).toEqual([1, 2]);
    await subscription.close();
  });

  it("that restarts with nothing: the set is published again, though gold has not changed", async () => {
    const server = await start();
    const target = await connect(server.url);
    for (const form of [{ kind: "list" } as const, lookup]) {
      const publication = publicationOf(`shop/${form.kind}`, { version: 1, form });
      await target.publish(publication);
      await server.kill();
      await server.start();
      expect((await target.publish(publication)).status).toBe("published");
      expect((await target.read(`shop/${form.kind}`))?.rows).toHaveLength(50);
    }
  });

  it("that is away: says so, after some tries, and goes on when it is back", async () => {
    const server = await start();
    const target = await connect(server.url);
    await server.kill();
    await expect(target.publish(publicationOf("shop/top", { version: 1 }))).rejects.toMatchObject({
      code: "REDIS_UNAVAILABLE",
      message: expect.stringMatching(/^Redis at \S+ cannot be reached, or does not answer$/),
    });
    await server.start();
    expect((await target.publish(publicationOf("shop/top", { version: 1 }))).status).toBe("published");
  });

  it("whose memory is full: readers see the version before, and nothing of the new one stays", async () => {
    const server = await start({ settings: { "maxmemory-policy": "noeviction" } });
    const target = await connect(server.url);
    await target.publish(publicationOf("shop/top", { version: 1 }));
    const used = Number(/used_memory:(\d+)/.exec(String(await server.ask("INFO", "memory")))?.[1]);
    for (const form of [{ kind: "list" } as const, lookup]) {
      await server.ask("CONFIG", "SET", "maxmemory", used + 3_000_000);
      const large = publicationOf("shop/top", { version: 2, form, rows: rowsOf(2, 60_000) });
      await expect(target.publish(large)).rejects.toMatchObject({ code: "REDIS_OUT_OF_MEMORY" });
      expect(await target.read("shop/top")).toMatchObject({ version: 1, rows: rowsOf(1) });
      expect(await server.ask("ZCARD", "ingot:{shop/top}:versions")).toBe(1);
      await server.ask("CONFIG", "SET", "maxmemory", 1);
      await expect(target.publish(publicationOf("shop/top", { version: 3 }))).rejects.toMatchObject({
        code: "REDIS_OUT_OF_MEMORY",
      });
      expect((await target.read("shop/top"))?.version).toBe(1);
    }
    await server.ask("CONFIG", "SET", "maxmemory", 0);
    expect((await target.publish(publicationOf("shop/top", { version: 3 }))).status).toBe("published");
  });

  it("that is a replica, and becomes the primary when that one is lost", async () => {
    const primary = await start();
    const replica = await start({ settings: { replicaof: `127.0.0.1 ${primary.port}` } });
    const [first, second] = [await connect(primary.url), await connect(replica.url)];
    await first.publish(publicationOf("shop/top", { version: 1, form: lookup }));
    await expect.poll(async () => (await second.read("shop/top"))?.version, { timeout: 20_000 }).toBe(1);
    const next = publicationOf("shop/top", { version: 2, form: lookup });
    await expect(second.publish(next)).rejects.toMatchObject({ code: "REDIS_READONLY" });
    await primary.kill();
    await replica.ask("REPLICAOF", "NO", "ONE");
    expect(await second.publish(next)).toMatchObject({ status: "published", written: 50 });
    expect((await second.publish(publicationOf("shop/top", { version: 1 }))).status).toBe("stale");
    expect((await second.read("shop/top"))?.version).toBe(2);
  });

  it("behind sentinels, that fails over while it is published to", async () => {
    const primary = await start();
    const replica = await start({ settings: { replicaof: `127.0.0.1 ${primary.port}` } });
    const port = await freePort();
    const configuration = `${folder.path}/sentinel.conf`;
    const lines = [
      `port ${port}`,
      "bind 127.0.0.1",
      `dir ${folder.path}`,
      `sentinel monitor shop 127.0.0.1 ${primary.port} 1`,
      "sentinel down-after-milliseconds shop 500",
      "sentinel failover-timeout shop 5000",
    ];
    writeFileSync(configuration, `${lines.join("\n")}\n`);
    const sentinel = await start({ port, sentinel: configuration });
    await expect
      .poll(async () => JSON.stringify(await sentinel.ask("SENTINEL", "replicas", "shop")), {
        timeout: 30_000,
      })
      .toContain(String(replica.port));
    const address = { url: "redis://ignored", sentinels: [`127.0.0.1:${port}`], master: "shop" };
    const target = await connect(address);
    await target.publish(publicationOf("shop/top", { version: 1 }));
    await primary.kill();
    await expect
      .poll(
        () =>
          target
            .publish(publicationOf("shop/top", { version: 2 }))
            .catch((error: { code: string }) => error.code),
        { timeout: 60_000 },
      )
      .toMatchObject({ rows: 50 });
    expect((await target.read("shop/top"))?.rows).toEqual(rowsOf(2));
    expect(await replica.ask("HGET", "ingot:{shop/top}", "newest")).toContain("000000000000002");
  });

  it("as a cluster of three, found out by asking", async () => {
    const nodes = await Promise.all(
      [0, 1, 2].map(() =>
        start({ settings: { "cluster-enabled": "yes", "cluster-config-file": "nodes.conf" } }),
      ),
    );
    const [first, ...others] = nodes;
    for (const [i, node] of nodes.entries()) {
      const slots = [Math.floor((16_384 * i) / 3), Math.floor((16_384 * (i + 1)) / 3) - 1];
      await node.ask("CLUSTER", "ADDSLOTSRANGE", ...slots);
      await node.ask("CLUSTER", "SET-CONFIG-EPOCH", i + 1);
    }
    for (const node of others) await first?.ask("CLUSTER", "MEET", "127.0.0.1", node.port);
    for (const node of nodes) {
      await expect
        .poll(async () => String(await node.ask("CLUSTER", "INFO")), { timeout: 30_000 })
        .toContain("cluster_state:ok");
      await expect
        .poll(
          async () =>
            String(await node.ask("CLUSTER", "NODES"))
              .trim()
              .split("\n").length,
        )
        .toBe(3);
    }
    const target = await connect(first?.url ?? "");
    const seen: string[] = [];
    for (let i = 0; i < 9; i++) {
      const set = `shop/m${i}`;
      const subscription = await target.subscribe(set, (event) => {
        seen.push(`${event.set} ${event.version}`);
      });
      const form = i % 2 === 0 ? lookup : ({ kind: "ranking", member: "i", score: "i" } as const);
      for (const version of [1, 2]) {
        const given = publicationOf(set, { version, form, ...(i > 5 ? { key: `shop:${i}` } : {}) });
        expect((await target.publish(given)).status).toBe("published");
        await expect.poll(() => seen, { timeout: 20_000 }).toContain(`${set} ${version}`);
      }
      await subscription.close();
      expect((await target.read(set))?.rows).toHaveLength(50);
      expect((await target.rollback(set))?.version).toBe(1);
    }
    const counts = await Promise.all(nodes.map((node) => node.ask("DBSIZE")));
    expect(counts.every((keys) => Number(keys) > 0)).toBe(true);
    const single = await connect({ url: first?.url ?? "", cluster: false });
    const failures = await Promise.allSettled(
      [0, 1, 2, 3, 4].map((i) => single.publish(publicationOf(`shop/s${i}`, { version: 1 }))),
    );
    expect(failures.filter((f) => f.status === "rejected").map((f) => f.reason.code)).toContain(
      "REDIS_CLUSTER",
    );
  });

  it("over TLS, by the authority that signed its certificate and by no other", async () => {
    const files = (name: string) => `${folder.path}/${name}`;
    const openssl = (...args: string[]) => execFileSync(OPENSSL, args, { stdio: "ignore" });
    openssl(
      ..."req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=test-authority -keyout".split(" "),
      files("ca.key"),
      "-out",
      files("ca.pem"),
    );
    openssl(
      ..."req -newkey rsa:2048 -nodes -subj /CN=localhost -keyout".split(" "),
      files("server.key"),
      "-out",
      files("server.csr"),
    );
    writeFileSync(files("names"), "subjectAltName=DNS:localhost,IP:127.0.0.1\n");
    openssl(
      ..."x509 -req -days 2 -CAcreateserial -in".split(" "),
      files("server.csr"),
      "-CA",
      files("ca.pem"),
      "-CAkey",
      files("ca.key"),
      "-extfile",
      files("names"),
      "-out",
      files("server.pem"),
    );
    const port = await freePort();
    const server = await start({
      port,
      client: { tls: { ca: readFileSync(files("ca.pem"), "utf8") } },
      settings: {
        port: "0",
        "tls-port": String(port),
        "tls-cert-file": files("server.pem"),
        "tls-key-file": files("server.key"),
        "tls-ca-cert-file": files("ca.pem"),
        "tls-auth-clients": "no",
      },
    });
    const url = server.url.replace("redis:", "rediss:");
    const target = await connect({ url, ca: files("ca.pem") });
    await target.publish(publicationOf("shop/top", { version: 1 }));
    expect((await target.read("shop/top"))?.version).toBe(1);
    await expect(RedisTarget.connect(url)).rejects.toMatchObject({ code: "REDIS_UNREACHABLE" });
    await expect(RedisTarget.connect(server.url)).rejects.toMatchObject({ code: "REDIS_UNREACHABLE" });
  });

  it("with users of few rights: enough is enough, and what is missing is said", async () => {
    const server = await start();
    const user = async (name: string, ...rights: string[]) => {
      await server.ask("ACL", "SETUSER", name, "on", ">secret-word", ...rights);
      return connect(server.url.replace("//", `//${name}:secret-word@`));
    };
    const rights = ["+@read", "+@write", "+@scripting", "+@connection", "+publish", "+time", "+script|load"];
    const publisher = await user("publisher", "~ingot:*", "&ingot:*", ...rights);
    for (const form of [{ kind: "list" } as const, lookup]) {
      const publication = publicationOf("shop/top", { version: form.kind === "list" ? 1 : 2, form });
      expect((await publisher.publish(publication)).status).toBe("published");
    }
    const reader = await user("reader", "~ingot:*", "+@read", "+@connection");
    expect((await reader.read("shop/top"))?.version).toBe(2);
    const wanting = {
      reader,
      channel: await user("channel", "~ingot:*", ...rights),
      keys: await user("keys", "~other:*", "&*", ...rights),
    };
    for (const [name, target] of Object.entries(wanting)) {
      const failure = await target
        .publish(publicationOf("shop/top", { version: 3 }))
        .catch((error: unknown) => error);
      expect([name, (failure as { code: string }).code]).toEqual([name, "REDIS_FORBIDDEN"]);
      expect(JSON.stringify(failure)).not.toContain("secret-word");
      // What was refused half-way is not seen.
      expect((await reader.read("shop/top"))?.version).toBe(2);
    }
  });
});
