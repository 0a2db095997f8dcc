/** Tells what a book says is to be told, and has it noted. */
import type { Clock } from "../../lakehouse/lease/clock.ts";
import type { SchedulerListener } from "../scheduler/events.ts";
import { afterTelling, type Book, noticesOf } from "./alerts-book.ts";
import { type AlertReceiver, Delivery, receiverName } from "./alerts-delivery.ts";
import { alertMessage } from "./alerts-message.ts";

const HOUR = 3_600_000;

interface TellerContext {
  readonly clock: Clock;
  readonly settings: AlertReceiver & { readonly repeatHours: number };
  readonly emit: SchedulerListener;
  /** Aborted when nothing more is to be told. */
  readonly stop: AbortSignal;
}

export class Teller {
  private readonly pipeline: string;
  private readonly context: TellerContext;
  private readonly delivery: Delivery;

  constructor(pipeline: string, context: TellerContext) {
    const { clock, settings, stop } = context;
    this.pipeline = pipeline;
    this.context = context;
    this.delivery = new Delivery(settings, clock, stop);
  }

  /** `save` is given the book after each alert that was taken. Rejects where that fails. */
  async tell(book: Book, save: (book: Book) => Promise<void>): Promise<void> {
    const { clock, emit, settings, stop } = this.context;
    const { pipeline } = this;
    let current = book;
    if (this.delivery.isResting()) return;
    for (const notice of noticesOf(book, clock.now(), settings.repeatHours * HOUR)) {
      if (this.delivery.isResting(notice.key)) continue;
      const message = alertMessage(pipeline, notice);
      const untaken = await this.delivery.post(message, notice.key);
      if (untaken === undefined) {
        current = afterTelling(current, notice, clock.now());
        await save(current);
        const { alert, state, id, subject, summary } = message;
        emit({ event: "alert", pipeline, alert, state, id, subject, summary });
        continue;
      }
      if (stop.aborted) return;
      const { failure, isRefused, retryInMs } = untaken;
      const text = `${receiverName(settings)} does not take alerts: ${failure}`;
      emit({
        event: "alert failed",
        pipeline,
        error: { code: "ALERT_NOT_DELIVERED", message: text },
        retryInMs,
      });
      // Of one that is not there the next one is no better off.
      if (!isRefused) return;
    }
  }
}
