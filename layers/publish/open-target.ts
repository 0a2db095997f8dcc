/** Targets by their names in a configuration. */
import { resolve } from "node:path";
import { TerminalError } from "../../lakehouse/errors.ts";
import type { ObjectStore } from "../../lakehouse/store/store.ts";
import type { Config } from "../definition/config.ts";
import { EmbeddedTarget } from "./embedded.ts";
import { PostgresTableTarget } from "./postgres-table.ts";
import { RedisTarget } from "./redis.ts";
import type { PublishTarget } from "./target.ts";
import { WebhookTarget } from "./webhook.ts";

/**
 * Opens a target: the one declared under this name; `redis` and `files` are there undeclared; without a name Redis where
 * its address is configured, else files. `folder`: that of the configuration file.
 */
export async function openNamed(
  config: Pick<Config, "redis" | "targets">,
  folder: string,
  name: string | undefined,
  store: () => ObjectStore,
): Promise<PublishTarget> {
  const declared = name === undefined ? undefined : config.targets?.[name];
  if (declared === undefined) {
    const kind = name ?? (config.redis === undefined ? "files" : "redis");
    if (kind === "files") return new EmbeddedTarget(store());
    if (kind === "redis" && config.redis !== undefined) return RedisTarget.connect(config.redis);
    throw new TerminalError(`there is no target ${kind}`, {
      code: "TARGET_UNKNOWN",
      value: kind,
      allowed: ["redis", "files", ...Object.keys(config.targets ?? {})].join(", "),
      next: "Declare it under `targets` of ingot.config.ts; `redis` needs REDIS_URL or `redis`.",
    });
  }
  switch (declared.kind) {
    case "files":
      return new EmbeddedTarget(store());
    case "redis": {
      const { kind: _kind, ca, ...address } = declared;
      return RedisTarget.connect({ ...address, ...(ca === undefined ? {} : { ca: resolve(folder, ca) }) });
    }
    case "postgres":
      return new PostgresTableTarget(declared);
    case "webhook":
      return new WebhookTarget(name ?? "", store(), declared);
  }
}
