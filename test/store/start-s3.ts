/** Starts an S3 server in a folder, prints its process id and waits to be killed. */
import { findS3Server, startS3 } from "../../scripts/services/s3-server.ts";

const binary = await findS3Server();
if (binary === undefined) throw new Error("There is no S3 server.");
const server = await startS3({ folder: process.argv[2] ?? "", binary });
process.stdout.write(`${server.pid}\n`);
setInterval(() => {}, 1_000);
