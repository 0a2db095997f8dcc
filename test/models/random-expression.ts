/** SQL expressions of a small grammar, made of numbers that fast-check draws: each is valid whatever the numbers are. */

/** Numbers taken one after the other as choices. Smaller ones, and none, choose what is simpler. */
export class Choices {
  private readonly numbers: readonly number[];
  private at = 0;

  constructor(numbers: readonly number[]) {
    this.numbers = numbers;
  }

  /** A number from 0 up, less than `end`. */
  below(end: number): number {
    const number = this.numbers[this.at] ?? 0;
    this.at += 1;
    return number % end;
  }

  pick<T>(first: T, ...others: readonly T[]): T {
    return [first, ...others][this.below(others.length + 1)] ?? first;
  }

  /** True once in so many times. */
  oneIn(times: number): boolean {
    return this.below(times) === times - 1;
  }
}

export type ValueType = "long" | "text" | "timestamp" | "date" | "double";
export const TYPES = ["long", "text", "timestamp", "date"] as const;

/** What a query may name. */
export interface Item {
  readonly sql: string;
  readonly type: ValueType;
  readonly isNullable: boolean;
}

const LITERALS: Readonly<Record<ValueType, readonly [string, ...string[]]>> = {
  long: ["0", "2", "-1"],
  text: ["'a'", "'x'", "'?'"],
  timestamp: ["TIMESTAMPTZ '2023-11-15 00:00:00+00'", "TIMESTAMPTZ '2023-11-17 12:00:00+00'"],
  date: ["DATE '2023-11-15'", "DATE '2023-11-18'"],
  double: ["0.5::DOUBLE", "2::DOUBLE"],
};

/** A value of another type that tells as many values apart. */
function converted({ sql, type: from }: Item, type: ValueType): string {
  const toLong: Readonly<Record<ValueType, string>> = {
    long: sql,
    text: `ascii(${sql})::BIGINT`,
    timestamp: `date_diff('hour', TIMESTAMPTZ '2023-11-14 00:00:00+00', ${sql})`,
    date: `date_diff('day', DATE '2023-11-14', ${sql})`,
    double: `CAST(round(${sql}) AS BIGINT)`,
  };
  const long = toLong[from];
  const ofLong: Readonly<Record<ValueType, string>> = {
    long,
    text: `CAST(${sql} AS VARCHAR)`,
    timestamp: `(TIMESTAMPTZ '2023-11-14 22:13:20+00' + to_hours(CAST(${long} % 100 AS INTEGER)))`,
    date: `(DATE '2023-11-14' + CAST(${long} % 20 AS INTEGER))`,
    double: `CAST(${long} AS DOUBLE)`,
  };
  return ofLong[type];
}

/** Expressions over items; `depth` bounds how far they nest. */
export class Expressions {
  readonly choices: Choices;
  readonly items: readonly Item[];

  constructor(choices: Choices, items: readonly Item[]) {
    this.choices = choices;
    this.items = items;
  }

  literal(type: ValueType): string {
    return this.choices.pick(...LITERALS[type]);
  }

  /** Any expression of a type; it may be NULL. */
  any(type: ValueType, depth = 2): string {
    const isColumn = depth === 0 || this.choices.pick(true, true, false);
    if (isColumn) return this.column(type);
    const [form = () => this.column(type), ...forms] = this.forms(type, depth - 1);
    return this.choices.pick(form, ...forms)();
  }

  /** A column, or what is made of one where none has the type. */
  private column(type: ValueType): string {
    const [first, ...others] = this.items.filter((item) => item.type === type);
    if (first !== undefined) return this.choices.pick(first, ...others).sql;
    const [other, ...rest] = this.items;
    return other === undefined ? this.literal(type) : converted(this.choices.pick(other, ...rest), type);
  }

  /** An expression that has a value wherever there is a row. */
  present(type: ValueType): string {
    const [first, ...others] = this.items.filter((item) => item.type === type && !item.isNullable);
    if (first !== undefined && !this.choices.oneIn(3))
      return this.kept(type, this.choices.pick(first, ...others).sql);
    const second = this.choices.pick("", `${this.any(type)}, `);
    return `coalesce(${this.any(type)}, ${second}${this.literal(type)})`;
  }

  /** What has a value where its argument has one. */
  private kept(type: ValueType, sql: string): string {
    const forms: Readonly<Record<ValueType, readonly string[]>> = {
      long: [`(${sql} % 3)`, `(${sql} + 1)`],
      text: [`upper(${sql})`, `substr(${sql}, 1, 1)`],
      timestamp: [`date_trunc('day', ${sql})`, `date_trunc('hour', ${sql})`],
      date: [`(${sql} + 1)`, `CAST(date_trunc('week', ${sql}) AS DATE)`],
      double: [`(${sql} + 1)`],
    };
    return this.choices.pick(sql, sql, ...forms[type]);
  }

  predicate(depth = 2): string {
    const { choices } = this;
    const type = choices.pick(...TYPES);
    const simple = [
      () => `${this.any("long", 1)} ${choices.pick(">", "<=", "<>")} ${this.literal("long")}`,
      () => `${this.any(type, 1)} = ${this.any(type, 0)}`,
      () => `${this.any("text", 0)} IN ('a', 'x', 'north')`,
      () => `${this.any(type, 1)} IS NOT NULL`,
      () => `${this.any(type, 0)} IS NULL`,
      () => `${this.any("timestamp", 1)} >= ${this.literal("timestamp")}`,
    ] as const;
    if (depth === 0) return choices.pick(...simple)();
    const nested = [
      () => `(${this.predicate(depth - 1)} AND ${this.predicate(depth - 1)})`,
      () => `(${this.predicate(depth - 1)} OR ${this.predicate(depth - 1)})`,
      () => `NOT (${this.predicate(depth - 1)})`,
    ];
    return choices.pick(...simple, ...nested)();
  }

  private forms(type: ValueType, depth: number): (() => string)[] {
    const { choices } = this;
    const any = (of: ValueType) => this.any(of, depth);
    const common = [
      () => `CASE WHEN ${this.predicate(0)} THEN ${any(type)} ELSE ${any(type)} END`,
      () => `coalesce(${any(type)}, ${this.literal(type)})`,
      () => `nullif(${any(type)}, ${this.literal(type)})`,
    ];
    const own: Readonly<Record<ValueType, readonly (() => string)[]>> = {
      long: [
        () => `(${any("long")} + ${choices.pick(1, 7)})`,
        () => `(${any("long")} % 3)`,
        () => `length(${any("text")})`,
        () => `CAST(date_part('hour', ${any("timestamp")} AT TIME ZONE 'UTC') AS BIGINT)`,
      ],
      text: [() => `substr(${any("text")}, 1, 1)`, () => `(${any("text")} || '+')`],
      timestamp: [
        () => `date_trunc('${choices.pick("hour", "day")}', ${any("timestamp")})`,
        () => `(${any("timestamp")} + INTERVAL 5 HOUR)`,
      ],
      date: [
        () => `CAST(${any("timestamp")} AT TIME ZONE 'UTC' AS DATE)`,
        () => `CAST(date_trunc('month', ${any("date")}) AS DATE)`,
      ],
      double: [() => `(${any("double")} / 2)`],
    };
    return [...own[type], ...common];
  }
}
