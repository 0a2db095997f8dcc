/** The columns of the checkpoints that are written (PROTOCOL.md, "Checkpoint Schema"), as types of DuckDB. */

const TEXT_MAP = "MAP(VARCHAR, VARCHAR)";
const VECTOR =
  'STRUCT("storageType" VARCHAR, "pathOrInlineDv" VARCHAR, "offset" INTEGER, "sizeInBytes" INTEGER, "cardinality" BIGINT, "maxRowIndex" BIGINT)';

const struct = (fields: Readonly<Record<string, string>>) =>
  `STRUCT(${Object.entries(fields)
    .map(([name, type]) => `"${name}" ${type}`)
    .join(", ")})`;

/** Fields of `add` with their types. */
export const ADD_FIELDS: Readonly<Record<string, string>> = {
  path: "VARCHAR",
  partitionValues: TEXT_MAP,
  size: "BIGINT",
  modificationTime: "BIGINT",
  dataChange: "BOOLEAN",
  stats: "VARCHAR",
  tags: TEXT_MAP,
  deletionVector: VECTOR,
  baseRowId: "BIGINT",
  defaultRowCommitVersion: "BIGINT",
  clusteringProvider: "VARCHAR",
};

/** Actions of every checkpoint. */
export const V1_COLUMNS: Readonly<Record<string, string>> = {
  txn: struct({ appId: "VARCHAR", version: "BIGINT", lastUpdated: "BIGINT" }),
  add: struct(ADD_FIELDS),
  remove: struct({
    path: "VARCHAR",
    deletionTimestamp: "BIGINT",
    dataChange: "BOOLEAN",
    extendedFileMetadata: "BOOLEAN",
    partitionValues: TEXT_MAP,
    size: "BIGINT",
    deletionVector: VECTOR,
    baseRowId: "BIGINT",
    defaultRowCommitVersion: "BIGINT",
  }),
  metaData: struct({
    id: "VARCHAR",
    name: "VARCHAR",
    description: "VARCHAR",
    format: struct({ provider: "VARCHAR", options: TEXT_MAP }),
    schemaString: "VARCHAR",
    partitionColumns: "VARCHAR[]",
    configuration: TEXT_MAP,
    createdTime: "BIGINT",
  }),
  protocol: struct({
    minReaderVersion: "INTEGER",
    minWriterVersion: "INTEGER",
    readerFeatures: "VARCHAR[]",
    writerFeatures: "VARCHAR[]",
  }),
  domainMetadata: struct({ domain: "VARCHAR", configuration: "VARCHAR", removed: "BOOLEAN" }),
};

/** Actions of V2 checkpoints. */
export const V2_COLUMNS: Readonly<Record<string, string>> = {
  ...V1_COLUMNS,
  checkpointMetadata: struct({ version: "BIGINT", tags: TEXT_MAP }),
  sidecar: struct({ path: "VARCHAR", sizeInBytes: "BIGINT", modificationTime: "BIGINT", tags: TEXT_MAP }),
};
