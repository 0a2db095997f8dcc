/** Addresses of lakes on S3. */
import { TerminalError } from "../errors.ts";

/** A bucket, and the folder in it: empty, or ending in `/`. */
export interface S3Place {
  readonly bucket: string;
  readonly prefix: string;
}

/** Letters that buckets' names are made of, of all who speak the protocol; some older ones hold capitals or `_`. */
const ADDRESS = /^s3:\/\/([A-Za-z0-9][A-Za-z0-9._-]{1,253}[A-Za-z0-9])(?:\/(.*))?$/;

/** Parses `s3://bucket/prefix`; a slash at the end changes nothing. Throws `LAKE_INVALID` for anything else. */
export function parseS3Address(address: string): S3Place {
  const [, bucket, path = ""] = ADDRESS.exec(address) ?? [];
  const prefix = path.replace(/\/$/, "");
  const parts = prefix === "" ? [] : prefix.split("/");
  if (bucket === undefined || parts.some((part) => part === "" || part === "." || part === "..")) {
    throw new TerminalError("this is no address of a lake on S3", {
      code: "LAKE_INVALID",
      value: withoutUser(address),
      allowed: "s3://bucket or s3://bucket/folder, without empty parts",
      next: "Correct `lake` in ingot.config.ts, or INGOT_LAKE; keys and regions are set apart from it.",
    });
  }
  return { bucket, prefix: prefix === "" ? "" : `${prefix}/` };
}

/** People write keys into addresses, as `s3://key:secret@bucket`: those are not repeated. */
function withoutUser(address: string): string {
  return address.replace(/\/\/.*@/, "//***@").replace(/\?.*/, "?***");
}
