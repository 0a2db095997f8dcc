/** The configuration of an installation: settings and pipelines. */
import { z } from "zod";
import { settingsError, settingsShape, withEnvironment } from "../../lakehouse/config/settings.ts";
import { auditsSchema } from "./audit-schema.ts";
import type { PipelineDefinition } from "./pipeline.ts";
import { pipelineError } from "./pipeline-error.ts";
import { publishedSchema } from "./published-schema.ts";
import { findSlotClash } from "./replication-names.ts";
import { checkFollowing, schedulesSchema } from "./schedule-schema.ts";

const isFunction = z.custom<(...args: never[]) => unknown>(
  (value) => typeof value === "function",
  "a function",
);
/** Names that DuckDB keeps for catalogs of its own. */
const RESERVED = ["main", "memory", "system", "temp"];
const tableName = z
  .string()
  .regex(/^(?!\.{1,2}$)[^/\\]+$/, "a name that can be a folder: no slash, not empty, not . or ..");
const name = z
  .string()
  .regex(/^[a-z][a-z0-9_]*$/, "lower case letters, digits and _, beginning with a letter");
const contract = z.custom<object>(
  (value) => typeof value === "object" && value !== null && "columns" in value && "key" in value,
  "a contract made by defineTable()",
);
const column = z.custom<object>(
  (value) => typeof value === "object" && value !== null && "type" in value && "zod" in value,
  "a column of a contract, such as long()",
);
function isTimeZone(timeZone: string): boolean {
  try {
    return new Intl.DateTimeFormat("en-US", { timeZone }).format(0) !== "";
  } catch {
    return false;
  }
}
const models = z.record(
  name,
  z.strictObject({
    kind: z.enum(["append", "merge", "aggregate", "full", "scd2", "snapshot", "stateful"]),
    contract,
    audits: auditsSchema.optional(),
    touches: z.record(z.string(), z.string()).optional(),
    reach: z.string().optional(),
    input: z.record(z.string(), column).optional(),
    by: z.array(z.string()).min(1, "at least one column").optional(),
    order: z.array(z.string()).min(1, "at least one column").optional(),
    step: isFunction.optional(),
    column: z.string().min(1, "a column of the contract").optional(),
    every: z.enum(["day", "hour"], '"day" or "hour"').optional(),
    timeZone: z.string().refine(isTimeZone, "a time zone such as Europe/Berlin").optional(),
    cold: z
      .strictObject({
        afterDays: z.int().positive("a whole number of days, at least 1"),
        lake: z.string().min(1, "a folder such as ./archive, or s3://bucket/prefix").optional(),
      })
      .optional(),
    quarantine: z
      .strictObject({
        stopAtRate: z.number().positive().max(1, "a part of the rows, more than 0 up to 1").optional(),
        stopAtRows: z.int().positive("a whole number, at least 1").optional(),
      })
      .optional(),
  }),
);

const positive = z.number().positive("more than 0");
const slotName = z.string().regex(/^[a-z0-9_]{1,63}$/, "1 to 63 lower case letters, digits and _");

