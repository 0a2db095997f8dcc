import { once } from "node:events";
import type { FormatWriter } from "../terminal/formats.ts";

/** Writes a result piece by piece, no faster than the reader takes it. A reader that has seen enough ends it. */
export async function writeRows(
  output: NodeJS.WritableStream,
  writer: FormatWriter,
  chunks: AsyncIterable<readonly (readonly unknown[])[]>,
): Promise<void> {
  let closed = false;
  output.on("error", (error: NodeJS.ErrnoException) => {
    // `| head` closes the pipe; that is no failure of ours.
    if (error.code !== "EPIPE") throw error;
    closed = true;
  });
  const write = async (text: string) => {
    if (closed || text === "" || output.write(text)) return;
    await Promise.race([once(output, "drain"), once(output, "close")]).catch(() => {
      closed = true;
    });
  };
  await write(writer.head());
  for await (const chunk of chunks) {
    if (closed) return;
    await write(chunk.map((row) => writer.row(row)).join(""));
  }
  await write(writer.tail());
}
