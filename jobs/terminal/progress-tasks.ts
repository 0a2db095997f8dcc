import type { ProgressEvent } from "../../lakehouse/progress.ts";

/** What is known of one task: the last event that told each thing. */
export interface Task {
  readonly name: string;
  readonly state: ProgressEvent["state"];
  readonly rows?: number;
  readonly totalRows?: number;
  readonly share?: number;
  readonly bytes?: number;
  readonly note?: string;
  readonly startedAt: number;
  /** When it ended; undefined while it runs. */
  readonly endedAt?: number;
}

/** The task after an event. A task that ended and starts again is a new one. */
export function advance(before: Task | undefined, event: ProgressEvent, now: number): Task {
  const known = before?.endedAt === undefined ? before : undefined;
  // Fields that an event does not carry keep what was last said.
  const told = Object.fromEntries(Object.entries(event).filter(([, value]) => value !== undefined));
  return {
    startedAt: now,
    ...known,
    ...told,
    name: event.task,
    state: event.state,
    ...(event.state === "running" ? {} : { endedAt: now }),
  };
}

/** The task as it is left behind when the work around it ends: nobody will tell how it would have gone on. */
export function stopped(task: Task, now: number): Task {
  return task.endedAt === undefined ? { ...task, state: "skipped", note: "stopped", endedAt: now } : task;
}

/** How long a task has taken. */
export function elapsed(task: Task, now: number): number {
  return Math.max(0, (task.endedAt ?? now) - task.startedAt);
}

/** Rows a second since its start; undefined where it was too short for a rate to mean anything. */
export function rateOf(task: Task, now: number): number | undefined {
  const time = elapsed(task, now);
  return task.rows === undefined || task.rows === 0 || time < 100 ? undefined : (task.rows / time) * 1000;
}

/** Part done, from 0 to 1. The total is an estimate: what runs is never quite done. */
export function shareOf(task: Task): number | undefined {
  if (task.endedAt !== undefined) return undefined;
  if (task.share !== undefined) return Math.min(0.99, task.share);
  if (task.totalRows === undefined || task.totalRows <= 0) return undefined;
  return Math.min(0.99, (task.rows ?? 0) / task.totalRows);
}

/** Too little of a task says nothing of the rest. */
const TELLING_SHARE = 0.02;
const TELLING_MS = 2_000;

/** Milliseconds that are left if it goes on as so far; undefined where that cannot be told yet. */
export function timeLeft(task: Task, now: number): number | undefined {
  const share = shareOf(task);
  const time = elapsed(task, now);
  if (share === undefined || share < TELLING_SHARE || time < TELLING_MS) return undefined;
  return (time / share) * (1 - share);
}
