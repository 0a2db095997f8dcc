/** Settings of an installation: where the lake is, what the machine may use. Parsed once, from file and environment. */
import { z } from "zod";
import { TerminalError } from "../errors.ts";

const postgresUrl = z
  .string()
  .regex(/^postgres(ql)?:\/\/.+/, "an address such as postgres://user:password@host:5432/database");
const redisUrl = z.string().regex(/^rediss?:\/\/.+/, "an address such as redis://:password@host:6379/0");
const count = (least: number, most: number) =>
  z.coerce
    .number("a whole number")
    .int("a whole number")
    .min(least, `a number from ${least} to ${most}`)
    .max(most, `a number from ${least} to ${most}`);

/** Where an s3:// lake is; absent keys are left to the settings of AWS. */
const s3Shape = z.strictObject({
  /** Address of a service other than AWS. */
  endpoint: z
    .url({ protocol: /^https?$/, error: "an address such as https://s3.example.com" })
    .refine((url) => !/\/\/[^/]*@/.test(url), "an address without keys: those are set apart from it")
    .optional(),
  region: z.string().min(1, "a region such as eu-central-1").optional(),
  /** The bucket in the path, not in the host name; by default where an endpoint is set. */
  pathStyle: z.union([z.boolean(), z.stringbool()], "true or false").optional(),
  /** File of DuckDB's extension httpfs; without it data files are fetched into a local cache. */
  httpfs: z.string().min(1, "the file httpfs.duckdb_extension").optional(),
});

/** Where OpenLineage events of builds go. */
const openLineageShape = z
  .strictObject({
    /** Address of a service that takes them. */
    url: z.url({ protocol: /^https?$/, error: "an address such as http://localhost:5000" }).optional(),
    /** Sent to the service as a bearer token. */
    apiKey: z.string().min(1, "a key").optional(),
    /** File that they are appended to, one a line; relative to the configuration file. */
    file: z.string().min(1, "a file such as ./openlineage.jsonl").optional(),
    /** Namespace of the jobs. */
    namespace: z.string().min(1, "a name").default("ingot"),
  })
  // A key alone comes from an environment that other programs share.
  .refine(({ url, file, apiKey }) => (url ?? file ?? apiKey) !== undefined, "{ url } or { file }, or both");

const webUrl = z.url({ protocol: /^https?$/, error: "an address such as https://example.com/versions" });

const httpUrl = z.url({ protocol: /^https?$/, error: "an address such as http://localhost:4318" });

/** Where traces of what runs go, by OTLP over HTTP. */
const tracingShape = z.strictObject({
  /** Address of a collector; traces go to `v1/traces` below it. */
  url: httpUrl.optional(),
  /** The very address that traces go to, instead. */
  tracesUrl: httpUrl.optional(),
});

/** What `ingot start` tells a webhook when something is wrong, and when it is well again. */
const alertsShape = z.strictObject({
  url: webUrl,
  /** Key that requests are signed with. */
  secret: z.string().min(16, "a secret of 16 characters at least").optional(),
  /** What is told; everything by default. */
  on: z
    .array(
      z.enum(
        ["failure", "staleness", "quarantine", "slot"],
        '"failure", "staleness", "quarantine" or "slot"',
      ),
    )
    .min(1, "one or more of failure, staleness, quarantine and slot")
    .default(["failure", "staleness", "quarantine", "slot"]),
  /** What goes on is told again after so many hours. */
  repeatHours: z.number().positive("hours, more than 0").default(24),
  /** A job that cannot work at all for so many minutes is told of. */
  troubleMinutes: z.number().positive("minutes, more than 0").default(5),
});

/** A place that published metrics go to, beside the installation's own. */
const targetShape = z.discriminatedUnion("kind", [
  /** Redis: one server, one that sentinels know, or a cluster. */
  z.strictObject({
    kind: z.literal("redis"),
    url: redisUrl,
    cluster: z.boolean().optional(),
    /** File with the certificate of the authority that signed the server's; relative to the configuration file. */
    ca: z.string().min(1, "a file such as ./ca.pem").optional(),
    sentinels: z
      .array(z.string().regex(/^.+:\d+$/, "host:port"))
      .min(1)
      .optional(),
    /** Name of the primary at the sentinels. */
    master: z.string().min(1).optional(),
  }),
  /** Files in the lake. */
  z.strictObject({ kind: z.literal("files") }),
  /** A table for each metric. */
  z.strictObject({
    kind: z.literal("postgres"),
    url: postgresUrl,
    /** Schema of the tables. */
    schema: z.string().min(1, "a schema").optional(),
  }),
  /** Versions are posted as JSON, signed where there is a secret. */
  z.strictObject({
    kind: z.literal("webhook"),
    url: webUrl,
    secret: z.string().min(16, "a secret of 16 characters at least").optional(),
  }),
]);

