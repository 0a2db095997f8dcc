import { codeOf, IngotError, messageOf, TransientError } from "../../lakehouse/errors.ts";
import { isSecretName, maskSecrets } from "../../lakehouse/secrets.ts";
import { jsonText } from "./json-text.ts";
import { showsColor, styleFor } from "./style.ts";
import { printableLines } from "./text.ts";

export interface ErrorFormat {
  /** One JSON object instead of lines. */
  readonly json?: boolean;
  /** Show where it was thrown; by default with `INGOT_DEBUG=1`. */
  readonly debug?: boolean;
  /** By default what stderr can show. */
  readonly color?: boolean;
}

/** Writes an error to stderr (or another stream), free of secrets. */
export function printError(
  error: unknown,
  options: ErrorFormat & { readonly stream?: NodeJS.WritableStream } = {},
): void {
  const stream = options.stream ?? process.stderr;
  stream.write(`${formatError(error, { color: showsColor(stream), ...options })}\n`);
}

/** An error as text, free of secrets and of control characters. No line break at its end. */
export function formatError(error: unknown, options: ErrorFormat = {}): string {
  const debug = options.debug ?? process.env.INGOT_DEBUG === "1";
  return options.json ? errorAsJson(error, debug) : errorAsLines(error, debug, options.color);
}

function errorAsLines(error: unknown, debug: boolean, color = showsColor(process.stderr)): string {
  const style = styleFor(color);
  const lines = [style.red(`${style.bold("error:")} ${safe(meaning(error))}`)];
  if (error instanceof IngotError) {
    const details = { value: error.value, allowed: error.allowed, next: error.next };
    for (const [name, detail] of Object.entries(details)) {
      if (detail === undefined) continue;
      const text = typeof detail === "string" ? safe(detail) : jsonText(withoutSecrets(detail));
      lines.push(`  ${style.dim(name.padEnd(8))}${text.replaceAll("\n", `\n${" ".repeat(10)}`)}`);
    }
  }
  if (debug) lines.push(style.dim(safe(stackOf(error))));
  return lines.join("\n");
}

function errorAsJson(error: unknown, debug: boolean): string {
  const known = error instanceof IngotError ? error : undefined;
  const fields = {
    error: maskSecrets(meaning(error)),
    code: codeOf(error),
    transient: known ? known instanceof TransientError : undefined,
    value: withoutSecrets(known?.value),
    allowed: withoutSecrets(known?.allowed),
    next: withoutSecrets(known?.next),
    stack: debug ? maskSecrets(stackOf(error)) : undefined,
  };
  return jsonText(Object.fromEntries(Object.entries(fields).filter(([, field]) => field !== undefined)));
}

/** Some errors of Node (a host with two addresses that both refuse) have no message, only errors within. */
function meaning(error: unknown): string {
  const message = messageOf(error);
  if (message !== "") return message;
  if (error instanceof AggregateError && error.errors.length > 0) return error.errors.map(meaning).join("; ");
  return codeOf(error) ?? (error instanceof Error ? error.name : "unknown error");
}

/** The stack with the stacks of its causes. */
function stackOf(error: unknown, depth = 0): string {
  if (!(error instanceof Error) || depth > 8) return String(error);
  const own = error.stack ?? String(error);
  return error.cause === undefined ? own : `${own}\ncaused by: ${stackOf(error.cause, depth + 1)}`;
}

const safe = (text: string): string => printableLines(maskSecrets(text));

/** A value with its texts masked and its secret fields hidden; what holds itself is cut. */
function withoutSecrets(value: unknown, depth = 0): unknown {
  if (typeof value === "string") return maskSecrets(value);
  if (typeof value !== "object" || value === null || value instanceof Date || value instanceof Uint8Array) {
    return value;
  }
  if (depth > 6) return "…";
  if (Array.isArray(value)) return value.map((item) => withoutSecrets(item, depth + 1));
  if (value instanceof Error) return maskSecrets(messageOf(value));
  return Object.fromEntries(
    Object.entries(value).map(([name, field]) => [
      name,
      isSecretName(name) ? "***" : withoutSecrets(field, depth + 1),
    ]),
  );
}
