import { existsSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { Command, InvalidArgumentError, Option } from "commander";
import { TerminalError } from "../../lakehouse/errors.ts";
import { maskSecrets } from "../../lakehouse/secrets.ts";
import { parseConfig } from "../../layers/definition/config.ts";
import { postgres } from "../../layers/definition/pipeline.ts";
import { CONFIG_FILE, type Draft, draftProject } from "../init/draft.ts";
import { placeFiles, refuseExisting } from "../init/place-files.ts";
import { askAt, defaults } from "../init/questions.ts";
import { count, renderChoices, renderNext, renderTree } from "../init/report.ts";
import type { Changes } from "../init/table-key.ts";
import { type GlobalOptions, withDatabase } from "../runtime.ts";
import { jsonText } from "../terminal/json-text.ts";
import { styleFor } from "../terminal/style.ts";
import { terminalWidth } from "../terminal/terminal-size.ts";

interface Options extends GlobalOptions {
  readonly from?: string;
  readonly name?: string;
  readonly into: string;
  readonly schema?: readonly string[];
  readonly tables?: readonly string[];
  readonly exclude?: readonly string[];
  readonly changes?: Changes;
  readonly yes?: boolean;
  readonly dryRun?: boolean;
  readonly force?: boolean;
}

const names = (text: string, former: readonly string[] = []) => [
  ...former,
  ...text.split(",").flatMap((name) => name.trim() || []),
];

function address(text: string): string {
  if (/^postgres(ql)?:\/\/./.test(text)) return text;
  throw new InvalidArgumentError("It looks like postgres://user:password@host:5432/database.");
}

export const initCommand = () =>
  new Command("init")
    .description(
      "Look at a database and write a project for it: configuration, pipeline, contracts, silver models.",
    )
    .option(
      "--from <url>",
      "address of the database; by default DATABASE_URL, else the embedded database",
      address,
    )
    .option("--into <folder>", "where to write", ".")
    .option("--name <name>", "name of the pipeline; by default that of the database")
    .option(
      "--schema <schema>",
      "take tables of this schema; again for more; by default all",
      (schema, former) => [...((former as string[] | undefined) ?? []), schema],
    )
    .option("--tables <names>", "take these tables: names or patterns such as shop.*, with commas", names)
    .option("--exclude <names>", "leave these tables out", names)
    .addOption(
      new Option("--changes <how>", "capture changes from the log, or find them by query").choices([
        "wal",
        "query",
      ]),
    )
    .option("-y, --yes", "ask nothing; defaults answer")
    .option("--dry-run", "print the files instead of writing them")
    .option("--force", "replace files that exist")
    .addHelpText(
      "after",
      "\nAt a terminal it asks what is open; Enter takes the default. No file gets the address or a password.\n\nExamples:\n  ingot init --from postgres://user:password@host/shop\n  ingot init --yes --into shop --exclude 'audit_*'\n  ingot init --schema public --schema sales --changes query --dry-run",
    )
    .action(async (_options: object, command: Command) => {
      await init(command.optsWithGlobals<Options>());
    });

async function init(options: Options): Promise<void> {
  const into = resolve(options.into);
  const force = options.force === true;
  // Before any question: whatever the answers, this file is among those written.
  if (!force && !options.dryRun) refuseExisting(into, [CONFIG_FILE]);
  const draft = await withDatabase(async (database) => {
    const config = configOf(options.from);
    // Starting the embedded database would make one, and it would be empty.
    if (config.database === undefined && !existsSync(join(into, ".ingot", "postgres"))) throw noDatabase();
    const source = await database(config, into);
    const asks = process.stdin.isTTY && process.stdout.isTTY && !options.yes && !options.json;
    const questions = asks ? askAt(process.stdin, process.stdout) : defaults;
    const { schema, ...given } = options;
    try {
      return await draftProject(source, { ...given, schemas: schema }, questions);
    } finally {
      questions.close();
    }
  });
  if (!options.dryRun) await placeFiles(into, draft.files, force);
  process.stdout.write(
    options.json ? `${jsonText(summary(draft, options))}\n` : render(draft, options, into),
  );
}

function noDatabase(): TerminalError {
  return new TerminalError("there is no database to look at", {
    code: "INIT_NO_DATABASE",
    allowed: "--from postgres://user:password@host/database, or DATABASE_URL",
    next: "Say where the database is. For one to play with, see `ingot demo`.",
  });
}

/** Settings of the environment, with the address that was given over it. */
function configOf(from: string | undefined) {
  const environment = { ...process.env, ...(from === undefined ? {} : { DATABASE_URL: from }) };
  const pipelines = [{ name: "init", source: postgres({ tables: {} }) }];
  return parseConfig({ pipelines }, environment, "the environment");
}

function summary({ pipeline, left, files }: Draft, { dryRun }: Options) {
  const { name, choice, tables } = pipeline;
  return {
    pipeline: name,
    written: dryRun !== true,
    choice,
    tables: tables.map(({ name: table, source, options, notes, model }) => ({
      table,
      source,
      ...options,
      notes,
      silver: model !== undefined,
    })),
    left,
    files: dryRun ? Object.fromEntries(files) : [...files.keys()],
  };
}

function render(draft: Draft, options: Options, into: string): string {
  const style = styleFor();
  const paths = [...draft.files.keys()];
  const shown = relative(process.cwd(), into);
  const parts = [renderChoices(draft, style, terminalWidth(process.stdout, 110))];
  if (options.dryRun) {
    for (const [path, text] of draft.files) parts.push(`${style.bold(path)}\n${text}`);
    parts.push(`${count(paths.length, "file")} would be written.\n`);
    return parts.join("\n");
  }
  const { from } = options;
  const unset = from === undefined || from === process.env.DATABASE_URL ? undefined : maskSecrets(from);
  parts.push(
    `${style.bold(`Wrote ${count(paths.length, "file")} into ${shown || "this folder"}`)}\n${renderTree(paths, style)}`,
  );
  parts.push(renderNext(shown, unset, style));
  return parts.join("\n");
}
