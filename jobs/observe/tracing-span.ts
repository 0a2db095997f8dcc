/** Spans as the rest of Ingot sees them: nothing here knows of OpenTelemetry. */

export type SpanAttributes = Readonly<Record<string, string | number | boolean | undefined>>;

/** What took its time, as a part of something that takes longer. */
export interface TraceSpan {
  /** Begins one within it; times are milliseconds since the epoch, by default now. */
  child(name: string, attributes?: SpanAttributes, startedAt?: number): TraceSpan;
  set(attributes: SpanAttributes): void;
  /** Notes a moment of it. */
  event(name: string, attributes?: SpanAttributes): void;
  end(how?: SpanEnd): void;
}

export interface SpanEnd {
  readonly error?: SpanError | undefined;
  /** Milliseconds since the epoch. */
  readonly at?: number;
}

/** Why something failed, free of secrets. */
export interface SpanError {
  readonly code?: string | undefined;
  readonly message: string;
}

/** Begins a span that is part of nothing. */
export type RootSpan = (name: string, attributes: SpanAttributes) => TraceSpan;
