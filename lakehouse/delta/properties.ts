/** Table properties that a writer must act upon (PROTOCOL.md, Delta's documentation of table properties). */
import { TerminalError } from "../errors.ts";
import { CONSTRAINT_PREFIX } from "./constraints.ts";
import { parseInterval } from "./retention.ts";
import type { DataType, StructType } from "./schema.ts";

/** Properties that switch a feature on when they are `true`. */
const SWITCHES: Readonly<Record<string, string>> = {
  "delta.appendOnly": "appendOnly",
  "delta.enableChangeDataFeed": "changeDataFeed",
  "delta.enableDeletionVectors": "deletionVectors",
  "delta.enableInCommitTimestamps": "inCommitTimestamp",
  "delta.enableTypeWidening": "typeWidening",
};
/** Properties that this kernel honours or may pass on as they are. */
const OTHERS = new Set([
  "delta.checkpointInterval",
  "delta.checkpointPolicy",
  "delta.checkpoint.writeStatsAsJson",
  "delta.checkpoint.writeStatsAsStruct",
  "delta.columnMapping.mode",
  "delta.columnMapping.maxColumnId",
  "delta.dataSkippingNumIndexedCols",
  "delta.deletedFileRetentionDuration",
  "delta.enableExpiredLogCleanup",
  "delta.inCommitTimestampEnablementTimestamp",
  "delta.inCommitTimestampEnablementVersion",
  "delta.isolationLevel",
  "delta.logRetentionDuration",
  "delta.minReaderVersion",
  "delta.minWriterVersion",
  "delta.setTransactionRetentionDuration",
  "delta.targetFileSize",
]);

type Properties = Readonly<Record<string, string>>;

/** The features that properties and columns ask for. */
export function featuresFor(configuration: Properties, schema: StructType): string[] {
  const features = Object.entries(SWITCHES).flatMap(([key, feature]) =>
    configuration[key] === "true" ? feature : [],
  );
  const mode = configuration["delta.columnMapping.mode"];
  if (mode === "name" || mode === "id") features.push("columnMapping");
  if (configuration["delta.checkpointPolicy"] === "v2") features.push("v2Checkpoint");
  if (Object.keys(configuration).some((key) => key.startsWith(CONSTRAINT_PREFIX)))
    features.push("checkConstraints");
  if (uses(schema, "timestamp_ntz")) features.push("timestampNtz");
  return features;
}

function uses(type: DataType, primitive: string): boolean {
  if (typeof type === "string") return type === primitive;
  if (type.type === "struct") return type.fields.some((f) => uses(f.type, primitive));
  if (type.type === "array") return uses(type.elementType, primitive);
  return uses(type.keyType, primitive) || uses(type.valueType, primitive);
}

/** Columns of a change feed beside the table's (PROTOCOL.md, "Change Data Files"). */
const FEED = ["_change_type", "_commit_version", "_commit_timestamp"];

/** Refuses a change feed for a table whose own columns have the names of the feed's. */
export function checkFeedNames(configuration: Properties, schema: StructType): void {
  if (configuration["delta.enableChangeDataFeed"] !== "true") return;
  const taken = schema.fields.find((f) => FEED.includes(f.name.toLowerCase()));
  if (taken === undefined) return;
  throw new TerminalError(`a table with a column "${taken.name}" cannot have a change feed`, {
    code: "DELTA_BAD_SCHEMA",
    value: taken.name,
    allowed: `other names than ${FEED.join(", ")}`,
    next: "Give the column another name, or leave delta.enableChangeDataFeed off.",
  });
}

/** Refuses properties of Delta's that this kernel would not honour, and values that they cannot have. */
export function checkProperties(properties: Properties): void {
  for (const [key, value] of Object.entries(properties)) {
    if (!key.startsWith("delta.") || key.startsWith(CONSTRAINT_PREFIX)) continue;
    if (!(key in SWITCHES) && !OTHERS.has(key)) {
      throw new TerminalError(`property ${key} is not one that can be set`, {
        code: "DELTA_BAD_PROPERTY",
        value: key,
        allowed: [...Object.keys(SWITCHES), ...OTHERS].join(", "),
        next: "Correct the name; names of your own must not begin with delta.",
      });
    }
    const shape = SHAPES[key];
    if (shape !== undefined && !shape.test(value)) throw badValue(key, value, shape.allowed);
    const allowed = allowedValues(key);
    if (allowed !== undefined && !allowed.includes(value)) {
      throw badValue(key, value, allowed.join(", "));
    }
  }
}

interface Shape {
  readonly allowed: string;
  readonly test: (value: string) => boolean;
}

const interval: Shape = {
  allowed: "an interval such as interval 7 days",
  test: (value) => {
    try {
      return parseInterval(value) !== undefined;
    } catch {
      return false;
    }
  },
};
const count = (least: number): Shape => ({
  allowed: `a whole number from ${least}`,
  test: (value) => /^\d+$/.test(value) && Number(value) >= least,
});

/** Properties with values of a kind. */
const SHAPES: Readonly<Record<string, Shape>> = {
  "delta.checkpointInterval": count(1),
  "delta.dataSkippingNumIndexedCols": {
    allowed: "a whole number, -1 for all columns",
    test: (value) => /^(-1|\d+)$/.test(value),
  },
  "delta.deletedFileRetentionDuration": interval,
  "delta.logRetentionDuration": interval,
  "delta.setTransactionRetentionDuration": interval,
  "delta.targetFileSize": {
    allowed: "bytes, such as 104857600, 100mb or 1gb",
    test: (value) => /^[1-9]\d*\s*([kmg]?b?)$/i.test(value.trim()),
  },
};

function badValue(key: string, value: string, allowed: string): TerminalError {
  return new TerminalError(`property ${key} cannot be ${value}`, {
    code: "DELTA_BAD_PROPERTY",
    value,
    allowed,
  });
}

function allowedValues(key: string): readonly string[] | undefined {
  if (key in SWITCHES) return ["true", "false"];
  if (key === "delta.columnMapping.mode") return ["none", "name", "id"];
  if (key === "delta.checkpointPolicy") return ["classic", "v2"];
  if (key === "delta.isolationLevel") return ["Serializable"];
  return undefined;
}
