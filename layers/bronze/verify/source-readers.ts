/** Connections that all see one moment of the source, a few at a time, each for one statement after the other. */
import pLimit from "p-limit";
import type pg from "pg";
import { codeOf } from "../../../lakehouse/errors.ts";
import { type Ingestion, openReader, readersOf } from "../ingestion.ts";
import { disconnect } from "../postgres/connect.ts";
import { readError } from "../postgres/read-error.ts";

export class SourceReaders {
  readonly ingestion: Ingestion;
  private readonly limit: ReturnType<typeof pLimit>;
  private readonly idle: pg.Client[] = [];

  constructor(ingestion: Ingestion) {
    this.ingestion = ingestion;
    this.limit = pLimit(readersOf(ingestion));
  }

  /** Gives a connection to some work once one is free. */
  run<T>(work: (client: pg.Client) => Promise<T>): Promise<T> {
    return this.limit(async () => {
      const client = this.idle.pop() ?? (await openReader(this.ingestion));
      try {
        const result = await work(client);
        this.idle.push(client);
        return result;
      } catch (error) {
        // Its transaction is of no use any more.
        await disconnect(client);
        throw readError(error);
      }
    });
  }

  /** Ends the connections; nothing may be running. */
  async close(): Promise<void> {
    await Promise.all(this.idle.splice(0).map(disconnect));
  }
}

/** Whether a statement was ended because it took longer than it may. */
export const tookTooLong = (error: unknown): boolean => codeOf(error) === "POSTGRES_STATEMENT_TIMEOUT";
