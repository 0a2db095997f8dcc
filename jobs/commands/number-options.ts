/** Numbers as command line options: what is no such number is refused with what would be one. */
import { InvalidArgumentError } from "commander";

export function wholeNumber(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError("It takes a whole number, 0 or more.");
  return Number(text);
}

export function portNumber(text: string): number {
  const port = Number(text);
  if (/^\d+$/.test(text) && port <= 65_535) return port;
  throw new InvalidArgumentError("It takes a whole number, 0 to 65535.");
}

export function positiveNumber(text: string): number {
  const value = Number(text);
  if (!(value > 0) || value > 1000)
    throw new InvalidArgumentError("It takes a number above 0, at most 1000.");
  return value;
}
