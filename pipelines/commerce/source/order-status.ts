/** How orders go on after they were placed. */
import { DAY, HOUR } from "./history.ts";
import type { Random } from "./random.ts";

export type OrderStatus = "pending" | "paid" | "shipped" | "delivered" | "cancelled" | "refunded";

/** Where an order can go from each status; the first one is the usual way. */
export const NEXT_STATUS: Readonly<Record<OrderStatus, readonly OrderStatus[]>> = {
  pending: ["paid", "cancelled"],
  paid: ["shipped", "cancelled"],
  shipped: ["delivered"],
  delivered: ["refunded"],
  cancelled: [],
  refunded: [],
};

const CANCELLED = 0.045;
const REFUNDED = 0.03;

/** The status that an order placed at `createdAt` has at `now`, and when it got it. */
export function statusAt(
  createdAt: number,
  now: number,
  random: Random,
): { status: OrderStatus; updatedAt: number } {
  const fate = random.next();
  const paidAt = createdAt + random.between(20, HOUR);
  const shippedAt = paidAt + random.between(6 * HOUR, 2 * DAY);
  const deliveredAt = shippedAt + random.between(DAY, 4 * DAY);
  const steps: [OrderStatus, number][] =
    fate < CANCELLED
      ? [["cancelled", paidAt + random.between(60, 5 * HOUR)]]
      : [
          ["paid", paidAt],
          ["shipped", shippedAt],
          ["delivered", deliveredAt],
        ];
  if (fate > 1 - REFUNDED) steps.push(["refunded", deliveredAt + random.between(DAY, 14 * DAY)]);
  const [status, updatedAt] = steps.findLast(([, at]) => at <= now) ?? ["pending", createdAt];
  return { status, updatedAt };
}
