/** The rows of a version in files of bounded size, one row a line. */
import { createHash } from "node:crypto";
import type { ObjectStore } from "../../../lakehouse/store/store.ts";
import { type Publication, type PublishedRow, rowId } from "../target.ts";
import { parseRow } from "../version-schema.ts";

/** Bytes of a file, about. */
const FILE_BYTES = 4 * 1024 * 1024;

/** One row as a line: its key, where its set has keys, and the row. */
const lineOf = (id: string | null | undefined, json: string): string =>
  `${JSON.stringify(id ?? "")}\t${json}\n`;

export interface RowFiles {
  readonly files: readonly string[];
  readonly digest: string;
  readonly rows: number;
}

/**
 * Gives rows file by file to `write`, which says under which name they are; the memory is that of one file.
 */
export async function inFiles(
  publication: Publication,
  write: (bytes: Buffer, index: number) => Promise<string>,
): Promise<RowFiles> {
  const digest = createHash("sha256");
  const files: string[] = [];
  let lines: string[] = [];
  let size = 0;
  let rows = 0;
  const flush = async () => {
    const bytes = Buffer.from(lines.join(""));
    digest.update(bytes);
    files.push(await write(bytes, files.length));
    lines = [];
    size = 0;
  };
  for await (const batch of publication.rows()) {
    for (const [i, json] of batch.json.entries()) {
      const line = lineOf(batch.ids[i], json);
      lines.push(line);
      size += line.length;
      rows += 1;
      if (size >= FILE_BYTES) await flush();
    }
  }
  if (lines.length > 0) await flush();
  return { files, digest: digest.digest("hex"), rows };
}

/** Rows of these files in their order; undefined where one of them is gone. `key`: only the row of this key. */
export async function readFiles(
  store: ObjectStore,
  folder: string,
  files: readonly string[],
  key?: readonly string[],
): Promise<PublishedRow[] | undefined> {
  const rows: PublishedRow[] = [];
  const wanted = key === undefined ? undefined : JSON.stringify(rowId(key));
  for (const name of files) {
    const path = `${folder}${name}`;
    const bytes = await store.get(path);
    if (bytes === undefined) return undefined;
    for (const line of Buffer.from(bytes).toString().split("\n")) {
      if (line === "") continue;
      const tab = line.indexOf("\t");
      if (wanted !== undefined && line.slice(0, tab) !== wanted) continue;
      rows.push(parseRow(line.slice(tab + 1), path));
    }
  }
  return rows;
}
