import type { FormatWriter } from "../terminal/formats.ts";

/** Writes a result piece by piece, no faster than the reader takes it. A reader that has seen enough ends it. */
export async function writeRows(
  output: NodeJS.WritableStream,
  writer: FormatWriter,
  chunks: AsyncIterable<readonly (readonly unknown[])[]>,
): Promise<void> {
  let closed = false;
  let resume = () => {};
  output.on("drain", () => resume());
  output.on("close", () => resume());
  output.on("error", (error: NodeJS.ErrnoException) => {
    // `| head` closes the pipe; that is no failure of ours.
    if (error.code !== "EPIPE") throw error;
    closed = true;
    resume();
  });
  const write = async (text: string) => {
    if (closed || text === "" || output.write(text)) return;
    await new Promise<void>((resolve) => {
      resume = resolve;
    });
  };
  await write(writer.head());
  for await (const chunk of chunks) {
    if (closed) return;
    await write(chunk.map((row) => writer.row(row)).join(""));
  }
  await write(writer.tail());
}
