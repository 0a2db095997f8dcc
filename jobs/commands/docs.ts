import { mkdir, writeFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { Command } from "commander";
import { codeOf, messageOf, TerminalError } from "../../lakehouse/errors.ts";
import { describePipeline } from "../docs/describe-pipeline.ts";
import type { DescribedPipeline } from "../docs/described.ts";
import { renderPage } from "../docs/page.ts";
import { type GlobalOptions, withRuntime } from "../runtime.ts";
import { jsonText } from "../terminal/json-text.ts";
import { formatBytes } from "../terminal/numbers.ts";

export const docsCommand = () =>
  new Command("docs")
    .description("Write one HTML page about tables, columns, checks, SQL, lineage and last runs.")
    .argument("[pipeline]", "name of a pipeline; all of them by default")
    .option("--out <file>", "the page; `-` prints it", "ingot-docs.html")
    .addHelpText(
      "after",
      "\nThe page is a single file that loads nothing. The source is not asked; tables that were not loaded yet are\ntold from their definition.\n\nExamples:\n  ingot docs\n  ingot docs commerce --out public/index.html\n  ingot docs --out - | gzip > docs.html.gz",
    )
    .action(async (name: string | undefined, _options: object, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions & { out: string }>();
      await withRuntime(options, async (runtime) => {
        const pipelines: DescribedPipeline[] = [];
        for (const pipeline of runtime.pipelines(name))
          pipelines.push(await describePipeline(runtime.lake, pipeline));
        const page = renderPage(pipelines, Date.now());
        if (options.out === "-") {
          process.stdout.write(page);
          return;
        }
        const file = resolve(options.out);
        await write(file, page);
        const tables = pipelines.reduce((sum, pipeline) => sum + pipeline.tables.length, 0);
        const bytes = Buffer.byteLength(page);
        process.stdout.write(
          options.json
            ? `${jsonText({ file, tables, bytes })}\n`
            : `${file}: ${tables} tables, ${formatBytes(bytes)}\n`,
        );
      });
    });

async function write(file: string, page: string): Promise<void> {
  try {
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, page);
  } catch (cause) {
    throw new TerminalError(`the page cannot be written: ${messageOf(cause)}`, {
      code: "DOCS_UNWRITABLE",
      value: file,
      next:
        codeOf(cause) === "EISDIR"
          ? "Give the name of a file with --out."
          : "Choose another place with --out.",
      cause,
    });
  }
}
