/** The file of a contract. */
import type { PlannedColumn, PlannedModel, PlannedTable } from "./plan-table.ts";
import { commentLines, listText, propertyText, stringText } from "./typescript.ts";

export function writeContract(table: PlannedTable, model: PlannedModel): string {
  const builders = model.columns.map(({ builder }) => builder.slice(0, builder.indexOf("(")));
  const imports = [...new Set(["defineTable", ...builders])].sort((a, b) =>
    a.toLowerCase() < b.toLowerCase() ? -1 : 1,
  );
  return [
    `import { ${imports.join(", ")} } from "ingot";`,
    "",
    `export const ${table.constant} = defineTable({`,
    `  name: ${stringText(table.name)},`,
    `  description: ${stringText(table.description)},`,
    `  key: ${listText(model.key)},`,
    "  columns: {",
    ...model.columns.flatMap(columnLines),
    "  },",
    "});",
    "",
  ].join("\n");
}

function columnLines({ name, builder, nullable, description, note }: PlannedColumn): string[] {
  const described = description === undefined ? "" : `.describe(${stringText(description)})`;
  return [
    ...(note === undefined ? [] : commentLines(note, "    ")),
    `    ${propertyText(name)}: ${builder}${nullable ? ".nullable()" : ""}${described},`,
  ];
}
