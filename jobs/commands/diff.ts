import { resolve } from "node:path";
import { Command, InvalidArgumentError, Option } from "commander";
import { TerminalError } from "../../lakehouse/errors.ts";
import { isAddress, Lake, openStoreFor } from "../../lakehouse/lake.ts";
import { type Difference, type DiffSide, diffTables } from "../../layers/diff/diff.ts";
import { contractOf, type NamedTable, namedTable, sensitiveColumns } from "../named-table.ts";
import { type GlobalOptions, type Runtime, withRuntime } from "../runtime.ts";
import { jsonText } from "../terminal/json-text.ts";
import { renderDifference } from "./diff/render.ts";
import { wholeNumber } from "./number-options.ts";
import { names, timestampOption } from "./table/version-options.ts";

interface Options extends GlobalOptions {
  readonly fromVersion?: number;
  readonly fromTime?: Date;
  readonly toVersion?: number;
  readonly toTime?: Date;
  readonly with?: string;
  readonly withTable?: string;
  readonly key?: readonly string[];
  readonly columns?: readonly string[];
  readonly sample: number;
  readonly sampleRate: number;
  readonly sensitive?: boolean;
}

const HELP = `
Counts are exact. Without --with or --with-table two versions of the table are compared. Rows are told apart by the key
of the contract or of the source, or by --key; without any, by all that they hold. Exit code 0: no difference;
1: there is one.

Examples:
  ingot diff gold.daily_sales --from-version 3
  ingot diff gold.daily_sales --from-time 2026-01-31T10:30:00Z --to-version 12 --columns revenue
  ingot diff silver.orders --with s3://staging/lake --sample-rate 1%
  ingot diff silver.orders --with-table commerce.silver.orders_next --key id --sample 20`;

export const diffCommand = () =>
  new Command("diff")
    .description("Compare two versions of a table, or a table with that of another lake, row by row.")
    .argument("<table>", "layer.table, or pipeline.layer.table")
    .addOption(
      new Option("--from-version <n>", "the version to compare with; by default the one before").argParser(
        wholeNumber,
      ),
    )
    .addOption(timeOption("--from-time <time>", "the version at this time").conflicts("fromVersion"))
    .addOption(new Option("--to-version <n>", "the other one; by default the newest").argParser(wholeNumber))
    .addOption(timeOption("--to-time <time>", "the version at this time").conflicts("toVersion"))
    .option("--with <lake>", "the same table of another lake: a folder or s3://bucket/prefix")
    .option("--with-table <table>", "another table of this lake, or with --with of that one")
    .option("--key <columns>", "columns that tell rows apart; '' for none", keyNames)
    .option("--columns <columns>", "compare these, beside the key", names)
    .option("--sample <n>", "examples to show of each difference", wholeNumber, 5)
    .option("--sample-rate <part>", "compare a part of the keys, such as 1% or 0.01", part, 1)
    .option("--sensitive", "show values of columns that the contract calls sensitive")
    .addHelpText("after", HELP)
    .action(async (name: string, _options: object, command: Command) => {
      const options = command.optsWithGlobals<Options>();
      await withRuntime(options, async (runtime) => {
        const difference = await diff(runtime, namedTable(runtime.pipelines(), name), options);
        process.stdout.write(options.json ? `${jsonText(difference)}\n` : renderDifference(difference));
        if (!difference.isSame) process.exitCode = 1;
      });
    });

async function diff(runtime: Runtime, named: NamedTable, options: Options): Promise<Difference> {
  const [left, right] = await sidesOf(runtime, named, options);
  const { key, columns, sample, sampleRate, sensitive } = options;
  return diffTables(runtime.lake.duckdb, left, right, {
    // Bronze has a row for every change: no column tells them apart.
    key: key ?? contractOf(named)?.key ?? [],
    columns,
    examples: sample,
    rate: sampleRate,
    hidden: sensitive ? new Set() : sensitiveColumns(named.pipeline, named.reference),
    keyHolds: key === undefined,
  });
}

/** The two sides that the options mean: former and later version, or here and there. */
async function sidesOf(
  runtime: Runtime,
  { path }: NamedTable,
  options: Options,
): Promise<readonly [DiffSide, DiffSide]> {
  const { fromVersion, fromTime, toVersion, toTime, withTable } = options;
  const table = runtime.lake.table(path);
  const shown = path.replaceAll("/", ".");
  if (options.with === undefined && withTable === undefined) {
    const to = await table.at(at(toVersion, toTime));
    const isAsked = fromVersion !== undefined || fromTime !== undefined;
    if (!isAsked && to.version === 0) throw noFormer(shown);
    const from = await table.at(isAsked ? at(fromVersion, fromTime) : { version: to.version - 1 });
    const side = (snapshot: typeof to) => ({ label: `version ${snapshot.version}`, table, snapshot });
    return [side(from), side(to)];
  }
  const lake = options.with === undefined ? runtime.lake : await otherLake(runtime, options.with);
  const other = withTable === undefined ? path : namedTable(runtime.pipelines(), withTable).path;
  const there = lake.table(other);
  const left = await table.at(at(fromVersion, fromTime));
  const right = await there.at(at(toVersion, toTime));
  const place = options.with === undefined ? "" : ` in ${options.with}`;
  return [
    { label: shown, table, snapshot: left },
    { label: `${other.replaceAll("/", ".")}${place}`, table: there, snapshot: right },
  ];
}

const at = (version: number | undefined, timestamp: Date | undefined) => ({
  ...(version === undefined ? {} : { version }),
  ...(timestamp === undefined ? {} : { timestamp }),
});

async function otherLake({ lake, config, folder }: Runtime, place: string): Promise<Lake> {
  const root = isAddress(place) ? place : resolve(folder, place);
  return new Lake(await openStoreFor(lake.duckdb, root, config.s3), lake.duckdb);
}

/** An option that reads a time as `--timestamp` of the table commands does. */
const timeOption = (flags: string, description: string): Option =>
  new Option(flags, description).argParser((text, before: unknown) =>
    timestampOption().parseArg?.(text, before),
  );

const keyNames = (text: string): string[] => (text.trim() === "" ? [] : names(text));

/** `1%` or `0.01`, above 0 up to all. */
function part(text: string): number {
  const [, digits, percent] = /^(\d+(?:\.\d+)?)(%?)$/.exec(text.trim()) ?? [];
  const value = Number(digits) / (percent ? 100 : 1);
  if (value > 0 && value <= 1) return value;
  throw new InvalidArgumentError("It takes a part of the keys such as 1% or 0.01.");
}

function noFormer(table: string): TerminalError {
  return new TerminalError(`${table} has one version only: there is none before it`, {
    code: "DIFF_NO_FORMER",
    value: 0,
    next: "Compare it with another table: --with-table, or --with another lake.",
  });
}
