/** Spans by OpenTelemetry's SDK, sent as OTLP over HTTP in JSON. Loaded only where traces are collected. */
import {
  type Context,
  ROOT_CONTEXT,
  type Span,
  SpanStatusCode,
  type Tracer,
  trace,
} from "@opentelemetry/api";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http";
import { detectResources, envDetector, resourceFromAttributes } from "@opentelemetry/resources";
import { BasicTracerProvider, BatchSpanProcessor, type SpanExporter } from "@opentelemetry/sdk-trace-base";
import { codeOf, messageOf } from "../../lakehouse/errors.ts";
import { maskSecrets } from "../../lakehouse/secrets.ts";
import type { RootSpan, SpanAttributes, SpanEnd, TraceSpan } from "./tracing-span.ts";

/** Milliseconds that a collector may take, and that the end of the process waits for it. */
const PATIENCE = 3_000;
/** Spans that wait to be sent; those of all tables of a step end at once. */
const MOST_SPANS = 20_000;
/** Characters of a value that are kept. */
const LONGEST_VALUE = 1_000;

/** Opens a provider of its own: nothing global is touched, and a parent is always given, never found. */
export function openSdk(
  url: string,
  complain: (text: string) => void,
): { readonly root: RootSpan; readonly end: () => Promise<void> } {
  const exporter = complaining(new OTLPTraceExporter({ url, timeoutMillis: PATIENCE }), url, complain);
  const provider = new BasicTracerProvider({
    // What the environment says of the service goes over this.
    resource: resourceFromAttributes({ "service.name": "ingot" }).merge(
      detectResources({ detectors: [envDetector] }),
    ),
    generalLimits: { attributeValueLengthLimit: LONGEST_VALUE },
    spanProcessors: [
      new BatchSpanProcessor(exporter, { exportTimeoutMillis: PATIENCE, maxQueueSize: MOST_SPANS }),
    ],
  });
  const tracer = provider.getTracer("ingot");
  return {
    root: (name, attributes) => begin(tracer, name, attributes, Date.now(), ROOT_CONTEXT),
    end: async () => {
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, PATIENCE);
      });
      // What is not delivered was complained of.
      await Promise.race([provider.shutdown().catch(() => {}), late]);
      clearTimeout(timer);
    },
  };
}

/** All times are the wall clock's, of one precision: no part begins before the whole or ends after it. */
function begin(
  tracer: Tracer,
  name: string,
  attributes: SpanAttributes,
  startTime: number,
  parent: Context,
): TraceSpan {
  return new SdkSpan(tracer, tracer.startSpan(name, { startTime }, parent), attributes);
}

class SdkSpan implements TraceSpan {
  private readonly tracer: Tracer;
  private readonly span: Span;

  constructor(tracer: Tracer, span: Span, attributes: SpanAttributes) {
    this.tracer = tracer;
    this.span = span;
    this.set(attributes);
  }

  child(name: string, attributes: SpanAttributes = {}, startedAt = Date.now()): TraceSpan {
    return begin(this.tracer, name, attributes, startedAt, trace.setSpan(ROOT_CONTEXT, this.span));
  }

  set(attributes: SpanAttributes): void {
    this.span.setAttributes(named(attributes));
  }

  event(name: string, attributes: SpanAttributes = {}): void {
    this.span.addEvent(name, named(attributes));
  }

  end({ error, at = Date.now() }: SpanEnd = {}): void {
    if (error !== undefined) {
      const { code, message } = error;
      this.span.setStatus({ code: SpanStatusCode.ERROR, message: message.slice(0, LONGEST_VALUE) });
      this.span.setAttribute("error.type", code ?? "error");
    }
    this.span.end(at);
  }
}

/** Attributes under Ingot's own names. */
function named(attributes: SpanAttributes): Record<string, string | number | boolean> {
  return Object.fromEntries(
    Object.entries(attributes).flatMap(([name, value]) =>
      value === undefined ? [] : [[`ingot.${name}`, value]],
    ),
  );
}

/** An exporter that says when the collector begins to take nothing, once until it takes something again. */
function complaining(exporter: SpanExporter, url: string, complain: (text: string) => void): SpanExporter {
  let failing = false;
  return {
    export: (spans, answer) =>
      exporter.export(spans, (result) => {
        const { error } = result;
        // Its answer may hold anything; its address may hold a password.
        if (error !== undefined && !failing)
          complain(
            `warning: traces are not delivered to ${new URL(url).host}: ${maskSecrets(reasonOf(error))}\n`,
          );
        failing = error !== undefined;
        answer(result);
      }),
    shutdown: () => exporter.shutdown(),
    forceFlush: () => exporter.forceFlush?.() ?? Promise.resolve(),
  };
}

function reasonOf(error: Error): string {
  const status = "code" in error && typeof error.code === "number" ? `status ${error.code}` : undefined;
  return status ?? codeOf(error) ?? messageOf(error);
}
