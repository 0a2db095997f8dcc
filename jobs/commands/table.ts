import { Command } from "commander";
import { catCommand } from "./table/cat.ts";
import { changesCommand } from "./table/changes.ts";
import { checkCommand } from "./table/check.ts";
import { convertCommand } from "./table/convert.ts";
import { filesCommand } from "./table/files.ts";
import { historyCommand } from "./table/history.ts";
import { optimizeCommand } from "./table/optimize.ts";
import { restoreCommand } from "./table/restore.ts";
import { schemaCommand } from "./table/schema.ts";
import { vacuumCommand } from "./table/vacuum.ts";

/** Commands for any Delta table, in a lake or not. */
export const tableCommand = () =>
  new Command("table")
    .description("Look into any Delta table and look after it, by its path, address or name.")
    .addCommand(catCommand())
    .addCommand(historyCommand())
    .addCommand(schemaCommand())
    .addCommand(filesCommand())
    .addCommand(changesCommand())
    .addCommand(checkCommand())
    .addCommand(optimizeCommand())
    .addCommand(vacuumCommand())
    .addCommand(restoreCommand())
    .addCommand(convertCommand())
    .addHelpText(
      "after",
      "\nA table is a folder with _delta_log inside, an address such as s3://bucket/table, or pipeline.layer.table in\nthe lake of the nearest ingot.config.ts. A path that exists is taken for one, and needs no configuration.\n\nExamples:\n  ingot table cat lake/commerce/gold/daily_revenue\n  ingot table history commerce.silver.orders\n  ingot table check s3://bucket/lake/commerce/silver/orders --deep",
    );
