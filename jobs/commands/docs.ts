import { mkdir, stat, writeFile } from "node:fs/promises";
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
    .option("--force", "replace the file if it exists")
    .addHelpText(
      "after",
      "\nThe page is a single file that loads nothing. The source is not asked; tables that were not loaded yet are\ntold from their definition.\n\nExamples:\n  ingot docs\n  ingot docs commerce --out public/index.html --force\n  ingot docs --out - | gzip > docs.html.gz",
    )
    .action(async (name: string | undefined, _options: object, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions & { out: string; force?: boolean }>();
      await withRuntime(options, async (runtime) => {
        const file = resolve(options.out);
        if (options.out !== "-" && !options.force) await refuseExisting(file);
        const pipelines: DescribedPipeline[] = [];
        for (const pipeline of runtime.pipelines(name))
          pipelines.push(await describePipeline(runtime.lake, pipeline));
        const page = renderPage(pipelines, Date.now());
        if (options.out === "-") {
          process.stdout.write(page);
          return;
        }
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

/** A folder is refused when the page is written. */
async function refuseExisting(file: string): Promise<void> {
  const there = await stat(file).catch(() => undefined);
  if (there?.isFile() !== true) return;
  throw new TerminalError("there is a file of this name", {
    code: "FILE_EXISTS",
    value: file,
    allowed: "a file that does not exist; with --force, one that does",
    next: "Name another file, or replace it with --force.",
  });
}

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
