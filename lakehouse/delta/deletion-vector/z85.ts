/**
 * Z85, the base 85 text in which the log holds UUIDs and inline deletion vectors: four bytes, big-endian, make five
 * characters (PROTOCOL.md, "Deletion Vector Descriptor Schema"; rfc.zeromq.org/spec/32).
 */
import { badVector } from "./bad-vector.ts";

const ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";

const DIGITS = new Int8Array(128).fill(-1);
for (let i = 0; i < ALPHABET.length; i++) DIGITS[ALPHABET.charCodeAt(i)] = i;

/** The text of these bytes, filled up with zeros to a multiple of four. */
export function encodeZ85(bytes: Uint8Array): string {
  const padded = Buffer.alloc(Math.ceil(bytes.length / 4) * 4);
  padded.set(bytes);
  let text = "";
  for (let at = 0; at < padded.length; at += 4) {
    let rest = padded.readUInt32BE(at);
    let group = "";
    for (let i = 0; i < 5; i++) {
      group = ALPHABET.charAt(rest % 85) + group;
      rest = Math.floor(rest / 85);
    }
    text += group;
  }
  return text;
}

/** What some writers of a short last group put before its characters, one for each byte that it lacks. */
const FILL = "#";

/**
 * The bytes of a text: four for each five characters. The last group may lack bytes and begin with as many `#`
 * instead, as delta-kernel-rs reads it; no whole group does. Rejects other text with `DELTA_BAD_DELETION_VECTOR`.
 */
export function decodeZ85(text: string): Uint8Array {
  if (text.length % 5 !== 0) throw badVector("its base 85 text is cut", text.slice(0, 100));
  const bytes = Buffer.alloc((text.length / 5) * 4);
  let missing = 0;
  for (let at = 0; at < text.length; at += 5) {
    const isLast = at + 5 === text.length;
    while (isLast && missing < 3 && text[at + missing] === FILL) missing++;
    bytes.writeUInt32BE(groupValue(text.slice(at + missing, at + 5), 4 - missing), (at / 5) * 4);
  }
  if (missing > 0) bytes.copyWithin(bytes.length - 4, bytes.length - 4 + missing);
  return bytes.subarray(0, bytes.length - missing);
}

/** A group as a number of so many bytes. */
function groupValue(group: string, bytes: number): number {
  let value = 0;
  for (let i = 0; i < group.length; i++) {
    const digit = DIGITS[group.charCodeAt(i)] ?? -1;
    if (digit < 0) throw badVector("its text is not base 85", group);
    value = value * 85 + digit;
  }
  if (value >= 256 ** bytes) throw badVector("its text is not base 85", group);
  return value;
}
