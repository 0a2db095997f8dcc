/** Checks of texts that zod has no words for, made so that others can tell what they mean. */
import { z } from "zod";

export type BoundOperator = ">=" | ">" | "<=" | "<";

/** What a check of ours means. */
export type KnownCheck =
  /** A decimal number that fits into this many digits, `scale` of them after the point. */
  | { readonly kind: "decimal"; readonly precision: number; readonly scale: number }
  /** A decimal number or a day, on this side of another one. */
  | { readonly kind: "bound"; readonly operator: BoundOperator; readonly bound: string }
  /** JSON as `JSON.parse` understands it. */
  | { readonly kind: "json" };

/** Marks the check across copies of this module: a pipeline is loaded from source beside the compiled library. */
const MEANING = Symbol.for("ingot.known-check");

/** A check for zod schemas of texts. */
export function knownCheck(
  meaning: KnownCheck,
  message: string,
  keeps: (text: string) => boolean,
): z.core.$ZodCheck<string> {
  const check = z.refine<string>(keeps, { message });
  return Object.defineProperty(check, MEANING, { value: meaning });
}

/** What a check means, if it was made by `knownCheck`. */
export function knownMeaning(check: object): KnownCheck | undefined {
  return (check as { readonly [MEANING]?: KnownCheck })[MEANING];
}
