/** Names of the keys of a set; see `scripts.ts` for what they hold. */

/** From set to prefix, of those that declare one. */
export const PREFIXES = "ingot:sets";

/** In braces, the hash tag: all keys of a set live on one node of a cluster. */
export const prefixOf = (set: string, key: string | undefined): string =>
  key === undefined ? `ingot:{${set}}` : `{${key}}`;

export const versionsKey = (prefix: string): string => `${prefix}:versions`;
export const versionKey = (prefix: string, id: string): string => `${prefix}:v:${id}`;
export const eventsKey = (prefix: string): string => `${prefix}:events`;
export const contentKey = (prefix: string, id: string): string => `${prefix}:${id}`;
export const rowKey = (prefix: string, row: string, digest: string): string =>
  `${prefix}:row:${row}:${digest}`;
/** Name of the channel on which versions are told. */
export const channelOf = (set: string): string => `ingot:${set}`;

/** Events that a stream keeps, about. */
export const EVENTS_KEPT = 1_000;
