/** Whether data files have the columns that the table says. */
import { messageOf } from "../../../errors.ts";
import type { StoredObject } from "../../../store/store.ts";
import type { AddFile } from "../../actions.ts";
import { widens } from "../../evolve.ts";
import { dataFields, idInFiles, layoutOf, nameInFiles } from "../../layout.ts";
import { fileAddresses, scannable } from "../../scan.ts";
import type { StructField } from "../../schema.ts";
import type { Snapshot } from "../../snapshot.ts";
import type { DeltaTable } from "../../table.ts";
import { fileSchema } from "../convert/parquet-schema.ts";
import { storedPath } from "../stored-path.ts";
import { type Finding, someOf } from "./finding.ts";

/** Files whose footers are read. */
const SAMPLE = 10;

/** Compares the footers of some of the stored files, spread over the table, with its columns. */
export async function checkColumns(
  table: DeltaTable,
  snapshot: Snapshot,
  stored: readonly StoredObject[],
): Promise<Finding[]> {
  const unreadable: string[] = [];
  const differing: string[] = [];
  const paths = new Set(stored.map(({ path }) => path));
  const isThere = ({ path }: AddFile) => paths.has(storedPath(table.store, path) ?? "");
  for (const file of spread([...snapshot.files.values()].filter(isThere), SAMPLE)) {
    try {
      const [address = ""] = await fileAddresses(table.store, { ...scannable(snapshot), files: [file] });
      const { fields } = await fileSchema(table.duckdb, { path: file.path, address });
      differing.push(...differences(snapshot, fields).map((what) => `${what} in ${file.path}`));
    } catch (error) {
      const reason = messageOf(error instanceof Error ? (error.cause ?? error) : error);
      unreadable.push(`${file.path}: ${reason.split("\n")[0]}`);
    }
  }
  return [
    ...(unreadable.length === 0
      ? []
      : [
          {
            severity: "error" as const,
            code: "file-unreadable",
            message: `data files cannot be read: ${unreadable.length} of those looked at`,
            value: someOf(unreadable),
            next: "Restore the files from a backup, or go back with `ingot table restore`.",
          },
        ]),
    ...(differing.length === 0
      ? []
      : [
          {
            severity: "error" as const,
            code: "columns-differ",
            message: "data files have other columns than the table says",
            value: someOf(differing),
            next: "Overwrite the rows of these files with ones of the table's types.",
          },
        ]),
  ];
}

function spread(files: readonly AddFile[], count: number): AddFile[] {
  const step = Math.max(1, files.length / count);
  return Array.from({ length: Math.min(count, files.length) }, (_, i) => files[Math.floor(i * step)]).filter(
    (file) => file !== undefined,
  );
}

/** A file may lack columns that came later, but not such as may not be null. */
function differences(snapshot: Snapshot, inFile: readonly StructField[]): string[] {
  const layout = layoutOf(snapshot.metadata, snapshot.schema);
  const found = new Map(inFile.map((f) => [f.name, f]));
  return dataFields(layout).flatMap((f) => {
    const name = nameInFiles(layout, f);
    const actual = found.get(name);
    // Where files are mapped by id, names need not agree.
    if (actual === undefined) {
      const mayLack = f.nullable || (layout.mapping === "id" && idInFiles(layout, f) !== undefined);
      return mayLack ? [] : [`no column ${f.name}, which may not be null,`];
    }
    // Files keep variants as structs that say nothing of their kind.
    if (f.type === "variant") return [];
    if (typeof f.type !== "string" || typeof actual.type !== "string") {
      const kind = (field: StructField) => (typeof field.type === "string" ? field.type : field.type.type);
      return kind(f) === kind(actual) ? [] : [`${f.name} is ${kind(actual)}, not ${kind(f)},`];
    }
    return actual.type === f.type || widens(actual.type, f.type) || sameStorage(actual.type, f.type)
      ? []
      : [`${f.name} is ${actual.type}, not ${f.type},`];
  });
}

/** Writers may store types in ways that readers take for one another. */
function sameStorage(actual: string, wanted: string): boolean {
  const kinds = [
    ["timestamp", "timestamp_ntz"],
    ["binary", "string"],
    ["byte", "short", "integer"],
  ];
  return kinds.some((kind) => kind.includes(actual) && kind.includes(wanted));
}
