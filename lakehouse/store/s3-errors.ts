/** Errors of S3 as Ingot tells them: what is wrong, where, and what to do. None repeats what the SDK attached. */
import { type ErrorDetails, IngotError, TerminalError, TransientError } from "../errors.ts";
import { retryRule } from "../retry.ts";
import { parseFailure, type S3Failure } from "./s3-failure.ts";

/** What a request was about, for messages. */
export interface S3Where {
  readonly bucket: string;
  /** Address of the service, or AWS. */
  readonly service: string;
  readonly region: string;
  /** What was being done, as in "cannot read a/b". */
  readonly doing: string;
}

interface Told extends ErrorDetails {
  readonly message: string;
}

type Tell = (where: S3Where, failure: S3Failure) => Told;

const noBucket: Tell = ({ bucket, service }) => ({
  message: `there is no bucket ${bucket} at ${service}`,
  code: "S3_BUCKET_MISSING",
  value: bucket,
  allowed: "a bucket that exists",
  next: "Create it, or correct the lake's address, the endpoint or the region.",
});

const denied: Tell = ({ bucket, doing }) => ({
  message: `cannot ${doing}: these credentials may not`,
  code: "S3_ACCESS_DENIED",
  value: bucket,
  allowed:
    "s3:ListBucket on the bucket; s3:GetObject, PutObject, DeleteObject, AbortMultipartUpload below it",
  next: "Grant these to the credentials. Without ListBucket, AWS calls every missing object a denied one.",
});

const unknownKey: Tell = ({ service }) => ({
  message: `${service} does not know this access key`,
  code: "S3_KEY_UNKNOWN",
  value: service,
  allowed: "an active access key of this service",
  next: "Check AWS_ACCESS_KEY_ID, AWS_PROFILE, and that the endpoint is the service that gave the key.",
});

const badSignature: Tell = ({ service }) => ({
  message: `${service} refused the signature: the secret does not belong to the access key`,
  code: "S3_SIGNATURE_REFUSED",
  value: service,
  allowed: "the secret that was given out with the access key",
  next: "Check AWS_SECRET_ACCESS_KEY; a proxy that changes the Host header or the path has the same effect.",
});

const expired: Tell = ({ service }) => ({
  message: `${service} refused the session token`,
  code: "S3_CREDENTIALS_EXPIRED",
  value: service,
  allowed: "a session that has not ended",
  next: "Log in again, or let the machine's role give the credentials.",
});

const skewed: Tell = ({ service }) => ({
  message: `the clock of this machine and that of ${service} are too far apart`,
  code: "S3_CLOCK_SKEWED",
  value: new Date().toISOString(),
  allowed: "a clock that is right within 15 minutes",
  next: "Set the clock, for example with NTP.",
});

const wrongRegion: Tell = ({ bucket, region }, failure) => ({
  message: `bucket ${bucket} is not in region ${region}`,
  code: "S3_REGION_WRONG",
  value: region,
  allowed: failure.region ?? "the region in which the bucket was made",
  next: "Set s3.region in ingot.config.ts, or AWS_REGION.",
});

const noRegion: Tell = ({ bucket }) => ({
  message: `the region of bucket ${bucket} is not known`,
  code: "S3_REGION_MISSING",
  value: bucket,
  allowed: "a region such as eu-central-1",
  next: "Set s3.region in ingot.config.ts, or AWS_REGION.",
});

const noCredentials: Tell = ({ service }) => ({
  message: `no credentials for ${service} were found`,
  code: "S3_CREDENTIALS_MISSING",
  value: service,
  allowed: "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile in ~/.aws, or a role of the machine",
  next: "Set one of them.",
});

const unsupported: Tell = ({ service, doing }) => ({
  message: `cannot ${doing}: ${service} does not offer it`,
  code: "S3_UNSUPPORTED",
  value: service,
  allowed: "a service with conditional writes (If-None-Match) and multipart uploads",
  next: "Use another service, or a newer version of this one.",
});

