/** DuckDB's own way to S3: the extension httpfs, which reads only the parts of files that a query needs. */
import { messageOf, TerminalError } from "../errors.ts";
import type { DuckDb } from "./duckdb.ts";
import { literal } from "./quote.ts";

/** Where the bucket is and by what right it is read. */
export interface HttpfsAccess {
  /** File of the extension, `httpfs.duckdb_extension`, of exactly DuckDB's version. */
  readonly extension: string;
  /** Address of a service other than AWS. */
  readonly endpoint?: string | undefined;
  readonly region?: string | undefined;
  readonly pathStyle?: boolean | undefined;
  readonly credentials: {
    readonly accessKeyId: string;
    readonly secretAccessKey: string;
    readonly sessionToken?: string | undefined;
  };
}

/**
 * Loads httpfs from a file, and lets it into one bucket or folder (`s3://bucket/prefix`). DuckDB keeps the keys; they
 * are not renewed. Rejects with `DUCKDB_NO_HTTPFS` where the extension does not load.
 */
export async function openHttpfs(duckdb: DuckDb, scope: string, access: HttpfsAccess): Promise<void> {
  try {
    await duckdb.rows(`LOAD ${literal(access.extension)}`);
  } catch (cause) {
    throw new TerminalError(`DuckDB's extension httpfs cannot be loaded: ${messageOf(cause)}`, {
      code: "DUCKDB_NO_HTTPFS",
      value: access.extension,
      allowed: "the file httpfs.duckdb_extension of the same version as DuckDB",
      next: "Set s3.httpfs (INGOT_S3_HTTPFS) to it, or leave it out: files are then fetched into a local cache.",
    });
  }
  const url = access.endpoint === undefined ? undefined : new URL(access.endpoint);
  const options = [
    "TYPE s3",
    `SCOPE ${literal(scope)}`,
    `KEY_ID ${literal(access.credentials.accessKeyId)}`,
    `SECRET ${literal(access.credentials.secretAccessKey)}`,
  ];
  if (access.credentials.sessionToken)
    options.push(`SESSION_TOKEN ${literal(access.credentials.sessionToken)}`);
  if (access.region) options.push(`REGION ${literal(access.region)}`);
  if (url) options.push(`ENDPOINT ${literal(url.host)}`, `USE_SSL ${url.protocol === "https:"}`);
  if (access.pathStyle ?? url !== undefined) options.push("URL_STYLE 'path'");
  try {
    await duckdb.rows(`CREATE OR REPLACE SECRET ingot_s3 (${options.join(", ")})`);
  } catch {
    // The statement holds the key: nothing of it may get into an error.
    throw new TerminalError("DuckDB did not take the settings of S3", {
      code: "DUCKDB_NO_HTTPFS",
      value: scope,
      next: "Check endpoint and region, or leave s3.httpfs out.",
    });
  }
}
