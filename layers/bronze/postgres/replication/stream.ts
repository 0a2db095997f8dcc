/**
 * The stream of a logical slot. Bytes are taken from the socket as they come and decoded where they lie; the socket is
 * paused while the receiver is busy, so that Postgres holds back instead of this process growing. What was made
 * durable is acknowledged exactly, never more: after a lost connection Postgres begins again there.
 *
 * Postgres documentation, "Streaming Replication Protocol": XLogData `w`, keepalive `k`, standby status update `r`.
 */
import type { Socket } from "node:net";
import type pg from "pg";
import { identifier } from "../../../../lakehouse/duckdb/quote.ts";
import { TerminalError, TransientError } from "../../../../lakehouse/errors.ts";
import { disconnect } from "../connect.ts";
import { connectForReplication } from "./connection.ts";
import { FrameReader } from "./frames.ts";
import { lostStream } from "./lost-connection.ts";
import { type ChangeSink, Decoder } from "./pgoutput.ts";
import { type StreamSelection, serverVersion, streamParameters } from "./stream-parameters.ts";

/** Milliseconds between status updates; Postgres ends a connection that is silent for `wal_sender_timeout` (60 s). */
const STATUS_INTERVAL = 5_000;

export interface StreamOptions {
  readonly connectionString: string;
  readonly slot: string;
  readonly publications: readonly string[];
  readonly selection?: StreamSelection;
  readonly sink: ChangeSink;
  /** Told how far the server has looked through its WAL, with each of its keepalives. */
  readonly onKeepalive: (walEnd: number) => void;
}

const XLOG_DATA = 0x77;
const KEEPALIVE = 0x6b;
const COPY_DATA = 0x64;
const ERROR = 0x45;
const COPY_BOTH = 0x57;
/** Type, start, end and time stand before the payload of XLogData. */
const XLOG_HEADER = 25;

/** The parts of `pg`'s connection that are used here. */
interface Connection {
  readonly stream: Socket;
  query(text: string): void;
}

export class ReplicationStream {
  /** Settles when the stream ends: resolves after `stop`, rejects with what ended it otherwise. */
  readonly ended: Promise<void>;
  private readonly client: pg.Client;
  private readonly socket: Socket;
  private readonly frames = new FrameReader();
  private readonly decoder: Decoder;
  private readonly options: StreamOptions;
  private readonly timer: NodeJS.Timeout;
  private readonly parser: (chunk: Buffer) => void;
  private readonly settle: { resolve: () => void; reject: (error: unknown) => void };
  private durable = 0;
  /** Reasons not to read on: the receiver asked for it, or a message is being waited for. */
  private held = false;
  private waiting = false;
  private stopped = false;

  private constructor(client: pg.Client, options: StreamOptions) {
    this.client = client;
    this.options = options;
    this.decoder = new Decoder(options.sink);
    const settle = { resolve: () => {}, reject: (_: unknown) => {} };
    this.ended = new Promise((resolve, reject) => Object.assign(settle, { resolve, reject }));
    this.ended.catch(() => {});
    this.settle = settle;
    const { stream } = (client as unknown as { connection: Connection }).connection;
    this.socket = stream;
    const [parser] = stream.listeners("data");
    this.parser = parser as (chunk: Buffer) => void;
    this.timer = setInterval(() => this.sendStatus(false), STATUS_INTERVAL);
  }

  /** Starts to stream from what the slot has confirmed. */
  static async open(options: StreamOptions): Promise<ReplicationStream> {
    const client = await connectForReplication(options.connectionString);
    let parameters: string;
    try {
      const { publications, selection = {} } = options;
      parameters = streamParameters(await serverVersion(client), publications, selection);
    } catch (error) {
      await disconnect(client);
      throw error;
    }
    const stream = new ReplicationStream(client, options);
    // While a batch is being committed nothing is read from the connection, however short the server's patience is.
    await client.query("SET wal_sender_timeout = '60s'");
    stream.begin(`START_REPLICATION SLOT ${identifier(options.slot)} LOGICAL 0/0 (${parameters})`);
    return stream;
  }

  private begin(command: string): void {
    const { connection } = this.client as unknown as { connection: Connection };
    this.socket.removeListener("data", this.parser);
    this.socket.on("data", this.receive);
    this.socket.once("close", () => this.end(lostStream("the connection was closed")));
    this.socket.on("error", (error) => this.end(lostStream(error.message, error)));
    connection.query(command);
  }

  /** Everything before `lsn` is durable here; Postgres need not keep it. */
  acknowledge(lsn: number): void {
    if (lsn <= this.durable) return;
    this.durable = lsn;
    this.sendStatus(false);
  }

