import { Command, InvalidArgumentError } from "commander";
import { messageOf } from "../../lakehouse/errors.ts";
import {
  type MetricsSource,
  redisAddress,
  redisSource,
  sourceOf,
} from "../../layers/publish/client-source.ts";
import { interruption, onCleanup } from "../cleanup.ts";
import { type GlobalOptions, type Runtime, withRuntime } from "../runtime.ts";
import { BOUNDS } from "../serve/bounds.ts";
import { isLoopback } from "../serve/loopback.ts";
import { servedSets } from "../serve/served-sets.ts";
import { portNumber } from "./number-options.ts";

interface Options extends GlobalOptions {
  readonly port: number;
  readonly host: string;
  readonly cors: readonly string[];
  readonly allowHost: readonly string[];
  readonly streams: number;
}

export const serveCommand = () =>
  new Command("serve")
    .description("Serve the published metrics over HTTP, for reading only, until interrupted.")
    .argument("[pipeline]", "name of a pipeline; all of them by default")
    .option("--port <number>", "port to listen on; 0 takes one that is free", portNumber, 8484)
    .option("--host <address>", "address to listen on; this machine alone by default", "127.0.0.1")
    .option("--cors <origin>", "origin whose pages may read; may be repeated", collectOrigin, [])
    .option(
      "--allow-host <name>",
      "name under which a proxy on this machine calls it; may be repeated",
      collect,
      [],
    )
    .option("--streams <number>", "streams of events that may be open at once", streamCount, BOUNDS.streams)
    .addHelpText(
      "after",
      "\nThere are no users and no passwords: whoever reaches it can read what is published.\n\nExamples:\n  ingot serve\n  curl localhost:8484/v1/\n  curl localhost:8484/v1/commerce/daily_revenue\n  curl -N localhost:8484/v1/commerce/daily_revenue/events\n  ingot serve --port 8080 --cors https://dashboard.example.com",
    )
    .action(async (name: string | undefined, _options: object, command: Command) => {
      const options = command.optsWithGlobals<Options>();
      await withRuntime(options, (runtime) => serve(runtime, name, options));
    });

async function serve(runtime: Runtime, name: string | undefined, options: Options): Promise<void> {
  const { startServer } = await import("../serve/server.ts");
  const sources = new Map<string | undefined, MetricsSource>();
  const open = async (target: string | undefined) => {
    const source = sources.get(target) ?? (await openSource(runtime, target));
    sources.set(target, source);
    return source;
  };
  const sets = await servedSets(runtime.pipelines(name), open);
  const server = await startServer({
    sets,
    host: options.host,
    port: options.port,
    origins: options.cors,
    allowedHosts: options.allowHost,
    bounds: { streams: options.streams },
    unexpected: (error) => process.stderr.write(`the server has failed: ${messageOf(error)}\n`),
  });
  announce(server.url, sets.size, options);
  const ended = interrupted().then(async () => {
    await server.stop();
    for (const source of sources.values()) await source.close();
  });
  // Targets are there until the last answer has ended.
  const waited = onCleanup(() => ended);
  await ended.finally(waited);
}

async function openSource(runtime: Runtime, name: string | undefined): Promise<MetricsSource> {
  const target = await runtime.target(name);
  const address = redisAddress(runtime.config, runtime.folder, name);
  return address === undefined ? sourceOf(target) : redisSource(target, address);
}

function announce(url: string, sets: number, { json, host }: Options): void {
  const what = sets === 1 ? "1 set" : `${sets} sets`;
  process.stdout.write(
    json ? `${JSON.stringify({ url, sets })}\n` : `${what} at ${url}/v1/; Ctrl-C ends it\n`,
  );
  if (!isLoopback(host)) {
    process.stderr.write(
      `Whoever reaches ${host} can read what is published: put a proxy with users before it.\n`,
    );
  }
}

function interrupted(): Promise<void> {
  const { signal } = interruption;
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}

function streamCount(text: string): number {
  const count = Number(text);
  if (/^\d+$/.test(text) && count >= 1 && count <= 10_000) return count;
  throw new InvalidArgumentError("It takes a whole number, 1 to 10000.");
}

const collect = (text: string, before: readonly string[]): readonly string[] => [...before, text];

function collectOrigin(text: string, before: readonly string[]): readonly string[] {
  const origin = URL.canParse(text) ? new URL(text).origin : undefined;
  if (text === "*" || (origin !== "null" && origin === text)) return collect(text, before);
  throw new InvalidArgumentError("It takes an origin such as https://dashboard.example.com, or *.");
}
