/** The order in which models are built. */
import { TerminalError } from "../../lakehouse/errors.ts";
import type { Model } from "./planned-model.ts";

/**
 * Puts every model after all that it reads, and after what its audits read where that makes no circle. Rejects with
 * `MODEL_CYCLE` and `MODEL_UNKNOWN_TABLE`. `bronze`: the tables that are no models, as `bronze.table`.
 */
export function inOrder(models: readonly Model[], bronze: ReadonlySet<string>): Model[] {
  const names = new Set(models.map(({ name }) => name));
  for (const model of models) {
    const unknown = model.references.find((reference) => !names.has(reference) && !bronze.has(reference));
    if (unknown !== undefined) throw unknownReference(model, unknown, [...bronze, ...names]);
  }
  const after = new Map(models.map(({ name, references }) => [name, new Set(references)]));
  sorted(models, after);
  for (const { name, audits } of models) {
    for (const read of audits.flatMap(({ reads }) => reads)) {
      // Else the audit sees the table as it was before the build.
      if (names.has(read) && !isBehind(after, read, name)) after.get(name)?.add(read);
    }
  }
  return sorted(models, after);
}

type After = ReadonlyMap<string, ReadonlySet<string>>;

/** Whether a model comes after another, however far. */
function isBehind(after: After, model: string, other: string): boolean {
  const found = new Set([model]);
  // A set that grows as it is gone through.
  for (const name of found) for (const next of after.get(name) ?? []) found.add(next);
  return found.has(other);
}

function sorted(models: readonly Model[], after: After): Model[] {
  const byName = new Map(models.map((model) => [model.name, model]));
  const ordered: Model[] = [];
  const state = new Map<string, "visiting" | "done">();
  const visit = (model: Model, path: readonly string[]): void => {
    if (state.get(model.name) === "done") return;
    if (state.get(model.name) === "visiting") {
      throw new TerminalError("models depend on each other in a circle", {
        code: "MODEL_CYCLE",
        value: [...path.slice(path.indexOf(model.name)), model.name].join(" → "),
        next: `Break the circle in ${model.file}.`,
      });
    }
    state.set(model.name, "visiting");
    for (const reference of after.get(model.name) ?? []) {
      const upstream = byName.get(reference);
      if (upstream) visit(upstream, [...path, model.name]);
    }
    state.set(model.name, "done");
    ordered.push(model);
  };
  for (const model of models) visit(model, []);
  return ordered;
}

function unknownReference(model: Model, reference: string, known: readonly string[]): TerminalError {
  return new TerminalError(`model ${model.name} reads ${reference}, which does not exist`, {
    code: "MODEL_UNKNOWN_TABLE",
    value: reference,
    allowed: known.join(", "),
    next: `Correct the name in ${model.file}.`,
  });
}
