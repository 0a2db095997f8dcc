/**
 * The actions of the Delta protocol, as one line of a commit or one row of a checkpoint states them
 * (PROTOCOL.md, section "Actions"). Unknown fields are kept, for a checkpoint must not lose what it does not know.
 */
import { z } from "zod";
import { TerminalError } from "../errors.ts";
import { deletionVectorId, deletionVectorSchema } from "./deletion-vector/descriptor.ts";

const counted = z.number().int();
const stringMap = z.record(z.string(), z.string().nullable());

const protocolSchema = z.looseObject({
  minReaderVersion: counted,
  minWriterVersion: counted,
  readerFeatures: z.array(z.string()).optional(),
  writerFeatures: z.array(z.string()).optional(),
});

const metadataSchema = z.looseObject({
  id: z.string(),
  name: z.string().optional(),
  description: z.string().optional(),
  format: z.looseObject({ provider: z.string() }),
  /** JSON text; a table that was never given columns may have none. */
  schemaString: z.string().default('{"type":"struct","fields":[]}'),
  partitionColumns: z.array(z.string()),
  configuration: z.record(z.string(), z.string()).default({}),
  /** Milliseconds since the epoch. */
  createdTime: counted.optional(),
});

const addSchema = z.looseObject({
  /** Relative to the table's root, URI-encoded; or absolute. */
  path: z.string(),
  partitionValues: stringMap.default({}),
  /** Bytes. */
  size: counted,
  /** Milliseconds since the epoch. */
  modificationTime: counted,
  dataChange: z.boolean(),
  /** JSON text: numRecords, minValues, maxValues, nullCount. */
  stats: z.string().optional(),
  tags: stringMap.optional(),
  deletionVector: deletionVectorSchema.optional(),
});

const removeSchema = z.looseObject({
  path: z.string(),
  /** Milliseconds since the epoch; the file may be deleted once this is older than the retention. */
  deletionTimestamp: counted.optional(),
  dataChange: z.boolean(),
  extendedFileMetadata: z.boolean().optional(),
  partitionValues: stringMap.optional(),
  size: counted.optional(),
  stats: z.string().optional(),
  deletionVector: deletionVectorSchema.optional(),
});

/** A file of row-level changes (section "Add CDC File"). */
const cdcSchema = z.looseObject({
  path: z.string(),
  partitionValues: stringMap.default({}),
  size: counted,
  dataChange: z.boolean(),
});

/** In V2 checkpoints only: the version they are of. */
const checkpointMetadataSchema = z.looseObject({ version: counted });

/** In V2 checkpoints only: a file of `_sidecars/` that holds more of the checkpoint. */
const sidecarSchema = z.looseObject({
  path: z.string(),
  sizeInBytes: counted,
  modificationTime: counted,
});

const transactionSchema = z.looseObject({
  appId: z.string(),
  version: counted,
  lastUpdated: counted.optional(),
});

const domainMetadataSchema = z.looseObject({
  domain: z.string(),
  configuration: z.string(),
  removed: z.boolean(),
});

const commitInfoSchema = z.looseObject({
  timestamp: counted.optional(),
  operation: z.string().optional(),
  operationParameters: z.record(z.string(), z.unknown()).optional(),
  operationMetrics: z.record(z.string(), z.unknown()).optional(),
  isBlindAppend: z.boolean().optional(),
  engineInfo: z.string().optional(),
  readVersion: counted.optional(),
  isolationLevel: z.string().optional(),
  /** Whatever the writer wants to be remembered by. */
  userMetadata: z.string().optional(),
  /** Milliseconds since the epoch, ascending with versions; stands for the file's time where the table enables it. */
  inCommitTimestamp: counted.optional(),
  /** Names this very commit, so that its writer can know it again after an ambiguous failure. */
  txnId: z.string().optional(),
});

