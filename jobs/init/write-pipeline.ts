/** The files of a pipeline and of the configuration. */
import type { ChangesChoice } from "./choose-changes.ts";
import type { PlannedTable } from "./plan-table.ts";
import { commentLines, entryText, stringText } from "./typescript.ts";

export interface PlannedPipeline {
  readonly name: string;
  /** Constant that holds it. */
  readonly constant: string;
  readonly choice: ChangesChoice;
  readonly tables: readonly PlannedTable[];
}

/** `orders_2` before `orders_10`, and both before `ordersold`, as import sorters have it. */
const NATURAL = new Intl.Collator("en", { numeric: true });

export function writePipeline({ name, constant, choice, tables }: PlannedPipeline): string {
  const modelled = tables.filter(({ model }) => model !== undefined);
  const imports = ["definePipeline", ...(modelled.length > 0 ? ["merge"] : []), "postgres"];
  const contracts = [...modelled].sort((a, b) => NATURAL.compare(a.name, b.name));
  return [
    `import { ${imports.join(", ")} } from "ingot";`,
    ...contracts.map((table) => `import { ${table.constant} } from "../../schemas/${table.name}.ts";`),
    "",
    `export const ${constant} = definePipeline({`,
    `  name: ${stringText(name)},`,
    '  folder: new URL(".", import.meta.url),',
    "",
    "  source: postgres({",
    ...changesLines(choice, tables),
    "    tables: {",
    ...tables.flatMap(({ name: table, options, notes }) => [
      ...notes.flatMap((note) => commentLines(note, "      ")),
      entryText(table, options, "      "),
    ]),
    "    },",
    "  }),",
    ...(modelled.length === 0
      ? []
      : [
          "",
          "  silver: {",
          ...modelled.map((table) => `    ${table.name}: merge(${table.constant}),`),
          "  },",
        ]),
    "});",
    "",
  ].join("\n");
}

function changesLines(
  { changes, why, publication, obstacles }: ChangesChoice,
  tables: readonly PlannedTable[],
) {
  const reasons = [why, ...obstacles].map((text) => `${asSentence(text)}.`);
  return [
    ...commentLines(reasons.join(" "), "    "),
    ...(changes === "query" && tables.some(({ options }) => options.deletes !== undefined)
      ? commentLines(
          'Rows that are gone are found by comparing keys; take `deletes: "compare"` out where none go.',
          "    ",
        )
      : []),
    `    changes: ${stringText(changes)},`,
    ...(publication === undefined ? [] : [`    wal: { publication: ${stringText(publication)} },`]),
  ];
}

/** What begins with the name of a setting or of a way to find changes keeps it as it is written. */
const asSentence = (text: string): string =>
  /^(wal|query|wal_level)\b/.test(text) ? text : `${text[0]?.toUpperCase()}${text.slice(1)}`;

export function writeConfig({ name, constant }: PlannedPipeline): string {
  return `import { defineConfig } from "ingot";
import { ${constant} } from "./pipelines/${name}/pipeline.ts";

// The address of the source is DATABASE_URL of the environment; without it, the embedded database in .ingot/.
export default defineConfig({ pipelines: [${constant}] });
`;
}
