/**
 * How a lease lies in a store: `_ingot/leases/<name>/<epoch>.json`, one object for each holding. The greatest epoch is
 * the one that counts; it is made by put-if-absent, so that one rival gets it, and then written by its holder only.
 */
import { z } from "zod";

const ROOT = "_ingot/leases";
const DIGITS = 15;

/** What an object says. Times are for people: nobody decides by another's clock. */
export interface LeaseFile {
  /** Who holds it, for people. */
  readonly owner: string;
  /** Tells one holding from all others, those of the same owner among them. */
  readonly token: string;
  /** How often it was renewed: a change of the object's text is its sign of life. */
  readonly renewal: number;
  /** ISO 8601. */
  readonly renewedAt: string;
  /** Whether its holder has given it back. */
  readonly released: boolean;
}

const schema = z.object({
  owner: z.string(),
  token: z.string(),
  renewal: z.number(),
  renewedAt: z.string(),
  released: z.boolean(),
});

/** Folder of a lease's objects, with a slash at its end. */
export const leaseFolder = (name: string): string => `${ROOT}/${name}/`;

export const leasePath = (name: string, epoch: number): string =>
  `${leaseFolder(name)}${String(epoch).padStart(DIGITS, "0")}.json`;

/** The epoch that a path names; undefined for what is no lease. */
export function epochOf(path: string): number | undefined {
  const digits = /\/(\d{15})\.json$/.exec(path)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

export const encodeLease = (file: LeaseFile): Uint8Array =>
  new TextEncoder().encode(`${JSON.stringify(file)}\n`);

/** What the object says; undefined where it says nothing that is understood here: then it is held, by somebody. */
export function decodeLease(bytes: Uint8Array): LeaseFile | undefined {
  try {
    return schema.parse(JSON.parse(new TextDecoder().decode(bytes)));
  } catch {
    return undefined;
  }
}
