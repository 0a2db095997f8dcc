/** Writing much to Redis: pipelines of bounded size, few of them under way at once. */
import type { PublishedForm } from "../../definition/published.ts";
import type { RowBatch } from "../target.ts";
import type { RedisClient } from "./connect.ts";

const MOST_COMMANDS = 64;
const MOST_BYTES = 1024 * 1024;
const MOST_UNDER_WAY = 3;
/** Rows of one command; each blocks the server for no longer than it takes to store these. */
export const ROWS_OF_A_COMMAND = 256;

type Argument = string | number;

/** Collects commands and sends them pipeline by pipeline; the first failure of one is thrown by the next call. */
export class Writer {
  private readonly client: RedisClient;
  private readonly underWay = new Set<Promise<void>>();
  private pipeline: ReturnType<RedisClient["pipeline"]>;
  private commands = 0;
  private bytes = 0;
  private failure: { readonly error: unknown } | undefined;

  constructor(client: RedisClient) {
    this.client = client;
    this.pipeline = client.pipeline();
  }

  /** Waits where enough is under way. `bytes`: about what the arguments weigh. */
  async add(bytes: number, command: string, ...args: Argument[]): Promise<void> {
    this.pipeline.call(command, ...args);
    this.commands += 1;
    this.bytes += bytes;
    if (this.commands >= MOST_COMMANDS || this.bytes >= MOST_BYTES) await this.send();
  }

  /** All that was added has been carried out. */
  async finish(): Promise<void> {
    await this.send();
    await Promise.all(this.underWay);
    this.rethrow();
  }

  private async send(): Promise<void> {
    if (this.commands > 0) {
      const sending = execute(this.pipeline)
        .then(() => {})
        .catch((error: unknown) => {
          this.failure ??= { error };
        });
      const settled = sending.then(() => {
        this.underWay.delete(settled);
      });
      this.underWay.add(settled);
      this.pipeline = this.client.pipeline();
      this.commands = 0;
      this.bytes = 0;
    }
    if (this.underWay.size >= MOST_UNDER_WAY) await Promise.race(this.underWay);
    this.rethrow();
  }

  private rethrow(): void {
    if (this.failure !== undefined) throw this.failure.error;
  }
}

/** Runs a pipeline; its answers, or the first error among them. */
export async function execute(pipeline: ReturnType<RedisClient["pipeline"]>): Promise<unknown[]> {
  const results = (await pipeline.exec()) ?? [];
  for (const [error] of results) if (error) throw error;
  return results.map(([, answer]) => answer);
}

/** Writes rows in the form of a set, and beside it as JSON where the form is not that; gives what the form has grown by. */
export async function writeForm(
  writer: Writer,
  key: string,
  form: PublishedForm,
  batch: RowBatch,
): Promise<number> {
  let grown = 0;
  for (let start = 0; start < batch.json.length; start += ROWS_OF_A_COMMAND) {
    const end = start + ROWS_OF_A_COMMAND;
    const json = batch.json.slice(start, end);
    const bytes = json.reduce((sum, text) => sum + text.length, 0);
    if (form.kind !== "list") await writer.add(bytes, "RPUSH", `${key}:rows`, ...json);
    const parts = formParts(form, batch, start, Math.min(end, batch.json.length));
    if (parts.args.length > 0) await writer.add(bytes, parts.command, key, ...parts.args);
    grown += parts.args.length / parts.width;
  }
  return grown;
}

/** The command that adds rows to a form, its arguments, and how many of them make up one of its elements. */
function formParts(form: PublishedForm, { json, ids, scores, values }: RowBatch, start: number, end: number) {
  const args: Argument[] = [];
  const add = (...parts: Argument[]) => args.push(...parts);
  for (let i = start; i < end; i++) {
    const [row = "", id = "", score = 0, value = null] = [json[i], ids[i], scores[i], values[i]];
    if (form.kind === "list") add(row);
    else if (form.kind === "ranking") add(score, id);
    else if (form.kind === "series") add(score, row);
    else if (form.kind === "hash" && !("field" in form)) add(...fieldsOf(row));
    else if (value !== null) add(...(form.kind === "hash" ? [id, value] : [value]));
  }
  const command = {
    list: "RPUSH",
    ranking: "ZADD",
    series: "ZADD",
    hash: "HSET",
    scalar: "SET",
    lookup: "MSET",
  };
  const width = form.kind === "list" || form.kind === "scalar" ? 1 : 2;
  return { command: command[form.kind], args, width };
}

/** A row's columns as fields of a hash: texts as they are, others as JSON writes them; none for NULL. */
function fieldsOf(json: string): string[] {
  const row = JSON.parse(json) as Record<string, unknown>;
  return Object.entries(row).flatMap(([name, value]) => {
    if (value === null) return [];
    return [name, typeof value === "string" ? value : JSON.stringify(value)];
  });
}
