/** Names that tables and pipelines get: folders, addresses, SQL and TypeScript all take them as they are. */
import { createHash } from "node:crypto";

/** Letters that lose more than an accent on their way to ASCII. */
const LETTERS: Readonly<Record<string, string>> = {
  ß: "ss",
  æ: "ae",
  œ: "oe",
  ø: "o",
  đ: "d",
  ð: "d",
  þ: "th",
  ł: "l",
  ı: "i",
};

/** Names of devices on Windows, which no file can have. */
const DEVICE = /^(con|prn|aux|nul|com\d|lpt\d)$/;

/**
 * A name in lower case letters, digits and `_`, beginning with a letter. A name of which nothing is left is told by a
 * hash of it.
 */
export function slugOf(name: string): string {
  const ascii = name
    .normalize("NFKD")
    .toLowerCase()
    .replace(/[^\0-\x7f]/g, (letter) => LETTERS[letter] ?? letter)
    .replace(/\p{M}/gu, "")
    .replace(/[^a-z0-9]+/g, "_")
    .replace(/^_+|_+$/g, "");
  if (ascii === "") return `t_${createHash("sha256").update(name).digest("hex").slice(0, 8)}`;
  return /^[a-z]/.test(ascii) && !DEVICE.test(ascii) ? ascii : `t_${ascii}`;
}

/**
 * One name a table, in their order. Of tables that would get the same name only those in `public` keep it, the others
 * are called after their schema too. What is still the same is numbered, all but the one that is called just so.
 */
export function nameTables(tables: readonly { readonly schema: string; readonly name: string }[]): string[] {
  const plain = tables.map(({ name }) => slugOf(name));
  const count = new Map<string, number>();
  for (const name of plain) count.set(name, (count.get(name) ?? 0) + 1);
  const wanted = tables.map(({ schema, name }, i) => {
    const own = plain[i] ?? "";
    return count.get(own) === 1 || schema === "public" ? own : slugOf(`${schema}_${name}`);
  });
  const taken = new Set<string>();
  const names = new Map<number, string>();
  const isItself = (i: number) => tables[i]?.name === wanted[i];
  const order = wanted.map((_, i) => i).sort((a, b) => Number(isItself(b)) - Number(isItself(a)));
  for (const i of order) names.set(i, claim(wanted[i] ?? "", taken, "_"));
  return wanted.map((_, i) => names.get(i) ?? "");
}

/** Words that cannot be the name of a constant, or that generated files use otherwise. */
const RESERVED_WORDS = new Set(
  `arguments await break case catch class const continue debugger default delete do else enum eval export extends
   false finally for function if implements import in instanceof interface let new null package private protected
   public return static super switch this throw true try typeof undefined var void while with yield
   boolean date decimal defineTable double integer long text timestamp merge postgres defineConfig`.split(
    /\s+/,
  ),
);

/** A TypeScript constant for a name made by `slugOf`: `orderItems` for `order_items`. Adds it to those taken. */
export function constantOf(slug: string, taken: Set<string>, suffix: "Table" | "Pipeline"): string {
  const camel = slug.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
  return claim(RESERVED_WORDS.has(camel) ? `${camel}${suffix}` : camel, taken, "");
}

/** The name, or with a number where it is taken; adds it to those taken. */
function claim(name: string, taken: Set<string>, separator: string): string {
  let chosen = name;
  for (let n = 2; taken.has(chosen); n += 1) chosen = `${name}${separator}${n}`;
  taken.add(chosen);
  return chosen;
}
