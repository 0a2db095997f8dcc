/** What the log says of a deletion vector, and what follows from it (PROTOCOL.md, "Deletion Vectors"). */
import { z } from "zod";
import { badVector } from "./bad-vector.ts";
import { decodeZ85, encodeZ85 } from "./z85.ts";

const count = z.number().int().nonnegative();

/** A `deletionVector` of an `add` or a `remove`. Unknown fields are kept. */
export const deletionVectorSchema = z.preprocess(
  // Some writers state absent fields as null.
  withoutNulls,
  z.looseObject({
    /** `u`: a file named by a UUID below the table's root; `i`: inline; `p`: a file anywhere. */
    storageType: z.enum(["u", "i", "p"]),
    /** `u`: folder, if any, and UUID in Z85; `i`: the vector in Z85; `p`: a path as an `add` has it. */
    pathOrInlineDv: z.string(),
    /** Where the vector's entry begins in its file, in bytes; 0 where absent. Never with `i`. */
    offset: count.optional(),
    /** Bytes of the serialised vector, without the size before and the checksum after it. */
    sizeInBytes: count,
    /** Rows that the vector deletes. */
    cardinality: count,
    /** The last row that it deletes; few writers say it. */
    maxRowIndex: count.optional(),
  }),
);

/** How the log names a deletion vector. */
export type DeletionVector = z.infer<typeof deletionVectorSchema>;

/** Names one vector among all of a table: a data file with another vector is another logical file. */
export function deletionVectorId(vector: DeletionVector): string {
  const id = `${vector.storageType}${vector.pathOrInlineDv}`;
  return vector.offset === undefined ? id : `${id}@${vector.offset}`;
}

/** Characters of a UUID in Z85. */
const UUID_LENGTH = 20;

/** The `pathOrInlineDv` of a file directly below the table's root, from its UUID in canonical text. */
export function encodeUuid(uuid: string): string {
  return encodeZ85(Buffer.from(uuid.replaceAll("-", ""), "hex"));
}

/** The file of a UUID, relative to the table's root, decoded. `folder` is empty or one name without slashes. */
export function deletionVectorPath(uuid: string, folder = ""): string {
  return `${folder === "" ? "" : `${folder}/`}deletion_vector_${uuid}.bin`;
}

/**
 * The file of a vector of storage type `u`, relative to the table's root, decoded. Rejects what holds no UUID with
 * `DELTA_BAD_DELETION_VECTOR`.
 */
export function relativePath({ pathOrInlineDv }: Pick<DeletionVector, "pathOrInlineDv">): string {
  const start = pathOrInlineDv.length - UUID_LENGTH;
  if (start < 0) throw badVector("its name holds no UUID", pathOrInlineDv);
  const hex = Buffer.from(decodeZ85(pathOrInlineDv.slice(start))).toString("hex");
  const uuid = hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
  return deletionVectorPath(uuid, pathOrInlineDv.slice(0, start));
}

function withoutNulls(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).filter(([, field]) => field !== null));
}
