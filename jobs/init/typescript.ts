/** TypeScript text: literals and comments of which no name or remark can break out. */
import { printable } from "../terminal/text.ts";

/** As wide as lines of generated files get, where a line can be broken. */
const WIDTH = 110;

const PLAIN = /^[\p{ID_Start}_$][\p{ID_Continue}$]*$/u;

/** A string literal, in the quotes that need fewer escapes. */
export function stringText(text: string): string {
  const double = JSON.stringify(text);
  const count = (quote: string) => text.split(quote).length;
  if (count('"') <= count("'")) return double;
  return `'${double.slice(1, -1).replaceAll('\\"', '"').replaceAll("'", "\\'")}'`;
}

/** The name of a property; `__proto__` needs brackets, or it would set the prototype. */
export function propertyText(name: string): string {
  if (name === "__proto__") return '["__proto__"]';
  return PLAIN.test(name) ? name : stringText(name);
}

/** Text for one line of a comment, in TypeScript or SQL. */
const commentText = (text: string) => printable(text);

/** `// …` lines, broken at spaces. */
export function commentLines(text: string, indent: string, mark = "//"): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of commentText(text).split(" ")) {
    const longer = line === "" ? word : `${line} ${word}`;
    if (line !== "" && indent.length + mark.length + 1 + longer.length > WIDTH) {
      lines.push(line);
      line = word;
    } else line = longer;
  }
  return [...lines, line].map((each) => `${indent}${mark} ${each}`.trimEnd());
}

/** `name: value,` with strings and lists of strings, in one line where it fits. */
export function entryText(
  name: string,
  options: Readonly<Record<string, string | readonly string[]>>,
  indent: string,
): string {
  const properties = Object.entries(options).map(([option, value]) => `${option}: ${valueText(value)}`);
  const start = `${indent}${propertyText(name)}: `;
  if (properties.length === 0) return `${start}{},`;
  const short = `${start}{ ${properties.join(", ")} },`;
  if (short.length <= WIDTH) return short;
  return [`${start}{`, ...properties.map((property) => `${indent}  ${property},`), `${indent}},`].join("\n");
}

const valueText = (value: string | readonly string[]) =>
  typeof value === "string" ? stringText(value) : listText(value);

export const listText = (texts: readonly string[]) => `[${texts.map(stringText).join(", ")}]`;
