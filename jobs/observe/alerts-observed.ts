/** What an observation says of freshness, quarantines and slots. Pure. */
import { judgeSlot } from "../../layers/bronze/postgres/replication/slot.ts";
import type { PipelineDefinition } from "../../layers/definition/pipeline.ts";
import { formatDuration, groupDigits } from "../terminal/numbers.ts";
import type { Condition, Verdict } from "./alerts-condition.ts";
import type { Observation } from "./observation.ts";
import { freshColumns } from "./table-observation.ts";

/** Rows of quarantines that are taken as they are, by table: more of them is news. */
type Baselines = Readonly<Record<string, number>>;

/** A baseline that says: as many as are found when it can be looked at. */
const AS_FOUND = Number.MAX_SAFE_INTEGER;
const GRAVITY = { warning: 1, stop: 2, lost: 3 };

/** The verdicts of an observation about a pipeline. What could not be looked at has none. */
export function observedVerdicts(
  pipeline: PipelineDefinition,
  observation: Observation,
  baselines: Baselines,
): Verdict[] {
  const of = <T extends { readonly pipeline: string }>(items: readonly T[]) =>
    items.filter((item) => item.pipeline === pipeline.name);
  const tables = of(observation.tables);
  const isLoaded = tables.some(({ table }) => table.startsWith("bronze."));
  const bronze = [`table ${pipeline.name}.bronze.`, `tables of ${pipeline.name}`];
  const mayBeLoaded = observation.errors.some(({ what }) => bronze.some((name) => what.startsWith(name)));
  return [
    ...tables.flatMap((table) =>
      table.freshness === undefined
        ? []
        : [verdict(`stale ${table.table}`, stale(observation.at, { ...table, ...table.freshness }))],
    ),
    ...of(observation.quarantines).map(({ table, rows }) => {
      const before = baselines[table] ?? 0;
      return verdict(`quarantine ${table}`, held(observation.at, pipeline.name, { table, rows, before }));
    }),
    ...of(observation.slots).flatMap((slot) =>
      slot.status === "missing" && !isLoaded && mayBeLoaded
        ? []
        : [verdict(`slot ${slot.slot}`, burdened(observation.at, pipeline, slot, isLoaded))],
    ),
  ];
}

/** Of these keys those that an observation would speak of if what they are about were still there. */
export function vanished(
  pipeline: PipelineDefinition,
  { errors }: Pick<Observation, "errors">,
  keys: readonly string[],
): string[] {
  const { name } = pipeline;
  const failed = (...parts: string[]) => errors.some(({ what }) => parts.includes(what));
  return keys.filter((key) => {
    const [word = "", ...rest] = key.split(" ");
    const subject = rest.join(" ");
    // A table without rows has no newest value that would be young enough.
    if (word === "stale")
      return (
        !failed(`table ${name}.${subject}`, `freshness ${name}.${subject}`) && !isToBeFresh(pipeline, subject)
      );
    if (word === "quarantine") return !failed(`quarantine ${name}.${subject}`);
    return word === "slot" && !failed("slots", `slot ${name}`);
  });
}

function isToBeFresh(pipeline: PipelineDefinition, table: string): boolean {
  return (["silver", "gold"] as const).some((layer) => {
    const model = table.startsWith(`${layer}.`) && pipeline[layer]?.[table.slice(layer.length + 1)];
    return model && freshColumns(pipeline, model).length > 0;
  });
}

const verdict = (key: string, condition: Condition | undefined): Verdict =>
  condition === undefined ? { key } : { key, condition };

/**
 * The baselines after an observation: what was there at the first one, or when a table that could not be looked at then
 * could be for the first time, and never more than there is now. Of a table that is new later every row is news.
 */
export function nextBaselines(
  pipeline: string,
  { quarantines, errors }: Observation,
  before: Baselines | undefined,
): Baselines {
  const next: Record<string, number> = { ...before };
  const hidden = `quarantine ${pipeline}.`;
  for (const { what } of before === undefined ? errors : [])
    if (what.startsWith(hidden)) next[what.slice(hidden.length)] = AS_FOUND;
  for (const { pipeline: owner, table, rows } of quarantines) {
    if (owner !== pipeline) continue;
    next[table] = Math.min(rows, before === undefined ? rows : (before[table] ?? 0));
  }
  return next;
}

function stale(
  at: number,
  {
    pipeline,
    table,
    lagMs,
    allowedMs,
  }: {
    readonly pipeline: string;
    readonly table: string;
    readonly lagMs: number;
    readonly allowedMs: number;
  },
): Condition | undefined {
  if (lagMs <= allowedMs) return undefined;
  return {
    alert: "staleness",
    subject: table,
    since: at - (lagMs - allowedMs),
    summary: `${pipeline}.${table} is stale: its newest value is ${formatDuration(lagMs)} old, ${formatDuration(allowedMs)} is allowed`,
    details: { lagSeconds: Math.round(lagMs / 1000), allowedSeconds: Math.round(allowedMs / 1000) },
    next: "`ingot status` and `ingot schedule ls` say what ran last; the source may have nothing new either.",
  };
}

function held(
  at: number,
  pipeline: string,
  { table, rows, before }: { readonly table: string; readonly rows: number; readonly before: number },
): Condition | undefined {
  if (rows <= before) return undefined;
  const more = before === 0 ? "" : `, ${groupDigits(rows - before)} more than there were`;
  return {
    alert: "quarantine",
    subject: table,
    since: at,
    summary: `${pipeline}.${table} has ${groupDigits(rows)} ${rows === 1 ? "row" : "rows"} in quarantine${more}`,
    details: { rows, before },
    next: `\`ingot quarantine show ${table}\` shows them and what they break; correct them, or the contract, and replay.`,
    size: rows - before,
  };
}

function burdened(
  at: number,
  { name: pipeline, source }: PipelineDefinition,
  { slot, status, retainedBytes = 0, lagBytes = 0 }: Observation["slots"][number],
  isLoaded: boolean,
): Condition | undefined {
  const about = { alert: "slot", subject: slot, since: at } as const;
  if (status === "lost" || (status === "missing" && isLoaded)) {
    return {
      ...about,
      summary: `${pipeline}: replication slot ${slot} is ${status === "lost" ? "lost" : "not there"}`,
      details: { status },
      gravity: GRAVITY.lost,
      next: "The next sync makes a new one and compares the tables with the source; see that one runs.",
    };
  }
  const state = {
    name: slot,
    active: status === "in use",
    lost: false,
    heldBytes: retainedBytes,
    behindBytes: lagBytes,
    safeBytes: undefined,
    writtenLsn: undefined,
  };
  const judged = judgeSlot(state, source.wal);
  if (judged.level === "fine") return undefined;
  return {
    ...about,
    summary: `${pipeline}: ${judged.message}`,
    details: { status, retainedBytes, lagBytes },
    next: `See that a sync runs, and how far: \`ingot slot ${pipeline}\`.`,
    size: retainedBytes,
    gravity: GRAVITY[judged.level],
  };
}
