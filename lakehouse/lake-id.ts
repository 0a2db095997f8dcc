/** What tells one lake from another. It lies in the lake itself: a copy of a lake has the same. */
import { randomUUID } from "node:crypto";
import { z } from "zod";
import { TerminalError } from "./errors.ts";
import type { ObjectStore } from "./store/store.ts";

const FILE = "_ingot/lake.json";
const fileSchema = z.object({ id: z.uuid() });

/** The id of the lake whose root this store is; made where nobody has asked for it yet. Throws `LAKE_INVALID`. */
export async function lakeId(store: ObjectStore): Promise<string> {
  const known = await knownLakeId(store);
  if (known !== undefined) return known;
  const id = randomUUID();
  if (await store.putIfAbsent(FILE, new TextEncoder().encode(`${JSON.stringify({ id })}\n`))) return id;
  // Somebody else has made one meanwhile.
  return read(store, (await store.get(FILE)) ?? new Uint8Array());
}

/** The id of a lake, where somebody has asked for it before. Throws `LAKE_INVALID`. */
export async function knownLakeId(store: ObjectStore): Promise<string | undefined> {
  const found = await store.get(FILE);
  return found === undefined ? undefined : read(store, found);
}

function read(store: ObjectStore, bytes: Uint8Array): string {
  try {
    return fileSchema.parse(JSON.parse(new TextDecoder().decode(bytes))).id;
  } catch (cause) {
    throw new TerminalError("the file with the lake's id cannot be read", {
      code: "LAKE_INVALID",
      value: `${store.root}/${FILE}`,
      allowed: '{ "id": "<uuid>" }',
      next: "Put back what it was. The id also stands in the comment on the publication at the source.",
      cause,
    });
  }
}
