/** What was drafted, for people. */
import type { Style } from "../terminal/style.ts";
import { fitText, padEnd, printable, widthOf } from "../terminal/text.ts";
import type { Draft } from "./draft.ts";
import type { PlannedTable } from "./plan-table.ts";

/** Files of a folder that are named; of more, the rest is counted. */
const MOST_FILES = 12;
const MOST_NOTES = 20;

/** Paths as a tree, in the order given. */
export function renderTree(paths: readonly string[], style: Style): string {
  const groups = new Map<string, string[][]>();
  for (const path of paths) {
    const [first = "", ...rest] = path.split("/");
    const group = groups.get(first) ?? [];
    if (rest.length > 0) group.push(rest);
    groups.set(first, group);
  }
  const entries = [...groups];
  const hidden = entries.length > MOST_FILES + 1 ? entries.splice(MOST_FILES) : [];
  const last = entries.length + (hidden.length > 0 ? 1 : 0) - 1;
  const lines = entries.map(([name, rest], i) => {
    const [branch, trunk] = i === last ? ["└── ", "    "] : ["├── ", "│   "];
    if (rest.length === 0) return `${style.dim(branch)}${name}\n`;
    const below = renderTree(
      rest.map((parts) => parts.join("/")),
      style,
    );
    return `${style.dim(branch)}${style.bold(`${name}/`)}\n${below.replace(/^(?=.)/gm, style.dim(trunk))}`;
  });
  return lines.join("") + (hidden.length > 0 ? `${style.dim(`└── … ${hidden.length} more`)}\n` : "");
}

/** The choices and their reasons: how changes are found, what each table is known by, what was left out. */
export function renderChoices({ pipeline, left }: Draft, style: Style, width: number): string {
  const { choice, tables, name } = pipeline;
  const why = choice.why.startsWith(choice.changes) ? choice.why : `${choice.changes}: ${choice.why}`;
  const rows: [string, string][] = [
    ["pipeline", `${name}, ${count(tables.length, "table")}`],
    ["changes", why],
    ...choice.obstacles.map((text): [string, string] => ["", text]),
    ...capped(
      "tables",
      tables.filter(isRemarkable).map((table) => `${table.source}: ${remark(table)}`),
    ),
    ...capped(
      "left out",
      left.map(({ table, why }) => `${table}: ${why}`),
    ),
  ];
  const label = 10;
  return rows
    .map(([head, text]) => `${style.dim(padEnd(head, label))}${fitOrWrap(printable(text), width, label)}\n`)
    .join("");
}

/** Whether there is more to say of a table than that it is taken by its primary key. */
const isRemarkable = ({ options, notes, model, name, source }: PlannedTable) =>
  notes.length > 0 ||
  options.key !== undefined ||
  !source.endsWith(`.${name}`) ||
  notIn(model).length > 0 ||
  model?.columns.some(({ note }) => note !== undefined) === true;

/** Columns that silver does not have. */
const notIn = (model: PlannedTable["model"]): string[] =>
  model ? [...model.untyped, ...model.uncaptured.map((name) => `${name} (generated)`)] : [];

function remark({ options, notes, model, name, source }: PlannedTable): string {
  const key =
    options.key === undefined || options.key === "none"
      ? []
      : [`key ${[options.key].flat().join(", ")}, a unique index`];
  const renamed = source.endsWith(`.${name}`) ? [] : [`named ${name}`];
  const absent = notIn(model);
  const left = absent.length > 0 ? [`not in silver: ${absent.join(", ")}`] : [];
  const nullable = model?.columns.filter(({ note }) => note !== undefined).map((column) => column.name) ?? [];
  const loosened = nullable.length > 0 ? [`may be null in silver: ${nullable.join(", ")}`] : [];
  const said = notes.map((note) => note.replace(/\.$/, ""));
  return [...renamed, ...key, ...said, ...left, ...loosened].join("; ");
}

function capped(head: string, lines: readonly string[]): [string, string][] {
  const shown = lines.slice(0, MOST_NOTES);
  if (lines.length > shown.length) shown.push(`… ${lines.length - shown.length} more`);
  return shown.map((line, i) => [i === 0 ? head : "", line]);
}

/** Text broken at spaces, its later lines under the first. */
function fitOrWrap(text: string, width: number, indent: number): string {
  const room = Math.max(20, width - indent);
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    const longer = line === "" ? word : `${line} ${word}`;
    if (line !== "" && widthOf(longer) > room) {
      lines.push(line);
      line = word;
    } else line = longer;
  }
  return [...lines, line].map((each) => fitText(each, room)).join(`\n${" ".repeat(indent)}`);
}

/** Commands that come next. `address`: of the source where it is not in the environment yet, without its password. */
export function renderNext(into: string, address: string | undefined, style: Style): string {
  const steps: [string, string][] = [
    ...(into === "" ? [] : [[`cd ${shellText(into)}`, ""] as [string, string]]),
    ...(address === undefined
      ? []
      : [
          [`export DATABASE_URL=${shellText(address)}`, "with your password; no file has it"] as [
            string,
            string,
          ],
        ]),
    ["npm install /path/to/ingot", 'for your editor: the types of "ingot"'],
    ["ingot doctor", "checks what the load needs, step by step"],
    ["ingot load", "takes the tables into bronze, once"],
    ["ingot run", "takes what changed, builds silver; again and again"],
  ];
  const width = Math.max(...steps.slice(-4).map(([line]) => line.length));
  const lines = steps.map(
    ([line, why]) => `  ${why === "" ? line : `${padEnd(line, width)}  ${style.dim(why)}`}\n`,
  );
  return `${style.bold("Next")}\n${lines.join("")}`;
}

const shellText = (text: string) =>
  /^[\w./:@%+=,-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;

export const count = (number: number, noun: string) => `${number} ${noun}${number === 1 ? "" : "s"}`;
