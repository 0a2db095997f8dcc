import { Command } from "commander";
import type { CheckResult } from "../doctor/check.ts";
import { examine } from "../doctor/examine.ts";
import { loadConfig } from "../load-config.ts";
import { type GlobalOptions, lakeRootOf, withDatabase } from "../runtime.ts";
import { jsonText } from "../terminal/json-text.ts";
import { type Style, styleFor } from "../terminal/style.ts";

export const doctorCommand = () =>
  new Command("doctor")
    .description("Check configuration, DuckDB, lake, Postgres and Redis, and say how to fix what fails.")
    .addHelpText(
      "after",
      "\nExamples:\n  ingot doctor\n  DATABASE_URL=postgres://user:password@host/db ingot doctor --json\n\nThe exit code is 1 when a check failed; warnings alone leave it 0.",
    )
    .action(async (_options: object, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions>();
      const style = styleFor();
      const results = await withDatabase((database) =>
        examine(
          {
            loadConfig: () => loadConfig(options.config),
            lakeRoot: lakeRootOf,
            database: ({ config, folder }) => database(config, folder),
          },
          (result) => {
            if (!options.json) process.stdout.write(line(result, style));
          },
        ),
      );
      const healthy = results.every((result) => result.status !== "failed");
      if (options.json) process.stdout.write(`${jsonText({ ok: healthy, checks: results })}\n`);
      if (!healthy) process.exitCode = 1;
    });

/** Wide enough for most tables with their schema. */
const NAME_WIDTH = 26;

function line({ name, status, found, fix }: CheckResult, style: Style): string {
  const mark = {
    ok: style.green("✔"),
    warning: style.yellow("!"),
    failed: style.red("✖"),
    skipped: style.dim("–"),
  }[status];
  const text = `${mark} ${name.padEnd(NAME_WIDTH)} ${status === "skipped" ? style.dim(found) : found}\n`;
  return fix === undefined ? text : `${text}${" ".repeat(NAME_WIDTH + 3)}${style.cyan("fix")} ${fix}\n`;
}