export type Protocol = z.infer<typeof protocolSchema>;
export type Metadata = z.infer<typeof metadataSchema>;
export type AddFile = z.infer<typeof addSchema>;
export type RemoveFile = z.infer<typeof removeSchema>;
type CdcFile = z.infer<typeof cdcSchema>;
type CheckpointMetadata = z.infer<typeof checkpointMetadataSchema>;
export type Sidecar = z.infer<typeof sidecarSchema>;
export type SetTransaction = z.infer<typeof transactionSchema>;
export type DomainMetadata = z.infer<typeof domainMetadataSchema>;
export type CommitInfo = z.infer<typeof commitInfoSchema>;

/** One action; the key says which. */
export type Action =
  | { readonly protocol: Protocol }
  | { readonly metaData: Metadata }
  | { readonly add: AddFile }
  | { readonly remove: RemoveFile }
  | { readonly cdc: CdcFile }
  | { readonly txn: SetTransaction }
  | { readonly domainMetadata: DomainMetadata }
  | { readonly commitInfo: CommitInfo }
  | { readonly checkpointMetadata: CheckpointMetadata }
  | { readonly sidecar: Sidecar };

const schemas = {
  protocol: protocolSchema,
  metaData: metadataSchema,
  add: addSchema,
  remove: removeSchema,
  cdc: cdcSchema,
  txn: transactionSchema,
  domainMetadata: domainMetadataSchema,
  commitInfo: commitInfoSchema,
  checkpointMetadata: checkpointMetadataSchema,
  sidecar: sidecarSchema,
} as const;

/**
 * The place of a file, whichever way its path was written: URI-decoded, `file:` prefixes off. Two actions whose paths
 * lead to one place concern one file on the store.
 */
export function canonicalPath(path: string): string {
  const bare = /^file:/i.test(path) ? path.replace(/^file:(\/\/[^/]*)?/i, "") : path;
  try {
    return decodeURIComponent(bare);
  } catch {
    // A lone % is what a faulty writer left; it stands for itself.
    return bare;
  }
}

/**
 * The identity of a logical file: one path, as it is written, with one deletion vector or none (section "Action
 * Reconciliation"). Writers repeat a path as the `add` has it; delta-kernel compares them so too.
 */
export function logicalFile(file: Pick<AddFile | RemoveFile, "path" | "deletionVector">): string {
  const vector = file.deletionVector;
  return `${file.path}\n${vector === undefined ? "" : deletionVectorId(vector)}`;
}

type ActionKind = keyof typeof schemas;

/** One parsed action of a given kind; `where` names the file for the error. */
export function parseAction(kind: string, value: unknown, where: string): Action | undefined {
  if (!(kind in schemas)) return undefined;
  const parsed = schemas[kind as ActionKind].safeParse(withoutNulls(value));
  if (!parsed.success) {
    throw new TerminalError(`${where} holds a ${kind} action that breaks the Delta protocol`, {
      code: "DELTA_BAD_ACTION",
      value: z.prettifyError(parsed.error),
      next: "The log is damaged or was written by a faulty writer; read an earlier version with --version.",
    });
  }
  return { [kind]: parsed.data } as unknown as Action;
}

/** All actions of a commit file: one JSON object a line. */
export function parseCommit(text: string, where: string): Action[] {
  const actions: Action[] = [];
  for (const line of text.split("\n")) {
    if (line.trim() === "") continue;
    let object: Record<string, unknown>;
    try {
      object = JSON.parse(line) as Record<string, unknown>;
    } catch (cause) {
      throw new TerminalError(`${where} holds a line that is no JSON`, {
        code: "DELTA_BAD_ACTION",
        value: line.slice(0, 200),
        cause,
      });
    }
    for (const [kind, value] of Object.entries(object)) {
      const action = value === null ? undefined : parseAction(kind, value, where);
      if (action) actions.push(action);
    }
  }
  return actions;
}

export function serializeCommit(actions: readonly Action[]): Uint8Array {
  return Buffer.from(`${actions.map((action) => JSON.stringify(action)).join("\n")}\n`);
}

/** Some writers state absent fields as null; partition values alone may be null in earnest. */
function withoutNulls(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).filter(([, v]) => v !== null));
}
