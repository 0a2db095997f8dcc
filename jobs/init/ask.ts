/** What `ingot init` asks; each question has a default that what was found gives. */
import { TerminalError } from "../../lakehouse/errors.ts";
import { type ChangesChoice, chooseChanges } from "./choose-changes.ts";
import { chooseTables, listed, qualified, type TableChoice } from "./choose-tables.ts";
import { slugOf } from "./names.ts";
import type { Questions } from "./questions.ts";
import type { Server } from "./read-server.ts";
import type { FoundTable } from "./read-tables.ts";
import type { Changes } from "./table-key.ts";

export function askName(server: Server, { ask }: Questions): Promise<string> {
  const proposed = slugOf(server.database).slice(0, LONGEST_NAME).replace(/_+$/, "");
  const fallback = RESERVED.includes(proposed) ? `${proposed}_db` : proposed;
  return ask({ text: "Name of the pipeline", fallback, read: checkName });
}

/** Names that DuckDB keeps for catalogs of its own. */
const RESERVED = ["main", "memory", "system", "temp"];
/** Slot and publications are called after it, in 63 characters. */
const LONGEST_NAME = 40;

export function checkName(name: string): string {
  if (/^[a-z][a-z0-9_]*$/.test(name) && name.length <= LONGEST_NAME && !RESERVED.includes(name)) return name;
  throw new TerminalError("this cannot be the name of a pipeline", {
    code: "INIT_NAME",
    value: name,
    allowed: `lower case letters, digits and _, beginning with a letter; at most ${LONGEST_NAME}; not ${RESERVED.join(", ")}`,
  });
}

export async function askTables(
  found: readonly FoundTable[],
  options: TableChoice,
  { ask, say }: Pick<Questions, "ask" | "say">,
): Promise<FoundTable[]> {
  const schemas = options.schemas ?? (await askSchemas(found, { ask, say }));
  const choice = { ...options, schemas };
  if (options.tables !== undefined) return chooseTables(found, choice);
  const offered = chooseTables(found, choice);
  say(`  ${offered.length} tables: ${listed(offered.map(qualified))}\n`);
  return ask({
    text: "Tables: names, or patterns such as audit_*",
    fallback: "all",
    read: (answer) =>
      answer === "all" ? offered : chooseTables(found, { ...choice, tables: words(answer) }),
  });
}

async function askSchemas(
  found: readonly FoundTable[],
  { ask, say }: Pick<Questions, "ask" | "say">,
): Promise<readonly string[]> {
  const all = [...new Set(found.map((table) => table.schema))];
  if (all.length === 1) return all;
  say(`  ${all.length} schemas: ${listed(all)}\n`);
  return ask({
    text: "Schemas",
    fallback: "all",
    read: (answer) => {
      const schemas = answer === "all" ? all : words(answer);
      chooseTables(found, { schemas });
      return schemas;
    },
  });
}

const words = (answer: string) => answer.split(",").flatMap((word) => word.trim() || []);

export async function askChanges(
  server: Server,
  tables: readonly FoundTable[],
  name: string,
  asked: Changes | undefined,
  { ask, say }: Questions,
): Promise<ChangesChoice> {
  if (asked !== undefined) return chooseChanges(server, tables, name, asked);
  const proposed = chooseChanges(server, tables, name);
  say(`  Proposed: ${proposed.why}\n`);
  const answer = await ask({
    text: "Changes: wal captures every one from the log, query asks the tables",
    fallback: proposed.changes,
    read: readChanges,
  });
  return answer === proposed.changes ? proposed : chooseChanges(server, tables, name, answer);
}

/** Throws `INIT_CHANGES`. */
function readChanges(answer: string): Changes {
  if (answer === "wal" || answer === "query") return answer;
  throw new TerminalError(`changes cannot be found by ${answer}`, {
    code: "INIT_CHANGES",
    value: answer,
    allowed: "wal or query",
  });
}
