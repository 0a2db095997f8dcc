import { Command } from "commander";
import { type VacuumResult, vacuumTable } from "../../../lakehouse/delta/maintain/vacuum.ts";
import type { GlobalOptions } from "../../runtime.ts";
import { formatBytes } from "../../terminal/numbers.ts";
import { wholeNumber } from "../number-options.ts";
import { TABLE_ARGUMENT, withTable } from "./open-table.ts";
import { counted, printResult, tableText } from "./print.ts";

interface Options extends GlobalOptions {
  readonly retainHours?: number;
  readonly force?: boolean;
  readonly dryRun?: boolean;
}

export const vacuumCommand = () =>
  new Command("vacuum")
    .description("Delete files that no version within the retention needs.")
    .argument(...TABLE_ARGUMENT)
    .option("--retain-hours <hours>", "by default delta.deletedFileRetentionDuration, 168 hours", wholeNumber)
    .option("--force", "allow less than 168 hours; nobody may write, or read older versions, meanwhile")
    .option("--dry-run", "only list the files")
    .addHelpText(
      "after",
      "\nVersions older than the retention cannot be read afterwards.\n\nExamples:\n  ingot table vacuum commerce.silver.orders --dry-run\n  ingot table vacuum lake/commerce/silver/orders --retain-hours 336",
    )
    .action(async (name: string, _options: object, command: Command) => {
      const options = command.optsWithGlobals<Options>();
      const { retainHours, force = false, dryRun = false } = options;
      await withTable(name, options, async ({ table, onProgress, endProgress }) => {
        const retention = retainHours === undefined ? {} : { retainHours };
        const result = await vacuumTable(table, { force, dryRun, onProgress, ...retention });
        endProgress();
        printResult(options, { ...result, dryRun }, render);
      });
    });

function render(result: VacuumResult & { readonly dryRun: boolean }): string {
  const { files, bytes, dryRun, retainedHours } = result;
  const kept = `; kept is what the last ${retainedHours} hours need`;
  if (files.length === 0) return `Nothing to delete${kept}.\n`;
  const total = `${counted(files.length, "file")}, ${formatBytes(bytes)}`;
  if (!dryRun) return `Deleted ${total}${kept}.\n`;
  const columns = [
    { name: "path" },
    { name: "size", type: "BIGINT" },
    { name: "modified", type: "TIMESTAMP" },
  ];
  const rows = files.map((file) => [
    file.path,
    formatBytes(file.size),
    new Date(Math.floor(file.modifiedAt)),
  ]);
  return `${tableText({ columns, rows })}Would delete ${total}${kept}.\n`;
}
