/**
 * Messages of the logical replication protocol, version 1, as `pgoutput` sends them (Postgres documentation, "Logical
 * Replication Message Formats"). Rows are not turned into objects: a tuple is where its fields lie in the buffer.
 * Positions and times are numbers; WAL positions stay below 2^53 for nine petabytes.
 */
import { TerminalError } from "../../../../lakehouse/errors.ts";

/** How a relation names the old row of an update or delete. `d`: primary key, `n`: not at all, `f`: whole, `i`: index. */
type ReplicaIdentity = "d" | "n" | "f" | "i";

interface RelationColumn {
  readonly name: string;
  readonly typeOid: number;
  readonly typmod: number;
  /** Whether it is part of the replica identity. */
  readonly isKey: boolean;
}

/** A table as its following changes have it. */
export interface Relation {
  readonly oid: number;
  readonly schema: string;
  readonly name: string;
  readonly replicaIdentity: ReplicaIdentity;
  readonly columns: readonly RelationColumn[];
}

/** Kinds of fields, by the byte that says so. */
export const FIELD = { null: 0x6e, unchanged: 0x75, text: 0x74 } as const;

/** The fields of one row. Reused for every row: what is wanted of it has to be copied. */
export class Tuple {
  buffer: Buffer = Buffer.alloc(0);
  count = 0;
  /** Of a former row: only the fields of its replica identity were sent, the others are null without being so. */
  isKeyOnly = false;
  /** One of `FIELD`, by field. */
  kinds = new Uint8Array(64);
  starts = new Int32Array(64);
  ends = new Int32Array(64);

  /** Reads a tuple; answers the offset behind it. */
  read(buffer: Buffer, offset: number): number {
    const count = buffer.readUInt16BE(offset);
    if (count > this.kinds.length) {
      this.kinds = new Uint8Array(count);
      this.starts = new Int32Array(count);
      this.ends = new Int32Array(count);
    }
    this.buffer = buffer;
    this.count = count;
    let at = offset + 2;
    for (let i = 0; i < count; i++) {
      const kind = buffer[at] ?? 0;
      at += 1;
      this.kinds[i] = kind;
      if (kind !== FIELD.text) continue;
      const length = buffer.readInt32BE(at);
      at += 4;
      this.starts[i] = at;
      at += length;
      this.ends[i] = at;
    }
    return at;
  }
}

/** What a stream of changes is told to, in order. A promise holds the stream back until it is settled. */
export interface ChangeSink {
  /** `lsn`: where the commit record begins; `time`: microseconds since 1970; `xid`: the low 32 bits. */
  begin(lsn: number, time: number, xid: number): void;
  relation(relation: Relation): void | Promise<void>;
  insert(relation: number, row: Tuple): void | Promise<void>;
  /** `old`: the former key, where it changed, or with identity `f` the former row. */
  update(relation: number, row: Tuple, old: Tuple | undefined): void | Promise<void>;
  delete(relation: number, old: Tuple): void | Promise<void>;
  truncate(relations: readonly number[]): void | Promise<void>;
  /**
   * What an application wrote with `pg_logical_emit_message`: within its transaction, or, not being transactional,
   * between others. `endLsn`: the first byte behind its record.
   */
  message(prefix: string, content: Buffer, transactional: boolean, endLsn: number): void | Promise<void>;
  /** `endLsn`: the first byte behind the transaction. */
  commit(endLsn: number): void | Promise<void>;
}

/** Stands before a former row of which the key was sent. */
const KEY = 0x4b;

/** Microseconds from 1970 to 2000, where Postgres counts from. */
const EPOCH = 946_684_800_000_000;

const int64 = (buffer: Buffer, at: number) => buffer.readInt32BE(at) * 2 ** 32 + buffer.readUInt32BE(at + 4);

export class Decoder {
  private readonly sink: ChangeSink;
  private readonly row = new Tuple();
  private readonly old = new Tuple();

  constructor(sink: ChangeSink) {
    this.sink = sink;
  }

  /** Decodes the message that lies in `buffer` from `at` to `end`. */
  decode(buffer: Buffer, at: number, end: number): void | Promise<void> {
    const kind = String.fromCharCode(buffer[at] ?? 0);
    const body = at + 1;
    switch (kind) {
      case "I":
        this.row.read(buffer, body + 5);
        return this.sink.insert(buffer.readUInt32BE(body), this.row);
      case "U":
        return this.update(buffer, body);
      case "D":
        this.old.read(buffer, body + 5);
        this.old.isKeyOnly = buffer[body + 4] === KEY;
        return this.sink.delete(buffer.readUInt32BE(body), this.old);
      case "B":
        return this.sink.begin(
          int64(buffer, body),
          int64(buffer, body + 8) + EPOCH,
          buffer.readUInt32BE(body + 16),
        );
      case "C":
        return this.sink.commit(int64(buffer, body + 9));
      case "R":
        return this.sink.relation(readRelation(buffer, body));
      case "T":
        return this.truncate(buffer, body);
      case "M":
        return this.message(buffer, body, end);
      // The origin of a transaction and the names of types: nothing depends on them.
      case "O":
      case "Y":
        return;
      default:
        throw new TerminalError("the source sent a replication message that is not known", {
          code: "PGOUTPUT_MESSAGE",
          value: kind,
          allowed: "version 1 of the protocol of pgoutput",
        });
    }
  }

  private update(buffer: Buffer, body: number): void | Promise<void> {
    const relation = buffer.readUInt32BE(body);
    let at = body + 4;
    let old: Tuple | undefined;
    if (buffer[at] !== 0x4e) {
      this.old.isKeyOnly = buffer[at] === KEY;
      at = this.old.read(buffer, at + 1);
      old = this.old;
    }
    this.row.read(buffer, at + 1);
    return this.sink.update(relation, this.row, old);
  }

  private truncate(buffer: Buffer, body: number): void | Promise<void> {
    const count = buffer.readUInt32BE(body);
    const relations = Array.from({ length: count }, (_, i) => buffer.readUInt32BE(body + 5 + 4 * i));
    return this.sink.truncate(relations);
  }

  private message(buffer: Buffer, body: number, end: number): void | Promise<void> {
    const prefixEnd = buffer.indexOf(0, body + 9);
    return this.sink.message(
      buffer.toString("utf8", body + 9, prefixEnd),
      buffer.subarray(prefixEnd + 5, end),
      ((buffer[body] ?? 0) & 1) === 1,
      int64(buffer, body + 1),
    );
  }
}

const IDENTITIES: readonly string[] = ["d", "n", "f", "i"];

function readRelation(buffer: Buffer, body: number): Relation {
  let at = body + 4;
  const text = () => {
    const end = buffer.indexOf(0, at);
    const value = buffer.toString("utf8", at, end);
    at = end + 1;
    return value;
  };
  const schema = text();
  const name = text();
  const identity = String.fromCharCode(buffer[at] ?? 0);
  const count = buffer.readUInt16BE(at + 1);
  at += 3;
  const columns: RelationColumn[] = [];
  for (let i = 0; i < count; i++) {
    const isKey = ((buffer[at] ?? 0) & 1) === 1;
    at += 1;
    columns.push({
      name: text(),
      typeOid: buffer.readUInt32BE(at),
      typmod: buffer.readInt32BE(at + 4),
      isKey,
    });
    at += 8;
  }
  return {
    oid: buffer.readUInt32BE(body),
    // An empty name stands for pg_catalog.
    schema: schema === "" ? "pg_catalog" : schema,
    name,
    replicaIdentity: (IDENTITIES.includes(identity) ? identity : "d") as ReplicaIdentity,
    columns,
  };
}