/** Keys of a configuration file, beside `pipelines`. */
export const settingsShape = {
  /** Root of the lake: a folder, relative to the configuration file, or `s3://bucket/prefix`. */
  lake: z.string().min(1, "a folder such as ./lake, or s3://bucket/prefix").default("./lake"),
  /** Address of the source database; absent means the embedded one. */
  database: postgresUrl.optional(),
  /** Address of Redis; absent means the embedded target. */
  redis: redisUrl.optional(),
  /** By name, what metrics can be published `to` beside `redis` and `files`. */
  targets: z
    .record(z.string().regex(/^[a-z][a-z0-9_]*$/, "lower case letters, digits and _"), targetShape)
    .optional(),
  /** Memory that DuckDB may use before it spills, in megabytes. */
  memoryMb: count(64, 1_048_576).default(256),
  threads: count(1, 1024).default(2),
  /** Folder for what does not fit into that memory; the system's folder for temporary files by default. */
  spillFolder: z.string().min(1, "a folder such as /var/tmp").optional(),
  /** Tables loaded, and models built, at once; each takes a thread of a pool of 16. */
  concurrency: count(1, 12).default(3),
  /** Room for data files fetched from S3, in megabytes; INGOT_CACHE says where. */
  cacheMb: count(100, 100_000_000).default(10_000),
  s3: s3Shape.prefault({}),
  /** Report builds to a catalogue that speaks OpenLineage. */
  openLineage: openLineageShape.optional(),
  /** Traces of what runs, for a collector of OpenTelemetry. */
  tracing: tracingShape.optional(),
  /** A webhook that hears of what is wrong while `ingot start` runs. */
  alerts: alertsShape.optional(),
};

/** Environment variables that override a key, in order of preference. */
const OVERRIDES: readonly (readonly [variable: string, key: string])[] = [
  ["INGOT_LAKE", "lake"],
  ["DATABASE_URL", "database"],
  ["REDIS_URL", "redis"],
  ["INGOT_MEMORY_MB", "memoryMb"],
  ["INGOT_THREADS", "threads"],
  ["INGOT_SPILL_FOLDER", "spillFolder"],
  ["INGOT_CACHE_MB", "cacheMb"],
  ["INGOT_CONCURRENCY", "concurrency"],
  ["AWS_ENDPOINT_URL_S3", "s3.endpoint"],
  ["AWS_ENDPOINT_URL", "s3.endpoint"],
  ["AWS_REGION", "s3.region"],
  ["AWS_DEFAULT_REGION", "s3.region"],
  ["INGOT_S3_PATH_STYLE", "s3.pathStyle"],
  ["INGOT_S3_HTTPFS", "s3.httpfs"],
  ["OPENLINEAGE_URL", "openLineage.url"],
  ["OPENLINEAGE_API_KEY", "openLineage.apiKey"],
  ["OTEL_EXPORTER_OTLP_ENDPOINT", "tracing.url"],
  ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "tracing.tracesUrl"],
  ["INGOT_ALERTS_URL", "alerts.url"],
  ["INGOT_ALERTS_SECRET", "alerts.secret"],
];

/** Where each overridden key came from: the name of the variable. */
type Origins = ReadonlyMap<string, string>;

/** The file's values with the environment's over them. An empty variable counts as absent. */
export function withEnvironment(
  file: Readonly<Record<string, unknown>>,
  environment: Readonly<Record<string, string | undefined>>,
): { values: Record<string, unknown>; origins: Origins } {
  const values: Record<string, unknown> = { ...file };
  const origins = new Map<string, string>();
  for (const [variable, key] of OVERRIDES) {
    const value = environment[variable];
    if (value === undefined || value === "" || origins.has(key)) continue;
    const [outer = "", inner] = key.split(".");
    values[outer] =
      inner === undefined ? value : { ...(values[outer] as object | undefined), [inner]: value };
    origins.set(key, variable);
  }
  return { values, origins };
}

/** Where S3 is, for those who have no configuration file. Throws `CONFIG_INVALID`. */
export function s3FromEnvironment(
  environment: Readonly<Record<string, string | undefined>>,
): z.output<typeof s3Shape> {
  const { values, origins } = withEnvironment({}, environment);
  const parsed = z.object({ s3: settingsShape.s3 }).safeParse({ s3: values.s3 });
  if (!parsed.success) throw settingsError(parsed.error, values, origins, "ingot.config.ts");
  return parsed.data.s3;
}

/** Keys whose values may hold a password: named in errors, never shown. */
const SECRET = new Set([
  "database",
  "redis",
  "s3.endpoint",
  "openLineage",
  "openLineage.url",
  "openLineage.apiKey",
  "tracing",
  "tracing.url",
  "tracing.tracesUrl",
  "alerts",
  "alerts.url",
  "alerts.secret",
]);

/** Whether a value may hold a password; one under a name that nobody knows may too. */
function isSecret(key: string, isUnknown: boolean): boolean {
  const [outer = ""] = key.split(".");
  return SECRET.has(key) || outer === "targets" || (isUnknown && SECRET.has(outer));
}

/** The error for the first value that the schema refused: the key, where it came from, the value, what is allowed. */
export function settingsError(
  error: z.ZodError,
  values: Readonly<Record<string, unknown>>,
  origins: Origins,
  file: string,
): TerminalError {
  const issue = error.issues[0];
  const unknown = issue?.code === "unrecognized_keys" ? issue.keys[0] : undefined;
  const path = unknown === undefined ? (issue?.path ?? []) : [...(issue?.path ?? []), unknown];
  const key = path.map(String).join(".");
  let value: unknown = values;
  for (const part of path) value = (value as Record<PropertyKey, unknown> | undefined)?.[part];
  const origin = origins.get(key) ?? `"${key}" in ${file}`;
  return new TerminalError(
    unknown === undefined
      ? `${origin} has a value that cannot be used`
      : `${origin} is not a key that exists`,
    {
      code: "CONFIG_INVALID",
      value: isSecret(key, unknown !== undefined) ? "(hidden, it may hold a password)" : value,
      allowed:
        unknown === undefined
          ? (issue?.message ?? "")
          : [...Object.keys(settingsShape), "pipelines"].join(", "),
      next: origins.has(key)
        ? `Set ${origins.get(key)} to an allowed value, or unset it.`
        : `Correct ${file}.`,
    },
  );
}
