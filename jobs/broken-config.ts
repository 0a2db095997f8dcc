/** A configuration that cannot be loaded: which of its files is wrong, and where. */
import { dirname, isAbsolute, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { IngotError, messageOf, TerminalError } from "../lakehouse/errors.ts";

/** How the loader writes a call of something imported: `(0 , _ingot.long)`. */
const IMPORTED = /\(0 ?, ?\w+\.(\w+)\)/g;
/** Where a file does not parse: the last line of the message. */
const UNPARSED = /^(?:\w*Error: )?(.*?)\s*\n\s*(\/.*|[A-Za-z]:\\.*):(\d+):(\d+)\s*$/s;
const FRAME = /^\s+at (?:.*\()?((?:file:\/\/)?[^()]+?\.[cm]?[jt]s):(\d+):\d+\)?$/;

/**
 * The error that names the file and line at fault.
 *
 * @param shown the configuration file, for where no place is known
 * @param library file of the library, which is never at fault
 */
export function brokenConfig(cause: unknown, shown: string, library: string): TerminalError {
  const text = messageOf(cause);
  const unparsed = UNPARSED.exec(text);
  const place = unparsed
    ? `${shownPath(unparsed[2] ?? "")}:${unparsed[3]}:${Number(unparsed[4]) + 1}`
    : (placeOf(cause, dirname(library)) ?? shown);
  const why = (unparsed?.[1] ?? text).replace(IMPORTED, "$1").split("\nRequire stack:")[0];
  if (cause instanceof IngotError) {
    const { code, value, allowed, next = `Correct ${place}.` } = cause;
    const details = { code, value, next, cause, ...(allowed === undefined ? {} : { allowed }) };
    return new TerminalError(`${place}: ${why}`, details);
  }
  return new TerminalError(`${shown} cannot be loaded: ${place === shown ? why : `${place}: ${why}`}`, {
    code: "CONFIG_BROKEN",
    value: place,
    next:
      place === shown
        ? "Correct the file; its default export is defineConfig({ pipelines: [ … ] })."
        : `Correct ${place}.`,
    cause,
  });
}

/** The innermost line of a project's own file. The loader keeps lines, not columns. */
function placeOf(cause: unknown, library: string): string | undefined {
  const stack = cause instanceof Error ? (cause.stack ?? "") : "";
  for (const line of stack.split("\n")) {
    const [, named, number] = FRAME.exec(line) ?? [];
    if (named === undefined) continue;
    const path = named.startsWith("file://") ? fileURLToPath(named) : named;
    const isOwn = isAbsolute(path) && !path.includes(`${sep}node_modules${sep}`);
    if (isOwn && !path.startsWith(library + sep)) return `${shownPath(path)}:${number}`;
  }
  return undefined;
}

/** As seen from the working directory. */
export const shownPath = (path: string): string => relative(process.cwd(), path) || path;
