/** Server-sent events as a client reads them, over fetch. */

interface ServerEvent {
  readonly id: string | undefined;
  readonly event: string;
  readonly data: { readonly version: number; readonly rolledBack: boolean; readonly code?: string };
}

export interface EventReader {
  readonly response: Response;
  /** The next event; undefined where the stream has ended, however it did. Comments are passed over. */
  next(): Promise<ServerEvent | undefined>;
  /** Blocks that are no events: comments, and what the client should wait. */
  readonly others: readonly string[];
  close(): Promise<void>;
}

/** Opens a stream; with the id of the last event where there was one. */
export async function readEvents(url: string, lastId?: string): Promise<EventReader> {
  const leaving = new AbortController();
  const response = await fetch(url, {
    headers: { accept: "text/event-stream", ...(lastId === undefined ? {} : { "last-event-id": lastId }) },
    signal: leaving.signal,
  });
  const blocks = blocksOf(response);
  const others: string[] = [];
  return {
    response,
    others,
    next: async () => {
      for (;;) {
        const { value, done } = await blocks.next();
        if (done === true) return undefined;
        const event = parse(value);
        if (event !== undefined) return event;
        others.push(value);
      }
    },
    close: async () => {
      leaving.abort();
      await blocks.return();
    },
  };
}

async function* blocksOf(response: Response): AsyncGenerator<string, void, undefined> {
  let text = "";
  try {
    for await (const chunk of response.body ?? []) {
      text += Buffer.from(chunk).toString();
      const blocks = text.split("\n\n");
      text = blocks.pop() ?? "";
      yield* blocks;
    }
  } catch {
    // The server was killed, or the test has left.
  }
}

function parse(block: string): ServerEvent | undefined {
  const lines = block
    .split("\n")
    .map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 2)]);
  const field = (name: string) => lines.find(([key]) => key === name)?.[1];
  const data = field("data");
  if (data === undefined) return undefined;
  return { id: field("id"), event: field("event") ?? "message", data: JSON.parse(data) };
}
