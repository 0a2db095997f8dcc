/** A strict reader of Prometheus' text format 0.0.4: what a scraper might forgive is an error here. */

interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface Family {
  readonly type: string;
  readonly help: string;
  readonly samples: readonly Sample[];
}

const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*/;
const LABEL = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"/;
const VALUE = /^ (\+Inf|-Inf|Nan|[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?)$/i;
const SUFFIXES = /_(bucket|sum|count)$/;

/** Families by name. Throws for what the format does not allow. */
export function parseMetrics(text: string): ReadonlyMap<string, Family> {
  if (!text.endsWith("\n")) throw new Error("the last line has no end");
  const reader = new Reader();
  for (const line of text.split("\n")) if (line !== "") reader.take(line);
  return reader.families;
}

class Reader {
  readonly families = new Map<string, { type: string; help: string; samples: Sample[] }>();
  private readonly seen = new Set<string>();
  private current = "";

  take(line: string): void {
    const [, kind, name = "", rest = ""] = /^# (HELP|TYPE) (\S+) (.*)$/.exec(line) ?? [];
    if (kind === "HELP") this.begin(name, rest);
    else if (kind === "TYPE") this.setType(name, rest);
    else this.add(line);
  }

  private begin(name: string, help: string): void {
    if (this.families.has(name)) throw new Error(`${name} is there twice`);
    this.families.set(name, { type: "", help, samples: [] });
    this.current = name;
  }

  private setType(name: string, type: string): void {
    const family = this.families.get(name);
    const isKnown = /^(counter|gauge|histogram|summary)$/.test(type);
    if (family === undefined || name !== this.current || family.type !== "" || !isKnown) {
      throw new Error(`a type at the wrong place: ${name} ${type}`);
    }
    family.type = type;
  }

  private add(line: string): void {
    const sample = parseSample(line);
    const family = this.families.get(this.current);
    const isOwn = sample.name === this.current || sample.name.replace(SUFFIXES, "") === this.current;
    if (family === undefined || family.type === "" || !isOwn)
      throw new Error(`outside of its family: ${line}`);
    const id = JSON.stringify([sample.name, Object.entries(sample.labels).sort()]);
    if (this.seen.has(id)) throw new Error(`there twice: ${line}`);
    this.seen.add(id);
    family.samples.push(sample);
  }
}

function parseSample(line: string): Sample {
  const name = NAME.exec(line)?.[0];
  if (name === undefined) throw new Error(line);
  let rest = line.slice(name.length);
  const labels: Record<string, string> = {};
  if (rest.startsWith("{")) {
    rest = rest.slice(1);
    for (;;) {
      const label = LABEL.exec(rest);
      if (label === null) throw new Error(line);
      const [all, key = "", raw = ""] = label;
      if (Object.hasOwn(labels, key)) throw new Error(`${key} is there twice: ${line}`);
      labels[key] = raw.replace(/\\(.)/g, (_, sign: string) => (sign === "n" ? "\n" : sign));
      rest = rest.slice(all.length);
      if (rest.startsWith(",")) rest = rest.slice(1);
      else break;
    }
    if (!rest.startsWith("}")) throw new Error(line);
    rest = rest.slice(1);
  }
  const value = VALUE.exec(rest)?.[1];
  if (value === undefined) throw new Error(line);
  return { name, labels, value: Number(value.replace("Inf", "Infinity")) };
}

/** The value of the one sample with exactly these labels; undefined where there is none. */
export function sampleValue(
  families: ReadonlyMap<string, Family>,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): number | undefined {
  const family = families.get(name) ?? families.get(name.replace(SUFFIXES, ""));
  const wanted = JSON.stringify(Object.entries(labels).sort());
  return family?.samples.find(
    (sample) => sample.name === name && JSON.stringify(Object.entries(sample.labels).sort()) === wanted,
  )?.value;
}