  /** Asks the server how far it is; it answers at once with a keepalive. */
  askPosition(): void {
    this.sendStatus(true);
  }

  /** No more messages until `resume`. */
  pause(): void {
    this.held = true;
    this.socket.pause();
  }

  resume(): void {
    if (!this.held) return;
    this.held = false;
    this.goOn();
  }

  /** Ends the stream because its receiver cannot go on. */
  fail(error: unknown): void {
    this.end(error);
  }

  /** Ends the connection. What was acknowledged last is known to the server. */
  async stop(): Promise<void> {
    if (!this.stopped) {
      this.sendStatus(false);
      this.end();
    }
    await disconnect(this.client);
  }

  private readonly receive = (chunk: Buffer): void => {
    this.frames.push(chunk);
    if (!this.held && !this.waiting) this.goOn();
  };

  /** Works off what has come, until it is held back. */
  private goOn(): void {
    if (this.waiting || this.stopped) return;
    try {
      while (!this.held && this.frames.next()) {
        const pending = this.handle(this.frames.type, this.frames.buffer, this.frames.start, this.frames.end);
        if (pending === undefined) continue;
        this.waitFor(pending);
        return;
      }
    } catch (error) {
      this.end(error);
      return;
    }
    if (!this.held) this.socket.resume();
  }

  private waitFor(pending: Promise<void>): void {
    this.waiting = true;
    this.socket.pause();
    pending.then(
      () => {
        this.waiting = false;
        this.goOn();
      },
      (error: unknown) => this.end(error),
    );
  }

  private handle(type: number, buffer: Buffer, start: number, end: number): undefined | Promise<void> {
    if (type === COPY_DATA) {
      const kind = buffer[start];
      if (kind === XLOG_DATA) return this.decoder.decode(buffer, start + XLOG_HEADER, end) || undefined;
      if (kind === KEEPALIVE) this.keepalive(buffer, start);
      return undefined;
    }
    if (type === ERROR) throw serverError(buffer.toString("utf8", start, end), this.options.slot);
    if (type === COPY_BOTH) return undefined;
    // Notices and parameters say nothing; the end of the copy is followed by the end of the connection.
    return undefined;
  }

  private keepalive(buffer: Buffer, start: number): void {
    const walEnd = buffer.readUInt32BE(start + 1) * 2 ** 32 + buffer.readUInt32BE(start + 5);
    if (buffer[start + 17] === 1) this.sendStatus(false);
    this.options.onKeepalive(walEnd);
  }

  private sendStatus(wantsReply: boolean): void {
    if (this.stopped || this.socket.destroyed) return;
    const message = Buffer.alloc(39);
    message[0] = COPY_DATA;
    message.writeInt32BE(38, 1);
    message[5] = 0x72;
    const lsn = BigInt(this.durable);
    // Written, flushed, applied: here they are one.
    for (const at of [6, 14, 22]) message.writeBigUInt64BE(lsn, at);
    message.writeBigInt64BE(BigInt(Date.now() - 946_684_800_000) * 1000n, 30);
    message[38] = wantsReply ? 1 : 0;
    this.socket.write(message);
  }

  private end(error?: unknown): void {
    if (this.stopped) return;
    this.stopped = true;
    clearInterval(this.timer);
    this.socket.removeListener("data", this.receive);
    this.socket.resume();
    if (error === undefined) this.settle.resolve();
    else this.settle.reject(error);
  }
}

/** An ErrorResponse: fields of a byte and a text, each ended by zero. */
function serverError(body: string, slot: string): Error {
  const fields = new Map(body.split("\0").map((field) => [field[0], field.slice(1)]));
  const code = fields.get("C") ?? "";
  const message = fields.get("M") ?? "the server ended the stream";
  if (/^(08|57)/.test(code)) return lostStream(message);
  if (code === "55006") {
    return new TransientError(`another consumer reads the replication slot ${slot}`, {
      code: "SLOT_ACTIVE",
      value: message,
      next: "Let one process capture at a time. A consumer that died is noticed by Postgres within a minute.",
    });
  }
  // Changes are read with the catalogue of their time: a publication that was made after the slot does not help it.
  if (code === "42704" && /publication/.test(message)) {
    return new TerminalError(`slot ${slot} belongs to a publication that is gone: ${message}`, {
      code: "SLOT_LOST",
      value: slot,
      next: "`ingot sync` makes a new slot, compares the tables with the source and takes what differs.",
    });
  }
  return new TerminalError(`the stream of slot ${slot} failed at the source: ${message}`, {
    code: "SLOT_FAILED",
    value: code,
    next: "`ingot doctor` looks at the slot; `ingot sync` makes a new one where this one is lost.",
  });
}
