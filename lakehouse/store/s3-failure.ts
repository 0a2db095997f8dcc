/** What an error of the SDK says, parsed; nothing of it is trusted to be free of secrets but what is named here. */
import { z } from "zod";
import { messageOf } from "../errors.ts";

const sdkError = z.object({
  name: z.string().optional(),
  code: z.string().optional(),
  /** Of a wrong region: the right one. */
  Region: z.string().optional(),
  $metadata: z.object({ httpStatusCode: z.number().optional(), requestId: z.string().optional() }).optional(),
  $response: z.object({ headers: z.record(z.string(), z.unknown()).optional() }).optional(),
});

export interface S3Failure {
  /** Codes of the failure, the most specific first: of the service, of Node, `HTTP_<status>`. */
  readonly codes: readonly string[];
  readonly status: number | undefined;
  readonly message: string;
  readonly requestId: string | undefined;
  /** The bucket's region, where the service tells. */
  readonly region: string | undefined;
}

const NEVER_CONNECTED = /did not establish a connection/;

/** Reads an error of the SDK, or any other. */
export function parseFailure(error: unknown): S3Failure {
  const parsed = sdkError.safeParse(error);
  const { name, code, Region, $metadata, $response } = parsed.success ? parsed.data : {};
  const message = messageOf(error);
  const status = $metadata?.httpStatusCode;
  const header = $response?.headers?.["x-amz-bucket-region"];
  // A connection that took too long has the name of an answer that took too long.
  const unconnected = name === "TimeoutError" && NEVER_CONNECTED.test(message) ? "EHOSTUNREACH" : undefined;
  const http = status !== undefined && status >= 300 ? `HTTP_${status}` : undefined;
  return {
    codes: [unconnected, code, name, http].filter((c) => c !== undefined && c !== "Error") as string[],
    status,
    message,
    requestId: $metadata?.requestId,
    region: Region ?? (typeof header === "string" ? header : undefined),
  };
}

/** The service says that there is no such object, which is not the same as no such bucket. */
export const isAbsent = (error: unknown): boolean => has(error, "NoSuchKey", "NotFound");
/** A range begins at or after the end of the object. */
export const isPastEnd = (error: unknown): boolean => has(error, "InvalidRange", "HTTP_416");
/** `If-None-Match: *` met an object. */
export const isTaken = (error: unknown): boolean => has(error, "PreconditionFailed", "HTTP_412");

function has(error: unknown, ...wanted: string[]): boolean {
  return parseFailure(error).codes.some((code) => wanted.includes(code));
}
