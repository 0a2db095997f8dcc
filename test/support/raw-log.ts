/** Logs written action by action, for states that the kernel's own writers do not make. */
import {
  type Action,
  type AddFile,
  type Metadata,
  type RemoveFile,
  serializeCommit,
} from "../../lakehouse/delta/actions.ts";
import { commitPath, parseLogName } from "../../lakehouse/delta/log.ts";
import { field } from "../../lakehouse/delta/schema.ts";
import { MemoryStore } from "../../lakehouse/store/memory.ts";
import type { ObjectStore, StoredObject } from "../../lakehouse/store/store.ts";

/** A table of one column with these properties. */
export function rawTable(configuration: Readonly<Record<string, string>> = {}): [Action, Action] {
  const features = ["deletionVectors", "v2Checkpoint"];
  const metadata: Metadata = {
    id: "table",
    format: { provider: "parquet", options: {} },
    schemaString: JSON.stringify({ type: "struct", fields: [field("id", "long")] }),
    partitionColumns: [],
    configuration: { ...configuration },
    createdTime: 1,
  };
  const protocol = {
    minReaderVersion: 3,
    minWriterVersion: 7,
    readerFeatures: features,
    writerFeatures: ["domainMetadata", "inCommitTimestamp", ...features],
  };
  return [{ protocol }, { metaData: metadata }];
}

export function rawAdd(path: string, more: Partial<AddFile> = {}): Action {
  return { add: { path, partitionValues: {}, size: 1, modificationTime: 1, dataChange: true, ...more } };
}

export function rawRemove(path: string, more: Partial<RemoveFile> = {}): Action {
  return { remove: { path, deletionTimestamp: Date.now(), dataChange: true, ...more } };
}

/** Puts a commit in its place, whether there was one or not. */
export async function putCommit(
  store: ObjectStore,
  version: number,
  actions: readonly Action[],
): Promise<void> {
  await store.put(commitPath(version), serializeCommit(actions));
}

/** A store whose files of the log are as old as a function of their version says. */
export class DatedStore extends MemoryStore {
  timeOf: (version: number) => number = Date.now;

  override async list(prefix: string, from?: string): Promise<StoredObject[]> {
    const listed = await super.list(prefix, from);
    return listed.map((object) => {
      const version = parseLogName(object.path)?.version;
      return version === undefined ? object : { ...object, modifiedAt: this.timeOf(version) };
    });
  }
}
