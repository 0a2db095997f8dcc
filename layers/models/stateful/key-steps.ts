/** The steps of one key after another: which of its rows stand, and which one the next step goes on from. */
import type { Columns } from "../../../schemas/table.ts";
import { contractRow, type PlainRow } from "./row-columns.ts";
import { plainValue } from "./row-values.ts";
import { badStep, brokenInput, stepFailed } from "./step-errors.ts";
import type { Stepper } from "./stepper.ts";

/** A row, and texts of its values in the columns that Ingot fills in: those hold them whole. */
export interface TextedRow {
  readonly plain: PlainRow;
  readonly texts: PlainRow;
}

export class KeySteps {
  private readonly stepper: Stepper;
  private readonly columns: Columns;
  private readonly filled: readonly string[];
  private key: PlainRow | undefined;
  private last: TextedRow | undefined;

  constructor(stepper: Stepper) {
    this.stepper = stepper;
    this.columns = stepper.model.contract.columns;
    this.filled = [...stepper.by, ...stepper.order];
  }

  /** Whether the row is of another key than those before it. */
  isOther({ texts }: TextedRow): boolean {
    const { key } = this;
    return key === undefined || this.stepper.by.some((name) => key[name] !== texts[name]);
  }

  /** Begins with a row's key. `last`: the newest row that the table has for it. */
  begin({ texts }: TextedRow, last: TextedRow | undefined): void {
    this.key = texts;
    this.last = last;
  }

  /** Ends a key: the row that no other took the place of. */
  end(): PlainRow[] {
    return this.last === undefined ? [] : [spooled(this.last)];
  }

  /** Takes a row in. Answers rows of the key that no later step changes. */
  take(row: TextedRow): PlainRow[] {
    const { last } = this;
    const made = this.step(row);
    const same = last === undefined ? [] : made.filter((one) => this.hasKeyOf(one, last));
    const others = made.filter((one) => !same.includes(one));
    if (same.length > 1) throw badStep(this.stepper, row.plain, "gives the key of the newest row twice");
    const newest = others.at(-1);
    if (newest === undefined) {
      this.last = this.movedOn(same[0], row);
      return [];
    }
    this.last = newest;
    // What was the newest row stays as of the last row that went into it.
    const left = same[0] && last ? this.refilled(same[0], last) : last;
    return [...(left ? [left] : []), ...others.slice(0, -1)].map(spooled);
  }

  /** The newest row where no other came: it tells how far the table has come. */
  private movedOn(same: TextedRow | undefined, row: TextedRow): TextedRow {
    const { last, stepper } = this;
    const stays = same ?? last;
    if (stays === undefined) throw badStep(stepper, row.plain, "gives no row for the first row of a key");
    const moved = this.refilled(stays, row);
    if (last !== undefined && !this.hasKeyOf(moved, last))
      throw badStep(stepper, row.plain, "gives no row of its own, and the key holds a column of the order");
    return moved;
  }

  private step({ plain, texts }: TextedRow): TextedRow[] {
    const { stepper, last } = this;
    const row = contractRow(stepper.input, plain);
    const broken = firstBroken(stepper.input, Object.keys(stepper.input), row);
    if (broken) throw brokenInput(stepper, plain, ...broken);
    let given: unknown;
    try {
      given = stepper.step(last && contractRow(this.columns, last.plain), row);
    } catch (cause) {
      throw stepFailed(stepper, plain, cause);
    }
    if (!Array.isArray(given)) throw badStep(stepper, plain, "gives no list of rows");
    return given.map((one: unknown) =>
      this.refilled({ plain: this.checked(one, plain), texts }, { plain, texts }),
    );
  }

  /** A row that the step gave, as the table will have it, without what Ingot fills in. */
  private checked(given: unknown, plain: PlainRow): PlainRow {
    const { stepper, columns, filled } = this;
    if (typeof given !== "object" || given === null)
      throw badStep(stepper, plain, "gives a row that is no object");
    const row = given as PlainRow;
    const unknown = Object.keys(row).find((name) => !Object.hasOwn(columns, name));
    if (unknown !== undefined) throw badStep(stepper, plain, `gives a row with a column ${unknown}`);
    const own = Object.keys(columns).filter((name) => !filled.includes(name));
    const broken = firstBroken(columns, own, row);
    if (broken) throw badStep(stepper, plain, `gives a row that breaks its contract: ${broken[0]}`, broken);
    return Object.fromEntries(
      own.map((name) => [name, plainValue(row[name], columns[name]?.type ?? "string")]),
    );
  }

  private hasKeyOf(one: TextedRow, other: TextedRow): boolean {
    const { ownKey, model, order } = this.stepper;
    return (
      ownKey.every((name) => one.plain[name] === other.plain[name]) &&
      order.every((name) => !model.contract.key.includes(name) || one.texts[name] === other.texts[name])
    );
  }

  private refilled({ plain }: TextedRow, from: TextedRow): TextedRow {
    const filled = Object.fromEntries(this.filled.map((name) => [name, from.plain[name]]));
    return { plain: { ...plain, ...filled }, texts: from.texts };
  }
}

const spooled = ({ plain, texts }: TextedRow): PlainRow => ({ ...plain, ...texts });

/** The first of these columns whose value is none, and why; undefined where all are. */
function firstBroken(
  columns: Columns,
  names: readonly string[],
  row: PlainRow,
): [string, string] | undefined {
  for (const name of names) {
    const verdict = columns[name]?.zod.safeParse(row[name] ?? null);
    if (verdict?.success === false)
      return [name, verdict.error.issues[0]?.message ?? "is none of its values"];
  }
  return undefined;
}
