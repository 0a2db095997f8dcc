/**
 * Which tables this kernel may read and write (PROTOCOL.md, "Table Features"). What it does not know it refuses by
 * name. Old protocols state versions, which imply features; new ones (3, 7) list them.
 */
import { TerminalError } from "../errors.ts";
import type { Metadata, Protocol } from "./actions.ts";

/** Features of the protocol that Ingot knows how to honour. `reader`: readers must know them too. */
const FEATURES: Readonly<Record<string, { readonly reader: boolean; readonly write: boolean }>> = {
  appendOnly: { reader: false, write: true },
  invariants: { reader: false, write: true },
  checkConstraints: { reader: false, write: true },
  changeDataFeed: { reader: false, write: true },
  // Writable as long as no column of the table is generated or an identity: `checkWritable` looks.
  generatedColumns: { reader: false, write: true },
  identityColumns: { reader: false, write: true },
  allowColumnDefaults: { reader: false, write: true },
  domainMetadata: { reader: false, write: true },
  inCommitTimestamp: { reader: false, write: true },
  clustering: { reader: false, write: true },
  columnMapping: { reader: true, write: true },
  deletionVectors: { reader: true, write: true },
  timestampNtz: { reader: true, write: true },
  typeWidening: { reader: true, write: true },
  "typeWidening-preview": { reader: true, write: true },
  v2Checkpoint: { reader: true, write: true },
  vacuumProtocolCheck: { reader: true, write: true },
  // Read as the binary parts that files keep them in.
  variantType: { reader: true, write: false },
  "variantType-preview": { reader: true, write: false },
  variantShredding: { reader: true, write: false },
  "variantShredding-preview": { reader: true, write: false },
};

/** Features that stated versions stand for (PROTOCOL.md, "Valid Feature Names in Table Features"). */
const IMPLIED_BY_WRITER: readonly (readonly [version: number, feature: string])[] = [
  [2, "appendOnly"],
  [2, "invariants"],
  [3, "checkConstraints"],
  [4, "changeDataFeed"],
  [4, "generatedColumns"],
  [5, "columnMapping"],
  [6, "identityColumns"],
];

const READABLE = Object.keys(FEATURES).filter((name) => FEATURES[name]?.reader);
const WRITABLE = Object.keys(FEATURES).filter((name) => FEATURES[name]?.write);

/** The features that a protocol asks of writers, listed or implied. */
export function featuresOf(protocol: Protocol): ReadonlySet<string> {
  if (protocol.minWriterVersion >= 7) return new Set(protocol.writerFeatures ?? []);
  const implied = IMPLIED_BY_WRITER.filter(([version]) => version <= protocol.minWriterVersion);
  return new Set(implied.map(([, feature]) => feature));
}

/**
 * The oldest protocol that has these features, so that the most readers can read the table. Above it lie the
 * features that every writer of version 2 has.
 */
export function protocolWith(features: Iterable<string>, base?: Protocol): Protocol {
  const wanted = new Set(features);
  if (base !== undefined) {
    const had = featuresOf(base);
    if ([...wanted].every((feature) => had.has(feature))) return base;
    for (const feature of had) wanted.add(feature);
  }
  if (wanted.size === 0) return { minReaderVersion: 1, minWriterVersion: 2 };
  // A version 7 writer enforces only what is listed.
  const all = [...new Set(["appendOnly", "invariants", ...wanted])].sort();
  const reader = [...new Set([...all.filter((f) => FEATURES[f]?.reader), ...(base?.readerFeatures ?? [])])];
  // A protocol is never lowered: readers may have relied on it.
  if (reader.length === 0 && (base?.minReaderVersion ?? 1) < 3)
    return { ...base, minReaderVersion: 1, minWriterVersion: 7, writerFeatures: all };
  return {
    ...base,
    minReaderVersion: 3,
    minWriterVersion: 7,
    readerFeatures: reader.sort(),
    writerFeatures: all,
  };
}

/** Throws, naming the feature, when the table needs something that this reader does not do. */
export function checkReadable(protocol: Protocol, metadata: Metadata, where: string): void {
  const unknown = (protocol.readerFeatures ?? []).filter((feature) => !READABLE.includes(feature));
  if (protocol.minReaderVersion > 3) unknown.push(`reader version ${protocol.minReaderVersion}`);
  const mapping = metadata.configuration["delta.columnMapping.mode"] ?? "none";
  if (!["none", "name", "id"].includes(mapping)) unknown.push(`column mapping by ${mapping}`);
  if (unknown.length > 0) refuse("read", unknown, READABLE, where);
}

/** Throws, naming the feature, when a write could break something that this writer does not know. */
export function checkWritable(protocol: Protocol, metadata: Metadata, where: string): void {
  checkReadable(protocol, metadata, where);
  const unknown = [...featuresOf(protocol)].filter((feature) => !WRITABLE.includes(feature));
  if (protocol.minWriterVersion > 7) unknown.push(`writer version ${protocol.minWriterVersion}`);
  if (metadata.schemaString.includes('"delta.generationExpression"')) unknown.push("generated columns");
  if (metadata.schemaString.includes('"delta.identity.')) unknown.push("identity columns");
  if (unknown.length > 0) refuse("write", unknown, WRITABLE, where);
}

function refuse(verb: string, features: string[], known: string[], where: string): never {
  throw new TerminalError(`cannot ${verb} ${where}: it uses ${features.join(", ")}`, {
    code: "DELTA_UNSUPPORTED_FEATURE",
    value: features.join(", "),
    allowed: known.join(", "),
    next: `Use an engine that supports ${features.join(", ")}, or a copy of the table without.`,
  });
}
