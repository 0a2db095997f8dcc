import { request } from "node:http";
import { servedSets } from "../../jobs/serve/served-sets.ts";
import { type RunningServer, type ServeOptions, startServer } from "../../jobs/serve/server.ts";
import { full } from "../../layers/definition/model.ts";
import { type PipelineDefinition, postgres } from "../../layers/definition/pipeline.ts";
import type { PublishedMetric } from "../../layers/definition/published.ts";
import type { MetricsSource } from "../../layers/publish/client-source.ts";
import type { AnyContract } from "../../schemas/table.ts";

interface Given {
  readonly contract: AnyContract;
  readonly publish: readonly PublishedMetric[];
  readonly source: MetricsSource;
  readonly options?: Partial<ServeOptions>;
}

/** What the server complained of, beside its answers. */
export const unexpected: unknown[] = [];

/** A server of a pipeline `shop` whose gold table is `top`. */
export async function serve({ contract, publish, source, options }: Given): Promise<RunningServer> {
  const pipeline: PipelineDefinition = {
    name: "shop",
    source: postgres({ tables: {} }),
    gold: { top: full(contract) },
    publish,
  };
  return startServer({
    sets: await servedSets([pipeline], async () => source),
    host: "127.0.0.1",
    port: 0,
    unexpected: (error) => unexpected.push(error),
    ...options,
  });
}

/** A request whose target goes over the wire as it is given: `fetch` would tidy it up. */
export function rawGet(
  url: string,
  target: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<{ readonly status: number; readonly body: string }> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const sent = request({ hostname, port, path: target, headers, agent: false }, (response) => {
      let body = "";
      response.setEncoding("utf8");
      response.on("data", (part: string) => {
        body += part;
      });
      response.on("end", () => resolve({ status: response.statusCode ?? 0, body }));
    });
    sent.on("error", reject);
    sent.end();
  });
}
