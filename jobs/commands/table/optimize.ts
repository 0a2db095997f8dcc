import { Command } from "commander";
import { type OptimizeResult, optimizeTable } from "../../../lakehouse/delta/maintain/optimize.ts";
import type { GlobalOptions } from "../../runtime.ts";
import { formatBytes } from "../../terminal/numbers.ts";
import { TABLE_ARGUMENT, withTable } from "./open-table.ts";
import { counted, printResult } from "./print.ts";
import { byteSize, names } from "./version-options.ts";

interface Options extends GlobalOptions {
  readonly where?: string;
  readonly zOrderBy?: readonly string[];
  readonly purge?: boolean;
  readonly targetSize?: number;
}

export const optimizeCommand = () =>
  new Command("optimize")
    .description("Combine small files, work in deletion vectors, and put rows in z-order.")
    .argument(...TABLE_ARGUMENT)
    .option("--where <sql>", "only files that may hold rows of this condition")
    .option("--z-order-by <columns>", "columns that queries look for, with commas between", names)
    .option("--purge", "rewrite every file of which rows were deleted, however few")
    .option(
      "--target-size <bytes>",
      "size of a file, such as 128mb; by default what the table says",
      byteSize,
    )
    .addHelpText(
      "after",
      "\nRows do not change, and others may write meanwhile. The old files stay until a vacuum.\n\nExamples:\n  ingot table optimize commerce.silver.orders\n  ingot table optimize lake/commerce/silver/orders --where \"day >= '2026-01-01'\" --z-order-by customer_id,product_id",
    )
    .action(async (name: string, _options: object, command: Command) => {
      const options = command.optsWithGlobals<Options>();
      const { where, zOrderBy, purge = false, targetSize } = options;
      await withTable(name, options, async ({ table, onProgress, endProgress }) => {
        const result = await optimizeTable(table, {
          onProgress,
          purge,
          ...(where === undefined ? {} : { where }),
          ...(zOrderBy === undefined ? {} : { zOrderBy }),
          ...(targetSize === undefined ? {} : { targetFileBytes: targetSize }),
        });
        endProgress();
        printResult(options, result, render);
      });
    });

function render(result: OptimizeResult): string {
  if (result.version === undefined) return "Nothing to do.\n";
  const vectors =
    result.purgedVectors > 0 ? `, ${counted(result.purgedVectors, "deletion vector")} worked in` : "";
  return `${counted(result.removedFiles, "file")} (${formatBytes(result.removedBytes)}) became ${counted(result.addedFiles, "file")} (${formatBytes(result.addedBytes)})${vectors}: version ${result.version}\n`;
}
