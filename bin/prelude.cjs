// What has to be so before anything is imported.

// DuckDB queries occupy threads of libuv's pool while they wait for a FIFO; the pool's size is read once, before the
// first asynchronous call.
process.env.UV_THREADPOOL_SIZE ??= "16";

// As in Node from version 21 on. Where it is missing, pg makes a Response to see whether this is Cloudflare, for which
// Node loads an HTTP client.
globalThis.navigator ??= { userAgent: `Node.js/${process.versions.node.split(".")[0]}` };
