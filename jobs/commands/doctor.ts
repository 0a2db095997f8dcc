import { Command } from "commander";
import { examine } from "../doctor/examine.ts";
import { renderCheck, renderSummary } from "../doctor/render.ts";
import { loadConfig } from "../load-config.ts";
import { type GlobalOptions, lakeRootOf, withDatabase } from "../runtime.ts";
import { jsonText } from "../terminal/json-text.ts";
import { styleFor } from "../terminal/style.ts";

export const doctorCommand = () =>
  new Command("doctor")
    .description("Check configuration, DuckDB, lake, Postgres and Redis, and say how to fix what fails.")
    .addHelpText(
      "after",
      "\nExamples:\n  ingot doctor\n  DATABASE_URL=postgres://user:password@host/db ingot doctor\n  ingot doctor --json\n\nThe exit code is 1 when a check failed; warnings alone leave it 0.",
    )
    .action(async (_options: object, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions>();
      const style = styleFor();
      // Not with a runtime: that throws for a broken configuration or lake, which here are findings.
      const results = await withDatabase((database) =>
        examine(
          {
            loadConfig: () => loadConfig(options.config),
            lakeRoot: lakeRootOf,
            database: ({ config, folder }) => database(config, folder),
          },
          (result) => {
            if (!options.json) process.stdout.write(renderCheck(result, style));
          },
        ),
      );
      const healthy = results.every((result) => result.status !== "failed");
      process.stdout.write(
        options.json ? `${jsonText({ ok: healthy, checks: results })}\n` : renderSummary(results, style),
      );
      if (!healthy) process.exitCode = 1;
    });
