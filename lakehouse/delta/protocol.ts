/** Which tables this kernel may read and write (PROTOCOL.md, "Table Features"). What it does not know it refuses by name. */
import { TerminalError } from "../errors.ts";
import type { Metadata, Protocol } from "./actions.ts";

/** Features that change what a reader must do, and that this one does. */
const READER_FEATURES = new Set<string>(["timestampNtz", "vacuumProtocolCheck"]);
/** Features that a writer of plain appends and overwrites can honour. */
const WRITER_FEATURES = new Set<string>(["appendOnly", "domainMetadata"]);

/** Protocol of a new table: the oldest that can do what is asked, so that the most readers can read it. */
export function newProtocol(options: { readonly domainMetadata: boolean }): Protocol {
  if (!options.domainMetadata) return { minReaderVersion: 1, minWriterVersion: 2 };
  return { minReaderVersion: 1, minWriterVersion: 7, writerFeatures: ["appendOnly", "domainMetadata"] };
}

/** Throws, naming the feature, when the table needs something that this reader does not do. */
export function checkReadable(protocol: Protocol, metadata: Metadata, where: string): void {
  const unknown = (protocol.readerFeatures ?? []).filter((feature) => !READER_FEATURES.has(feature));
  if (protocol.minReaderVersion > 3) unknown.push(`reader version ${protocol.minReaderVersion}`);
  const mapping = metadata.configuration["delta.columnMapping.mode"] ?? "none";
  if (mapping !== "none" && !unknown.includes("columnMapping")) unknown.push("columnMapping");
  if (unknown.length > 0) refuse("read", unknown, [...READER_FEATURES], where);
}

/** Throws, naming the feature, when a write could break something that this writer does not know. */
export function checkWritable(protocol: Protocol, metadata: Metadata, where: string): void {
  checkReadable(protocol, metadata, where);
  const unknown = (protocol.writerFeatures ?? []).filter((feature) => !WRITER_FEATURES.has(feature));
  if (protocol.minWriterVersion > 7 || (protocol.minWriterVersion > 2 && protocol.minWriterVersion < 7)) {
    unknown.push(`writer version ${protocol.minWriterVersion}`);
  }
  for (const key of Object.keys(metadata.configuration)) {
    if (key.startsWith("delta.constraints.")) unknown.push(`check constraint ${key.slice(18)}`);
  }
  if (metadata.schemaString.includes('"delta.invariants"')) unknown.push("column invariants");
  if (metadata.configuration["delta.enableChangeDataFeed"] === "true") unknown.push("changeDataFeed");
  if (unknown.length > 0) refuse("write", unknown, [...WRITER_FEATURES], where);
}

function refuse(verb: string, features: string[], known: string[], where: string): never {
  throw new TerminalError(`cannot ${verb} ${where}: it uses ${features.join(", ")}`, {
    code: "DELTA_UNSUPPORTED_FEATURE",
    value: features.join(", "),
    allowed: known.join(", "),
    next: `Use an engine that supports ${features.join(", ")}, or a copy of the table without.`,
  });
}
