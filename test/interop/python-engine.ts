import { z } from "zod";
import { type CanonicalRow, canonicalRows } from "./canonical-rows.ts";
import type { Engine } from "./engine.ts";
import type { EngineProcess } from "./engine-process.ts";

const rowsSchema = z.array(z.record(z.string(), z.unknown()));

/** An engine behind a server of `scripts/interop/`. */
export class PythonEngine implements Engine {
  readonly name: string;
  protected readonly server: EngineProcess;

  constructor(name: string, server: EngineProcess) {
    this.name = name;
    this.server = server;
  }

  async read(path: string, version?: number): Promise<CanonicalRow[]> {
    return parseRows(await this.server.request({ op: "read", path, version }));
  }

  async newest(path: string): Promise<number> {
    return z.number().parse(await this.server.request({ op: "newest", path }));
  }

  async changes(path: string, from: number, to: number): Promise<CanonicalRow[]> {
    return parseRows(await this.server.request({ op: "changes", path, from, to }));
  }

  /** Executes Python that knows the table as `path`, and gives what it leaves in `result`. */
  run(path: string, program: string): Promise<unknown> {
    return this.server.request({ op: "run", path, program });
  }
}

/** Spark with delta-spark. */
export class SparkEngine extends PythonEngine {
  readonly mostVersions = 3;

  /** Runs statements in which `{t}` stands for the table, and gives the rows of the last. */
  async sql(path: string, statements: readonly string[]): Promise<CanonicalRow[]> {
    return parseRows(await this.server.request({ op: "sql", path, statements }));
  }
}

function parseRows(answer: unknown): CanonicalRow[] {
  return canonicalRows(rowsSchema.parse(answer));
}
