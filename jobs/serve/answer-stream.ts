/** A version as the body of an answer, made as fast as it is taken. */
import type { PublishedVersion } from "../../layers/publish/target.ts";

/** Characters of JSON that are given at once, about. */
const PART = 64 * 1024;

/** `{"set":…,"rows":[…]}`, a row a line. */
export function* versionJson({ rows, ...stamp }: PublishedVersion): Generator<Uint8Array, void, undefined> {
  let text = `${JSON.stringify(stamp).slice(0, -1)},"rows":[`;
  for (const [i, row] of rows.entries()) {
    text += `${i === 0 ? "\n" : ",\n"}${JSON.stringify(row)}`;
    if (text.length < PART) continue;
    yield Buffer.from(text);
    text = "";
  }
  yield Buffer.from(`${text}\n]}\n`);
}

/** A body of these bytes; `ended` is called once, when it was taken whole, was given up, or has failed. */
export function bodyOf(
  parts: Iterator<Uint8Array> | AsyncIterator<Uint8Array>,
  ended: () => void,
): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>({
    pull: async (controller) => {
      try {
        const { done, value } = await parts.next();
        if (done !== true) return controller.enqueue(value);
        ended();
        controller.close();
      } catch (error) {
        ended();
        throw error;
      }
    },
    cancel: async () => {
      ended();
      await parts.return?.();
    },
  });
}
