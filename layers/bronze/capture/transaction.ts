/** The transaction that is being received: where it lies, and what each of its rows says of it. */
import type { CapturedTable } from "./captured-table.ts";
import { fullXid } from "./full-xid.ts";
import { messageText, type TransactionText, transactionText } from "./row-file.ts";

export class ReceivedTransaction {
  /** Whether its end has not come yet. */
  isOpen = false;
  /** Where its commit record begins. */
  lsn = 0;
  /** Changes so far. */
  sequence = 0;
  text: TransactionText = Buffer.alloc(0);
  private xid: bigint;

  /** `currentXid`: an id of about now, 64 bits. */
  constructor(currentXid: bigint) {
    this.xid = currentXid;
  }

  /** Whether a table does not have its changes. */
  isNewTo({ position }: CapturedTable): boolean {
    return this.lsn >= position;
  }

  /** `time`: microseconds since 1970; `xid`: the low 32 bits. */
  begin(lsn: number, time: number, xid: number): void {
    this.isOpen = true;
    this.lsn = lsn;
    this.sequence = 0;
    this.xid = fullXid(this.xid, xid);
    this.text = transactionText(lsn, Number(this.xid), time);
  }

  /**
   * A message of no transaction is one of its own. It lies at the last byte of its record: a commit record may begin at
   * the next, and what has been taken so far ends there too.
   */
  standAlone(endLsn: number): void {
    this.lsn = endLsn - 1;
    this.sequence = 0;
    this.text = messageText(this.lsn);
  }
}
