/** Python that knows the table as `path`. */
export interface Program {
  readonly program: string;
}

/** A table that another engine makes and Ingot reads. A step of text is SQL with `{t}` for the table. */
export interface ForeignTable<Step extends string | Program = string | Program> {
  readonly name: string;
  /** What makes it. */
  readonly make: readonly Step[];
  /** The first version that is still in the log; 0 where not given. */
  readonly from?: number;
  /** The change feed is compared too, from this version on. */
  readonly changesFrom?: number;
}

/** Deletes the entries of the log before a version, as log cleanup does once a checkpoint stands in for them. */
export function forget(version: number): Program {
  return {
    program: `
import glob, os
for file in glob.glob(path + "/_delta_log/*"):
    name = os.path.basename(file)
    if name[:20].isdigit() and int(name[:20]) < ${version}:
        os.remove(file)
`,
  };
}
