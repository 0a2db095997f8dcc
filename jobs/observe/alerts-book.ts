/**
 * The book of a pipeline's alerts: what is wrong, what was told of it, and up to where its runs have been judged. One
 * object of the lake, `_ingot/alerts/<pipeline>/book.json`, written by who holds the lease of the pipeline's alerts.
 */
import { randomUUID } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import { z } from "zod";
import type { ObjectStore } from "../../lakehouse/store/store.ts";
import { type Condition, conditionSchema, type Verdict } from "./alerts-condition.ts";

const incidentSchema = conditionSchema.extend({
  /** The same in all that is told of it. */
  id: z.string(),
  key: z.string(),
  /** When it was over. */
  resolvedAt: z.number().optional(),
  /** When it was told last, how often, how much of it there was then, and how bad it was. */
  told: z
    .object({
      at: z.number(),
      times: z.number(),
      size: z.number().optional(),
      gravity: z.number().optional(),
    })
    .optional(),
});

const bookSchema = z.object({
  incidents: z.array(incidentSchema),
  judged: z.record(z.string(), z.number()),
  baselines: z.record(z.string(), z.number()).optional(),
});

/** Something that is or was wrong, from its beginning to its end. */
export type Incident = z.output<typeof incidentSchema>;
export type Book = z.output<typeof bookSchema>;

export const EMPTY: Book = { incidents: [], judged: {} };

/** Incidents that are over and could not be told of; the oldest make room. */
const MOST_UNTOLD = 200;

/** The book with what was found out, in its order. The very same book where that is no news. */
export function settle(book: Book, verdicts: readonly Verdict[], now: number): Book {
  let incidents: readonly Incident[] = book.incidents;
  for (const { key, condition } of verdicts) {
    const open = incidents.find((incident) => incident.key === key && incident.resolvedAt === undefined);
    if (condition === undefined && open === undefined) continue;
    const others = incidents.filter((incident) => incident !== open);
    if (condition === undefined) {
      if (open !== undefined) incidents = [...others, { ...open, resolvedAt: now }];
    } else if (open === undefined) incidents = [...others, { ...condition, id: randomUUID(), key }];
    else {
      const next = goingOn(open, condition);
      if (!isDeepStrictEqual(next, open)) incidents = [...others, next];
    }
  }
  return incidents === book.incidents ? book : { ...book, incidents: bounded(incidents) };
}

/** What is said of it now, and of what was said before nothing but since when. */
function goingOn({ id, key, since, told }: Incident, condition: Condition): Incident {
  const { size, gravity, runId, ...rest } = condition;
  return {
    ...rest,
    id,
    key,
    since,
    ...(runId === undefined ? {} : { runId }),
    ...(size === undefined ? {} : { size }),
    ...(gravity === undefined ? {} : { gravity }),
    ...(told === undefined ? {} : { told }),
  };
}

function bounded(incidents: readonly Incident[]): Incident[] {
  const over = incidents.filter(({ resolvedAt }) => resolvedAt !== undefined);
  const dropped = new Set(over.slice(0, Math.max(0, over.length - MOST_UNTOLD)));
  return incidents.filter((incident) => !dropped.has(incident));
}

/** Something to tell now. */
export interface Notice {
  readonly incident: Incident;
  readonly state: "firing" | "resolved";
  /** The same in every try, another one when it is told again. */
  readonly key: string;
}

/**
 * What is to be told, the oldest first. `repeatMs`: what goes on is told again after so long; when it has doubled, or has
 * got worse, at once.
 */
export function noticesOf(book: Book, now: number, repeatMs: number): Notice[] {
  return book.incidents
    .filter(({ told, size, gravity = 0, resolvedAt }) => {
      if (told === undefined || resolvedAt !== undefined) return true;
      const doubled = size !== undefined && told.size !== undefined && size >= 2 * told.size;
      const isWorse = gravity > (told.gravity ?? gravity);
      return doubled || isWorse || now - told.at >= repeatMs;
    })
    .toSorted((a, b) => a.since - b.since)
    .map((incident) => {
      const state = incident.resolvedAt === undefined ? "firing" : "resolved";
      return { incident, state, key: `${incident.id}:${state}:${incident.told?.times ?? 0}` };
    });
}

/** The book after a notice was taken: what is over and told is no longer in it. */
export function afterTelling(book: Book, { incident, state }: Notice, now: number): Book {
  const incidents = book.incidents.flatMap((other) => {
    if (other.id !== incident.id) return [other];
    if (state === "resolved") return [];
    const { size, gravity } = incident;
    const told = { at: now, times: (other.told?.times ?? 0) + 1 };
    const then = { ...(size === undefined ? {} : { size }), ...(gravity === undefined ? {} : { gravity }) };
    return [{ ...other, told: { ...told, ...then } }];
  });
  return { ...book, incidents };
}

const pathOf = (pipeline: string) => `_ingot/alerts/${pipeline}/book.json`;

/** The book of a pipeline; an empty one where there is none, or one that is not understood here. */
export async function readBook(store: ObjectStore, pipeline: string): Promise<Book> {
  const bytes = await store.get(pathOf(pipeline));
  if (bytes === undefined) return EMPTY;
  try {
    return bookSchema.parse(JSON.parse(new TextDecoder().decode(bytes)));
  } catch {
    return EMPTY;
  }
}

/** What of a book has to be in the lake: texts are written anew by whoever goes on with it. */
export const essence = ({ incidents, baselines }: Book): string =>
  JSON.stringify([incidents.map(({ id, resolvedAt, told }) => [id, resolvedAt, told]), baselines]);

export async function writeBook(store: ObjectStore, pipeline: string, book: Book): Promise<void> {
  await store.put(pathOf(pipeline), new TextEncoder().encode(`${JSON.stringify(book)}\n`));
}
