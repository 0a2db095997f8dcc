/** The part of JavaScript's regular expressions that can be said elsewhere, as a tree. */
import type { CharSet } from "./char-set.ts";

export type Pattern =
  | { readonly kind: "set"; readonly set: CharSet }
  | { readonly kind: "sequence"; readonly items: readonly Pattern[] }
  | { readonly kind: "either"; readonly options: readonly Pattern[] }
  | { readonly kind: "repeat"; readonly item: Pattern; readonly min: number; readonly max: number }
  | { readonly kind: "at"; readonly place: "start" | "end" | "boundary" };

/** Thrown where a regular expression uses something that is not translated. */
export class Untranslatable extends Error {}
