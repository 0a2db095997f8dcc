import { Command } from "commander";
import { exportDuckDb } from "../explore/duckdb-file.ts";
import { type GlobalOptions, withRuntime } from "../runtime.ts";
import { renderTable } from "../terminal/table.ts";
import { terminalWidth } from "../terminal/terminal-size.ts";

interface Options extends GlobalOptions {
  readonly pipeline?: string;
  readonly copy?: boolean;
  readonly sensitive?: boolean;
  readonly force?: boolean;
}

export const exportCommand = () =>
  new Command("export").description("Give the lake to other programs.").addCommand(
    new Command("duckdb")
      .description("Write a DuckDB file with a view for each table, which any DuckDB opens.")
      .argument("<file>", "the file to write, whole or not at all")
      .option("--pipeline <name>", "the tables of this pipeline only")
      .option("--copy", "copy the rows, so that the file needs no lake")
      .option("--force", "replace the file if it exists")
      .option("--sensitive", "with values that contracts call sensitive as they are")
      .addHelpText(
        "after",
        "\nViews show the newest versions as of now, and last until `ingot table vacuum` takes their files away. Tables with\nsensitive columns are copied, with those masked.\n\nExamples:\n  ingot export duckdb lake.duckdb\n  ingot export duckdb /tmp/copy.duckdb --copy --pipeline commerce",
      )
      .action(async (file: string, _options: object, command: Command) => {
        const options = command.optsWithGlobals<Options>();
        await withRuntime(options, async (runtime) => {
          const { tables } = await exportDuckDb(runtime, file, options);
          if (options.json) {
            process.stdout.write(`${JSON.stringify({ file, tables })}\n`);
            return;
          }
          const columns = [{ name: "in the file" }, { name: "version", type: "BIGINT" }, { name: "as" }];
          const rows = tables.map(({ name, version, as }) => [name, version, as]);
          process.stdout.write(
            `${renderTable({ columns, rows }, { width: terminalWidth(process.stdout, 200) })}\n`,
          );
        });
      }),
  );
