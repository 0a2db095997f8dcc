/** Files too large for one request, sent in parts. */
import { randomUUID } from "node:crypto";
import { type FileHandle, open } from "node:fs/promises";
import type { CompletedPart, S3Client } from "@aws-sdk/client-s3";
import { TerminalError } from "../errors.ts";
import { parseFailure } from "./s3-failure.ts";

/** Larger files are sent in parts of this size; so much memory is taken for each part on its way. */
export const PART_BYTES = 8 * 1024 * 1024;
const PARTS_AT_ONCE = 3;
/** The protocol's limit: parts of the largest files grow. */
const MOST_PARTS = 10_000;
/** The uploader's mark on its object. */
const MARK = "ingot-upload";

/** Runs one request with retries; rejects with an error of Ingot's. */
export type S3Request = <T>(work: (client: S3Client) => Promise<T>) => Promise<T>;

interface Target {
  readonly Bucket: string;
  readonly Key: string;
}

interface Upload extends Target {
  readonly UploadId: string;
}

/**
 * Sends a file of `size` bytes; readers see the whole object once this resolves and nothing of it before. On failure
 * the parts are removed (those of a killed process stay until the bucket's lifecycle rule for incomplete uploads).
 */
export async function uploadParts(
  request: S3Request,
  target: Target,
  localFile: string,
  size: number,
): Promise<void> {
  const { CreateMultipartUploadCommand, AbortMultipartUploadCommand } = await import("@aws-sdk/client-s3");
  const mark = randomUUID();
  const file = await open(localFile, "r");
  try {
    const { UploadId = "" } = await request((client) =>
      client.send(new CreateMultipartUploadCommand({ ...target, Metadata: { [MARK]: mark } })),
    );
    const upload = { ...target, UploadId };
    try {
      await complete(request, upload, mark, await sendParts(request, upload, file, size));
    } catch (error) {
      // Its own failure must not hide why the upload failed.
      await request((client) => client.send(new AbortMultipartUploadCommand(upload))).catch(() => {});
      throw error;
    }
  } finally {
    await file.close();
  }
}

/** Sends all parts, a few at a time; stops at the first that fails, once none is on its way any more. */
async function sendParts(
  request: S3Request,
  upload: Upload,
  file: FileHandle,
  size: number,
): Promise<CompletedPart[]> {
  const { UploadPartCommand } = await import("@aws-sdk/client-s3");
  const partBytes = Math.max(PART_BYTES, Math.ceil(size / MOST_PARTS));
  const count = Math.ceil(size / partBytes);
  const parts: CompletedPart[] = [];
  let next = 0;
  let failed = false;
  const worker = async () => {
    const buffer = Buffer.allocUnsafe(Math.min(partBytes, size));
    while (next < count && !failed) {
      const index = next++;
      const Body = await readPart(file, buffer, index * partBytes, size);
      const numbered = { ...upload, PartNumber: index + 1 };
      const { ETag } = await request((client) => client.send(new UploadPartCommand({ ...numbered, Body })));
      parts[index] = { PartNumber: index + 1, ...(ETag === undefined ? {} : { ETag }) };
    }
  };
  const ended = await Promise.allSettled(
    Array.from({ length: Math.min(PARTS_AT_ONCE, count) }, () =>
      worker().catch((error: unknown) => {
        failed = true;
        throw error;
      }),
    ),
  );
  for (const end of ended) if (end.status === "rejected") throw end.reason;
  return parts;
}

async function readPart(file: FileHandle, buffer: Buffer, start: number, size: number): Promise<Buffer> {
  const length = Math.min(buffer.length, size - start);
  for (let filled = 0; filled < length; ) {
    const { bytesRead } = await file.read(buffer, filled, length - filled, start + filled);
    if (bytesRead === 0) {
      throw new TerminalError("a file became shorter while it was uploaded", {
        code: "STORE_FILE_CHANGED",
        value: `${start + filled} of ${size} bytes`,
        allowed: "a finished file",
        next: "Let nothing else write to the folder for temporary files.",
      });
    }
    filled += bytesRead;
  }
  return buffer.subarray(0, length);
}

/** Joins the parts. A repeated request whose first try was carried out finds no upload any more, but its object. */
async function complete(
  request: S3Request,
  upload: Upload,
  mark: string,
  Parts: CompletedPart[],
): Promise<void> {
  const { CompleteMultipartUploadCommand, HeadObjectCommand } = await import("@aws-sdk/client-s3");
  const { Bucket, Key } = upload;
  await request(async (client) => {
    try {
      await client.send(new CompleteMultipartUploadCommand({ ...upload, MultipartUpload: { Parts } }));
    } catch (error) {
      if (!parseFailure(error).codes.includes("NoSuchUpload")) throw error;
      const head = await client.send(new HeadObjectCommand({ Bucket, Key })).catch(() => undefined);
      if (head?.Metadata?.[MARK] !== mark) throw error;
    }
  });
}
