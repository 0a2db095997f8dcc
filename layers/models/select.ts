/** Which models a run is about: `gold.daily_sales`, `silver.*`, `+gold.x` with all that it reads, `silver.y+` with all that read it. */
import { TerminalError } from "../../lakehouse/errors.ts";
import type { Model } from "./planned-model.ts";

const SELECTOR = /^(\+?)((?:silver|gold)\.(?:\*|[a-z][a-z0-9_]*))(\+?)$/;

/** The models that the selectors name, in the order given. Rejects selectors that name none. */
export function selectModels(models: readonly Model[], selectors: readonly string[]): Model[] {
  const chosen = new Set<string>();
  for (const selector of selectors) {
    const [, up, pattern = "", down] = SELECTOR.exec(selector) ?? [];
    const named = models.filter(({ name, layer }) => name === pattern || `${layer}.*` === pattern);
    if (named.length === 0) throw unknownSelector(models, selector);
    for (const { name } of named) chosen.add(name);
    if (up) for (const name of upstreamOf(models, named)) chosen.add(name);
    if (down) for (const name of downstreamOf(models, named)) chosen.add(name);
  }
  return models.filter(({ name }) => chosen.has(name));
}

// Models come after what they read: one pass in either direction finds all.

function upstreamOf(models: readonly Model[], of: readonly Model[]): Set<string> {
  const found = new Set(of.flatMap(({ references }) => references));
  for (const model of models.toReversed())
    if (found.has(model.name)) for (const reference of model.references) found.add(reference);
  return found;
}

function downstreamOf(models: readonly Model[], of: readonly Model[]): Set<string> {
  const found = new Set(of.map(({ name }) => name));
  for (const model of models) if (model.references.some((name) => found.has(name))) found.add(model.name);
  return found;
}

function unknownSelector(models: readonly Model[], selector: string): TerminalError {
  return new TerminalError(`no model is selected by ${selector}`, {
    code: "MODEL_SELECT",
    value: selector,
    allowed: `${models.map(({ name }) => name).join(", ")}; silver.* or gold.*; + before it for what it reads, after it for what reads it`,
  });
}
