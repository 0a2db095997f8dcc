/** A version that is being staged in Redis. */
import type { Publication } from "../target.ts";
import type { RedisClient } from "./connect.ts";
import { versionKey, versionsKey } from "./keys.ts";
import { REGISTER } from "./scripts.ts";

export interface Staging {
  readonly client: RedisClient;
  readonly publication: Publication;
  readonly prefix: string;
  readonly id: string;
  /** Seconds to live; 0 for ever. */
  readonly ttl: number;
}

/** What was staged: its key, how many elements and rows it has, and how many of the rows had to be written. */
export interface Staged {
  readonly key: string;
  readonly length: number;
  readonly rows: number;
  readonly written: number;
}

/** Makes the version known, so that nothing of it is cleaned away. */
export async function register(
  { client, publication, prefix, id }: Staging,
  key: string,
  digest: string,
): Promise<void> {
  const { token, fingerprint, form } = publication;
  const fields = { token, fingerprint, digest, key, kind: form.kind };
  await client.eval(
    REGISTER,
    2,
    versionsKey(prefix),
    versionKey(prefix, id),
    id,
    ...Object.entries(fields).flat(),
  );
}
