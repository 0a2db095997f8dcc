/**
 * The bulk path: COPY … TO STDOUT → FIFO → DuckDB. No row becomes a JavaScript value; this process only moves
 * buffers from a socket to a pipe, and the pipe's fullness holds back the socket.
 */
import { execFile } from "node:child_process";
import { closeSync, constants, openSync } from "node:fs";
import { rm } from "node:fs/promises";
import { Socket } from "node:net";
import { join } from "node:path";
import { Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";
import type pg from "pg";
import { codeOf } from "../../../lakehouse/errors.ts";
import { makeScratch } from "../../../lakehouse/scratch.ts";
import { CopyOut } from "./copy-out.ts";
import type { RateLimit } from "./rate-limit.ts";
import { readError } from "./read-error.ts";

export interface CopyResult<T> {
  readonly result: T;
  /** Rows that Postgres says it sent. */
  readonly rows: number;
  readonly bytes: number;
}

export interface CopyOptions {
  /** Told of bytes and rows so far. */
  readonly onArrival?: (bytes: number, rows: number) => void;
  /** Shared with the other reads of the run. */
  readonly rate?: RateLimit | undefined;
}

/**
 * Runs a query through COPY and lets `consume` read its CSV from a FIFO. Resolves when both ended well. A reader
 * takes a writer's death for the end of the file, so what `consume` gave is worthless when this rejects, and the
 * caller must compare `rows` with what it counted.
 */
export async function copyThroughFifo<T>(
  client: pg.Client,
  query: string,
  consume: (fifo: string) => Promise<T>,
  { onArrival = () => {}, rate }: CopyOptions = {},
): Promise<CopyResult<T>> {
  const folder = await makeScratch();
  const fifo = join(folder, "rows.csv");
  try {
    await promisify(execFile)("mkfifo", ["-m", "600", fifo]);
    let reader: "reading" | "ended" = "reading";
    const reading = consume(fifo).finally(() => {
      reader = "ended";
    });
    // Rejections are collected below; this keeps an early one from being called unhandled.
    reading.catch(() => {});
    const pipe = await openWriter(fifo, () => reader === "ended");
    if (pipe === undefined) {
      await reading;
      throw new Error("the reader ended before it read");
    }
    const source = client.query(new CopyOut(`COPY (${query}) TO STDOUT (FORMAT csv)`));
    let bytes = 0;
    const meter = new Transform({
      transform(chunk: Buffer, _encoding, done) {
        bytes += chunk.length;
        onArrival(bytes, source.arrived);
        // The pipe waits, it holds back the socket, and that the source.
        const wait = rate?.take(chunk.length) ?? 0;
        if (wait === 0) done(null, chunk);
        else setTimeout(done, wait, null, chunk);
      },
    });
    const writing = pipeline(source, meter, pipe);
    const [written, read] = await Promise.allSettled([writing, reading]);
    if (read.status === "rejected") throw read.reason;
    if (written.status === "rejected") throw readError(written.reason);
    return { result: read.value, rows: source.rowCount, bytes };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** A reader that waits for a writer would hold its thread for ever: it is shown the end of the file. */
function releaseReader(fifo: string): void {
  closeSync(openSync(fifo, constants.O_RDWR | constants.O_NONBLOCK));
}

/** Opens the writing end once there is a reader; a FIFO without one refuses a writer that will not wait. */
async function openWriter(fifo: string, readerEnded: () => boolean): Promise<Socket | undefined> {
  while (!readerEnded()) {
    try {
      const fd = openSync(fifo, constants.O_WRONLY | constants.O_NONBLOCK);
      return new Socket({ fd, readable: false, writable: true });
    } catch (error) {
      if (codeOf(error) !== "ENXIO") {
        releaseReader(fifo);
        throw error;
      }
      await delay(1);
    }
  }
  return undefined;
}
