/** Connections to S3 and to services that speak its protocol. */
import type { S3Client } from "@aws-sdk/client-s3";

/** Where the service is and how to ask it; all of it may be left out for AWS, where its own settings apply. */
export interface S3Settings {
  /** Address of a service other than AWS, such as `https://s3.example.com`. */
  readonly endpoint?: string | undefined;
  /** Region of the bucket. */
  readonly region?: string | undefined;
  /** The bucket in the path instead of the host name; the default where an endpoint is set. */
  readonly pathStyle?: boolean | undefined;
}

/** Keys given by hand, in place of those that the environment, a profile or the machine's role gives. */
export interface S3Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** Bounds of one request, in milliseconds. */
export interface S3Timeouts {
  readonly connect: number;
  /** From the first byte sent to the head of the answer; has to do for one part of an upload. */
  readonly request: number;
  /** Silence on the connection. */
  readonly idle: number;
}

export const TIMEOUTS: S3Timeouts = { connect: 5_000, request: 60_000, idle: 30_000 };

/** What services other than AWS usually take for the region; AWS itself is asked for one that is set. */
const ANY_REGION = "us-east-1";
const CONNECTIONS = 50;

/**
 * Opens a client; loads the SDK first, which those with a lake in a folder never wait for. The SDK's own retries are
 * off: they would repeat a conditional write whose answer was lost, and take the first try's object for a rival's.
 */
export async function connectS3(
  settings: S3Settings,
  credentials: S3Credentials | undefined,
  timeouts: S3Timeouts,
): Promise<S3Client> {
  const { endpoint, region = endpoint === undefined ? undefined : ANY_REGION } = settings;
  // The version in use supports every Node that Ingot supports; what later ones need is not for users to read.
  process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= "true";
  const sdk = await import("@aws-sdk/client-s3");
  return new sdk.S3Client({
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(region === undefined ? {} : { region }),
    ...(credentials === undefined ? {} : { credentials }),
    forcePathStyle: settings.pathStyle ?? endpoint !== undefined,
    maxAttempts: 1,
    requestHandler: {
      connectionTimeout: timeouts.connect,
      requestTimeout: timeouts.request,
      throwOnRequestTimeout: true,
      socketTimeout: timeouts.idle,
      httpAgent: { maxSockets: CONNECTIONS },
      httpsAgent: { maxSockets: CONNECTIONS },
    },
  });
}

/** The keys that a client would use now: those given, or what the SDK's default chain finds. */
export async function currentCredentials(
  settings: S3Settings,
  credentials: S3Credentials | undefined,
): Promise<S3Credentials & { readonly sessionToken?: string | undefined }> {
  if (credentials !== undefined) return credentials;
  const client = await connectS3(settings, undefined, TIMEOUTS);
  try {
    return await client.config.credentials();
  } finally {
    client.destroy();
  }
}