/** Where rows come from. */
const source = z
  .strictObject({
    kind: z.literal("postgres"),
    tables: z.record(
      tableName,
      z.strictObject({
        schema: z.string().min(1).optional(),
        table: z.string().min(1).optional(),
        key: z
          .union([z.array(z.string()).min(1), z.literal("none")], 'a list of columns, or "none"')
          .optional(),
        cursor: z.string().min(1).optional(),
        longestTransaction: z.number().positive("seconds, more than 0").optional(),
        deletes: z.enum(["ignore", "compare"], '"ignore" or "compare"').optional(),
        drift: z.enum(["evolve", "quarantine", "freeze"], '"evolve", "quarantine" or "freeze"').optional(),
      }),
    ),
    discover: z.array(z.string().min(1)).min(1).optional(),
    changes: z.enum(["wal", "query"], '"wal" or "query"').optional(),
    wal: z
      .strictObject({
        slot: slotName.optional(),
        publication: z.string().min(1).max(63).optional(),
        warnMegabytes: positive.optional(),
        stopMegabytes: positive.optional(),
        messages: tableName.optional(),
        origin: z.enum(["any", "none"], '"any" or "none"').optional(),
      })
      .optional(),
    limits: z
      .strictObject({
        connections: z.int().positive("a whole number, at least 1").optional(),
        statementSeconds: positive.optional(),
        megabytesPerSecond: positive.optional(),
      })
      .optional(),
  })
  .refine(({ wal, changes }) => wal?.messages === undefined || changes === "wal", {
    path: ["wal", "messages"],
    message: 'no name of a table, unless changes: "wal"',
  })
  .refine(({ wal, tables }) => wal?.messages === undefined || !Object.hasOwn(tables, wal.messages), {
    path: ["wal", "messages"],
    message: "a name that none of the tables has",
  });

const pipelineSchema = z.strictObject({
  name: name.refine((value) => !RESERVED.includes(value), `a name other than ${RESERVED.join(", ")}`),
  folder: z.instanceof(URL, { message: 'new URL(".", import.meta.url)' }).optional(),
  source,
  silver: models.optional(),
  gold: models.optional(),
  publish: publishedSchema.optional(),
  schedules: schedulesSchema.optional(),
  tests: isFunction.optional(),
  bootstrap: isFunction.optional(),
  simulate: isFunction.optional(),
});

const pipelines = z
  .array(pipelineSchema)
  .min(1, "at least one pipeline")
  .superRefine((list, context) => {
    for (const [index, pipeline] of (list as unknown as PipelineDefinition[]).entries()) {
      checkFollowing(pipeline, (path, message) =>
        context.addIssue({ code: "custom", path: [index, ...path], message }),
      );
    }
    // All pipelines of a configuration have one database.
    const clash = findSlotClash(list as unknown as PipelineDefinition[]);
    if (clash === undefined) return;
    const message = `a replication slot that pipeline ${clash.other} does not read: ${clash.slot} is taken`;
    context.addIssue({ code: "custom", path: [clash.index, "source", "wal", "slot"], message });
  });

const configSchema = z.strictObject({ ...settingsShape, pipelines }).superRefine((config, context) => {
  const known = new Set(["redis", "files", ...Object.keys(config.targets ?? {})]);
  for (const [i, pipeline] of config.pipelines.entries()) {
    for (const [j, { to = [] }] of (pipeline.publish ?? []).entries()) {
      const k = to.findIndex((target) => !known.has(target));
      if (k < 0) continue;
      const message = `a target: ${[...known].join(", ")}`;
      context.addIssue({ code: "custom", path: ["pipelines", i, "publish", j, "to", k], message });
    }
  }
});

/** What `ingot.config.ts` exports; every key but `pipelines` has a default. */
export type ConfigInput = Omit<z.input<typeof configSchema>, "pipelines"> & {
  readonly pipelines: readonly PipelineDefinition[];
};

/** A configuration with all defaults and overrides in place. */
export type Config = Omit<z.output<typeof configSchema>, "pipelines"> & {
  readonly pipelines: readonly PipelineDefinition[];
};

/** Gives `ingot.config.ts` its types. */
export function defineConfig(config: ConfigInput): ConfigInput {
  return config;
}

/** Parses what a configuration file exported, with the environment over it. `file` is for messages. */
export function parseConfig(
  input: unknown,
  environment: Readonly<Record<string, string | undefined>>,
  file: string,
): Config {
  const object = typeof input === "object" && input !== null ? (input as Record<string, unknown>) : {};
  const { values, origins } = withEnvironment(object, environment);
  const parsed = configSchema.safeParse(values);
  if (!parsed.success)
    throw pipelineError(parsed.error, values, file) ?? settingsError(parsed.error, values, origins, file);
  return parsed.data as unknown as Config;
}