const unreachable: Tell = ({ service, doing }, { codes }) => ({
  message: `cannot ${doing}: ${service} cannot be reached (${codes[0]})`,
  code: "S3_UNREACHABLE",
  value: service,
  allowed: "an address at which an S3 service listens",
  next: "Check s3.endpoint or AWS_ENDPOINT_URL_S3, the network, and that the service runs.",
});

const untrusted: Tell = ({ service }, { codes }) => ({
  message: `no secure connection to ${service} can be made (${codes[0]})`,
  code: "S3_TLS_FAILED",
  value: service,
  allowed: "https:// where the service speaks TLS with a certificate that this machine trusts, else http://",
  next: "Check the scheme of s3.endpoint; name a private authority's certificate in NODE_EXTRA_CA_CERTS.",
});

const TERMINAL: Readonly<Record<string, Tell>> = {
  NoSuchBucket: noBucket,
  AccessDenied: denied,
  AllAccessDisabled: denied,
  HTTP_403: denied,
  InvalidAccessKeyId: unknownKey,
  XAdminUserNotFound: unknownKey,
  SignatureDoesNotMatch: badSignature,
  ExpiredToken: expired,
  InvalidToken: expired,
  TokenRefreshRequired: expired,
  RequestTimeTooSkewed: skewed,
  PermanentRedirect: wrongRegion,
  AuthorizationHeaderMalformed: wrongRegion,
  IllegalLocationConstraintException: wrongRegion,
  HTTP_301: wrongRegion,
  CredentialsProviderError: noCredentials,
  NotImplemented: unsupported,
  HTTP_501: unsupported,
  EPROTO: untrusted,
  ERR_TLS_CERT_ALTNAME_INVALID: untrusted,
  DEPTH_ZERO_SELF_SIGNED_CERT: untrusted,
  SELF_SIGNED_CERT_IN_CHAIN: untrusted,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: untrusted,
  CERT_HAS_EXPIRED: untrusted,
};

const TRANSIENT: Readonly<Record<string, Tell>> = {
  ECONNREFUSED: unreachable,
  EHOSTUNREACH: unreachable,
  ENETUNREACH: unreachable,
  EAI_AGAIN: unreachable,
  ENOTFOUND: unreachable,
};

/** The error to throw for what a request failed with; one of Ingot's own passes as it is. */
export function toStoreError(error: unknown, where: S3Where): IngotError {
  if (error instanceof IngotError) return error;
  const failure = parseFailure(error);
  // The error itself holds the signed request, and with it a session's token: its text is what may be kept.
  const cause = new Error(`${failure.codes[0] ?? "Error"}: ${failure.message}`);
  const terminal = failure.message === "Region is missing" ? noRegion : firstOf(TERMINAL, failure.codes);
  if (terminal) return make(TerminalError, terminal(where, failure), cause);
  const transient = firstOf(TRANSIENT, failure.codes);
  if (transient) return make(TransientError, transient(where, failure), cause);
  const kind = retryRule(failure.codes) === undefined ? TerminalError : TransientError;
  return make(kind, other(where, failure, kind === TransientError), cause);
}

function other({ doing, service }: S3Where, failure: S3Failure, again: boolean): Told {
  const { codes, status, message, requestId } = failure;
  const answer = [codes[0], status === undefined ? "" : `HTTP ${status}`].filter(Boolean).join(", ");
  return {
    message: `cannot ${doing}: ${message.split("\n")[0]}${answer === "" ? "" : ` (${answer})`}`,
    code: again ? "S3_FAILED" : "S3_REFUSED",
    value: requestId === undefined ? service : `${service}, request ${requestId}`,
    next: again
      ? "It was tried several times; run it again later."
      : "Check that the endpoint is an S3 service, and its log.",
  };
}

function firstOf(table: Readonly<Record<string, Tell>>, codes: readonly string[]): Tell | undefined {
  for (const code of codes) if (Object.hasOwn(table, code)) return table[code];
  return undefined;
}

function make(
  Kind: new (message: string, details: ErrorDetails) => IngotError,
  { message, ...details }: Told,
  cause: Error,
): IngotError {
  return new Kind(message, { ...details, cause });
}
