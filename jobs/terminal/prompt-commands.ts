import { messageOf } from "../../lakehouse/errors.ts";
import { parseDuration } from "../explore/duration.ts";
import { answersTo, DOT_COMMANDS, type ListedTable, MODES } from "./complete.ts";
import { formatDuration, groupDigits } from "./numbers.ts";
import { renderTable } from "./table.ts";

export type PromptMode = (typeof MODES)[number];

/** What a command that starts with a dot does. */
export type CommandOutcome =
  | { readonly kind: "show"; readonly text: string }
  | { readonly kind: "fail"; readonly message: string }
  | { readonly kind: "mode"; readonly mode: PromptMode }
  | { readonly kind: "timeout"; readonly timeout: number | undefined }
  | { readonly kind: "quit" };

const HELP = `SELECT …;            run SQL; a statement may span lines and ends with ;
FROM silver.orders AT (VERSION => 12);    a table as it was; or AT (TIMESTAMP => now() - INTERVAL 1 DAY)
.tables              tables, with rows and columns
.schema [table]      columns and types
.mode [${MODES.join("|")}]  how results are shown
.timeout [30s|off]   how long a statement may take
.help                this
.quit                leave (or Ctrl-D)
TAB completes, Ctrl-C clears the statement or stops the running one.`;

/** A line as a command; undefined where it is SQL. */
export function commandOf(line: string): readonly [string, string] | undefined {
  const text = line.trim().replace(/;$/, "").trim();
  if (/^(quit|exit|\\q)$/i.test(text)) return [".quit", ""];
  if (/^help$/i.test(text)) return [".help", ""];
  const [, command, argument] = /^(\.\S*)\s*(.*)$/s.exec(text) ?? [];
  return command === undefined ? undefined : [command.toLowerCase(), argument ?? ""];
}

export interface CommandContext {
  readonly listTables: () => Promise<readonly ListedTable[]>;
  readonly mode: PromptMode;
  /** Milliseconds. */
  readonly timeout?: number | undefined;
  readonly width: number;
  readonly color: boolean;
}

/** Carries out a command; never rejects. */
export async function runCommand(
  [command, argument]: readonly [string, string],
  context: CommandContext,
): Promise<CommandOutcome> {
  try {
    switch (command) {
      case ".tables":
        return { kind: "show", text: showTables(await context.listTables(), context) };
      case ".schema":
        return showSchema(await context.listTables(), argument, context);
      case ".mode":
        return chooseMode(argument, context.mode);
      case ".timeout":
        return chooseTimeout(argument, context.timeout);
      case ".help":
        return { kind: "show", text: HELP };
      case ".quit":
      case ".exit":
        return { kind: "quit" };
      default:
        return { kind: "fail", message: `no command ${command}; there are ${DOT_COMMANDS.join(", ")}` };
    }
  } catch (error) {
    return { kind: "fail", message: messageOf(error) };
  }
}

function showTables(tables: readonly ListedTable[], { width, color }: CommandContext): string {
  if (tables.length === 0) return "no tables yet";
  const columns = [{ name: "table" }, { name: "rows", type: "BIGINT" }, { name: "columns", type: "BIGINT" }];
  const rows = tables.map((table) => [
    table.name,
    table.rows === undefined ? null : groupDigits(table.rows),
    table.columns.length,
  ]);
  return renderTable({ columns, rows }, { width, color });
}

function showSchema(
  tables: readonly ListedTable[],
  name: string,
  { width, color }: CommandContext,
): CommandOutcome {
  const wanted = name.replaceAll('"', "").toLowerCase();
  const found = wanted === "" ? tables : tables.filter((table) => answersTo(table, wanted));
  if (found.length === 0 && wanted !== "") {
    return { kind: "fail", message: `no table ${name}; .tables lists them` };
  }
  const columns = [{ name: "column" }, { name: "type" }];
  const texts = found.map((table) => {
    const rows = table.columns.map((column) => [column.name, column.type]);
    return `${table.name}\n${renderTable({ columns, rows }, { width, color })}`;
  });
  return { kind: "show", text: texts.length === 0 ? "no tables yet" : texts.join("\n\n") };
}

function chooseMode(argument: string, current: PromptMode): CommandOutcome {
  if (argument === "") return { kind: "show", text: `mode ${current}; there are ${MODES.join(", ")}` };
  const mode = MODES.find((known) => known === argument.toLowerCase());
  if (mode === undefined)
    return { kind: "fail", message: `no mode ${argument}; there are ${MODES.join(", ")}` };
  return { kind: "mode", mode };
}

function chooseTimeout(argument: string, current: number | undefined): CommandOutcome {
  if (argument === "")
    return { kind: "show", text: `timeout ${current === undefined ? "off" : formatDuration(current)}` };
  if (argument.toLowerCase() === "off") return { kind: "timeout", timeout: undefined };
  const timeout = parseDuration(argument);
  if (timeout === undefined)
    return { kind: "fail", message: `no time ${argument}; it takes 500ms, 30s, 2m, 1h or off` };
  return { kind: "timeout", timeout };
}
