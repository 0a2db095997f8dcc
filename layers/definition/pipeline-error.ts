/** What is wrong with a pipeline of a configuration, by its name and in its own file. */
import { existsSync } from "node:fs";
import { relative } from "node:path";
import { fileURLToPath } from "node:url";
import type { z } from "zod";
import { TerminalError } from "../../lakehouse/errors.ts";

/** The error for the first value that a schema refused; undefined where that is no part of a pipeline. */
export function pipelineError(error: z.ZodError, values: unknown, file: string): TerminalError | undefined {
  const [issue] = error.issues;
  const [first, index, ...rest] = issue?.path ?? [];
  if (issue === undefined || first !== "pipelines" || typeof index !== "number") return undefined;
  const pipeline = at(values, [first, index]);
  const name = at(pipeline, ["name"]);
  const unknown = issue.code === "unrecognized_keys" ? issue.keys[0] : undefined;
  const path = unknown === undefined ? rest : [...rest, unknown];
  const where = fileOf(at(pipeline, ["folder"])) ?? file;
  const subject =
    path.length > 0 && typeof name === "string" && path[0] !== "name"
      ? `"${path.map(String).join(".")}" of pipeline ${name}`
      : `"${["pipelines", index, ...path].map(String).join(".")}"`;
  return new TerminalError(
    `${subject} in ${where} ${unknown === undefined ? "has a value that cannot be used" : "is not a key that exists"}`,
    {
      code: "CONFIG_INVALID",
      value: at(pipeline, path),
      allowed: unknown === undefined ? issue.message : "what the type PipelineDefinition has there",
      next: `Correct ${where}.`,
    },
  );
}

function at(values: unknown, path: readonly PropertyKey[]): unknown {
  let value = values;
  for (const part of path) value = (value as Record<PropertyKey, unknown> | null | undefined)?.[part];
  return value;
}

/** A pipeline knows its folder, and by custom is the file `pipeline.ts` there. */
function fileOf(folder: unknown): string | undefined {
  if (!(folder instanceof URL) || folder.protocol !== "file:") return undefined;
  const file = new URL("pipeline.ts", folder);
  const path = fileURLToPath(existsSync(file) ? file : folder);
  return relative(process.cwd(), path) || path;
}
