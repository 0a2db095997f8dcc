/** Versions as server-sent events: a client that comes back with the id of its last event goes on from there. */
import type { Subscription, VersionEvent } from "../../layers/publish/target.ts";
import { type Bounds, Counter } from "./bounds.ts";
import { codeForEvent, HttpError } from "./http-error.ts";
import type { ServedSet } from "./served-sets.ts";

/** Milliseconds after which a browser comes back. */
const RETRY = 1_000;
/** What targets give as ids of events. */
const ID = /^[\w.:-]{1,100}$/;

/** The streams that are open. */
export class EventStreams {
  private readonly bounds: Bounds;
  private readonly places: Counter;
  private readonly open = new Set<EventStream>();
  private isClosed = false;

  constructor(bounds: Bounds) {
    this.bounds = bounds;
    this.places = new Counter(bounds.streams, "more streams of events");
  }

  /**
   * The body of an answer: the version of now, or what came after the event `from`, and each that follows. `sever` ends
   * the connection of a client that does not read. Throws 400 for an id that is none, 503 where too many are open.
   */
  start(served: ServedSet, from: string | undefined, sever: () => void): ReadableStream<Uint8Array> {
    if (from !== undefined && !ID.test(from)) {
      throw new HttpError(400, "EVENT_ID_INVALID", "Last-Event-ID is none that this server has given", {
        value: from.slice(0, 100),
        next: "Leave it out; the version of now comes first then.",
      });
    }
    const free = this.places.take();
    const stream = new EventStream(served, this.bounds, sever, () => {
      this.open.delete(stream);
      free();
    });
    this.open.add(stream);
    void stream.follow(from);
    if (this.isClosed) stream.end();
    return stream.body;
  }

  /** Ends all of them; their clients come back to whoever serves then. */
  close(): void {
    this.isClosed = true;
    for (const stream of this.open) stream.end();
  }
}

class EventStream {
  readonly body: ReadableStream<Uint8Array>;
  private readonly served: ServedSet;
  private readonly sever: () => void;
  private readonly ended: () => void;
  private readonly heartbeat: NodeJS.Timeout;
  private controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  private subscription: Subscription | undefined;
  private isOver = false;

  constructor(served: ServedSet, { behind, heartbeat }: Bounds, sever: () => void, ended: () => void) {
    this.served = served;
    this.sever = sever;
    this.ended = ended;
    this.body = new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          this.controller = controller;
        },
        cancel: () => this.stop(),
      },
      { highWaterMark: behind, size: (chunk) => chunk?.byteLength ?? 0 },
    );
    this.heartbeat = setInterval(() => this.send(":\n\n"), heartbeat);
    this.send(`retry: ${RETRY}\n\n`);
  }

  /** Sends what the target tells, until the stream is over. Never rejects. */
  async follow(from: string | undefined): Promise<void> {
    const first = await this.subscribed(from);
    // The id may be that of another target, which this one cannot read.
    const failure = first !== undefined && from !== undefined ? await this.subscribed(undefined) : first;
    if (failure !== undefined) {
      this.send(`event: failed\ndata: ${JSON.stringify({ code: codeForEvent(failure.error) })}\n\n`);
    }
    this.end();
  }

  /** Ends it as a server does that has no more to say. */
  end(): void {
    if (this.isOver) return;
    this.stop();
    this.controller?.close();
  }

  /** One subscription, to its end; what it failed with. */
  private async subscribed(from: string | undefined): Promise<{ readonly error: unknown } | undefined> {
    if (this.isOver) return undefined;
    try {
      const { set, source } = this.served;
      const options = from === undefined ? {} : { from };
      this.subscription = await source.target.subscribe(set, (event) => this.tell(event), options);
      // It may have been over before there was something to close.
      if (this.isOver) await this.subscription.close();
      await this.subscription.done;
      return undefined;
    } catch (error) {
      return { error };
    }
  }

  private tell({ id, ...event }: VersionEvent): void {
    this.send(`id: ${id}\nevent: version\ndata: ${JSON.stringify(event)}\n\n`);
  }

  private send(text: string): void {
    if (this.isOver) return;
    this.controller?.enqueue(Buffer.from(text));
    if ((this.controller?.desiredSize ?? 0) > 0) return;
    // Whoever is so far behind gets what it missed when it comes back.
    this.stop();
    this.controller?.error(new Error("the client does not read"));
    this.sever();
  }

  private stop(): void {
    if (this.isOver) return;
    this.isOver = true;
    clearInterval(this.heartbeat);
    this.subscription?.close().catch(() => {});
    this.ended();
  }
}
