/** What long work says while it goes on. A listener draws it on a terminal or prints it as a line. */
export interface ProgressEvent {
  /** What is being worked on, for example `bronze.orders`. Events of one task share it. */
  readonly task: string;
  readonly state: "running" | "done" | "skipped" | "failed";
  /** Rows so far, of this run. */
  readonly rows?: number;
  /** Rows expected, where known (an estimate). */
  readonly totalRows?: number;
  /** Part done, from 0 to 1, where rows do not tell it. */
  readonly share?: number;
  /** Bytes so far: what came from the source, or what was written. */
  readonly bytes?: number;
  /** A short remark: a version, a reason to skip. */
  readonly note?: string;
}

/** Called often; must be cheap and must not throw. */
export type ProgressListener = (event: ProgressEvent) => void;

/** For callers that do not listen. */
export const ignoreProgress: ProgressListener = () => {};
