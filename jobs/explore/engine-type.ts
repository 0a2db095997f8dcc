/** DuckDB's name of a type, taken apart: `STRUCT("a b" DECIMAL(5,2)[], c MAP(INTEGER, VARCHAR))`. */

export type EngineType =
  | { readonly kind: "scalar"; readonly name: string; readonly precision: number; readonly scale: number }
  | { readonly kind: "list"; readonly element: EngineType; readonly length: number | undefined }
  | { readonly kind: "struct"; readonly members: readonly (readonly [string, EngineType])[] }
  | { readonly kind: "map"; readonly key: EngineType; readonly value: EngineType };

/** Throws a RangeError where the text is no type. */
export function parseEngineType(text: string): EngineType {
  const reader = new Reader(text);
  const type = reader.type();
  reader.end();
  return type;
}

const LONGEST_NAME = /[A-Z_][A-Z_0-9]*(?: WITH TIME ZONE)?/iy;

class Reader {
  private readonly text: string;
  private at = 0;

  constructor(text: string) {
    this.text = text;
  }

  type(): EngineType {
    let type = this.base();
    for (let array = this.match(/\[(\d*)\]/y); array !== undefined; array = this.match(/\[(\d*)\]/y))
      type = { kind: "list", element: type, length: array[1] ? Number(array[1]) : undefined };
    return type;
  }

  end(): void {
    if (this.at < this.text.length) throw this.unknown();
  }

  private base(): EngineType {
    const name = this.match(LONGEST_NAME)?.[0].toUpperCase();
    if (name === undefined) throw this.unknown();
    if (name === "STRUCT") return { kind: "struct", members: this.inParentheses(() => this.member()) };
    if (name === "MAP") {
      const [key, value] = this.inParentheses(() => this.type());
      if (key === undefined || value === undefined) throw this.unknown();
      return { kind: "map", key, value };
    }
    if (name === "UNION") this.inParentheses(() => this.member());
    if (name === "ENUM") this.inParentheses(() => this.match(/'(?:[^']|'')*'/y) ?? this.fail());
    const [, precision = "0", scale = "0"] = this.match(/\((\d+), ?(\d+)\)/y) ?? [];
    return { kind: "scalar", name, precision: Number(precision), scale: Number(scale) };
  }

  private member(): readonly [string, EngineType] {
    const quoted = this.match(/"((?:[^"]|"")*)" /y)?.[1];
    const name = quoted?.replaceAll('""', '"') ?? this.match(/([^\s",()]+) /y)?.[1] ?? this.fail();
    return [name, this.type()];
  }

  private inParentheses<T>(item: () => T): T[] {
    if (this.match(/\(/y) === undefined) throw this.unknown();
    const items: T[] = [];
    do items.push(item());
    while (this.match(/, ?/y) !== undefined);
    if (this.match(/\)/y) === undefined) throw this.unknown();
    return items;
  }

  private match(pattern: RegExp): RegExpExecArray | undefined {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.text) ?? undefined;
    if (found !== undefined) this.at += found[0].length;
    return found;
  }

  private fail(): never {
    throw this.unknown();
  }

  private unknown(): RangeError {
    return new RangeError(`not a type, from character ${this.at}: ${this.text}`);
  }
}
