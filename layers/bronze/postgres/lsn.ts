/** Log sequence numbers: bytes since the beginning of a cluster's WAL. */
import { TerminalError } from "../../../lakehouse/errors.ts";

/** A position as Postgres writes it, `16/B374D848`: two halves of 32 bits, hexadecimal. */
export function parseLsn(text: string): bigint {
  const match = /^([0-9A-F]{1,8})\/([0-9A-F]{1,8})$/i.exec(text);
  if (match) return (BigInt(`0x${match[1]}`) << 32n) | BigInt(`0x${match[2]}`);
  throw new TerminalError("not a WAL position", {
    code: "POSTGRES_LSN",
    value: text,
    allowed: "two hexadecimal numbers such as 16/B374D848",
  });
}

export function formatLsn(lsn: bigint | number): string {
  const value = BigInt(lsn);
  const half = (n: bigint) => n.toString(16).toUpperCase();
  return `${half(value >> 32n)}/${half(value & 0xffffffffn)}`;
}
