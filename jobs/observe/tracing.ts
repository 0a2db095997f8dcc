/** Traces of what runs, for whoever collects them; OpenTelemetry is loaded where somebody does, and nowhere else. */
import type { RootSpan, TraceSpan } from "./tracing-span.ts";

/** Setting `tracing` of a configuration. */
export interface TracingSettings {
  /** Address of a collector. */
  readonly url?: string | undefined;
  /** The very address that traces go to. */
  readonly tracesUrl?: string | undefined;
}

export interface Tracing {
  readonly root: RootSpan;
  /** Runs of a scheduler that go on, by their ids. */
  readonly runs: Map<string, TraceSpan>;
  /** Delivers what has ended. Takes a few seconds at most, and never rejects. */
  end(): Promise<void>;
}

/** Tracing as it is configured; undefined where it is not. `complain` hears once of a collector that takes nothing. */
export async function openTracing(
  settings: TracingSettings | undefined,
  complain: (text: string) => void,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): Promise<Tracing | undefined> {
  const url = settings && tracesAddress(settings);
  if (url === undefined || environment.OTEL_SDK_DISABLED?.toLowerCase() === "true") return undefined;
  const { openSdk } = await import("./tracing-sdk.ts");
  const { root, end } = openSdk(url, complain);
  return { root, runs: new Map(), end };
}

/** Where traces go: below a collector's address, as OpenTelemetry has it for `OTEL_EXPORTER_OTLP_ENDPOINT`. */
export function tracesAddress({ url, tracesUrl }: TracingSettings): string | undefined {
  if (tracesUrl !== undefined || url === undefined) return tracesUrl;
  const address = new URL(url);
  address.pathname = `${address.pathname.replace(/\/$/, "")}/v1/traces`;
  return address.href;
}
