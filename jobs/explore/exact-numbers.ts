/** Dates, times and decimals, which leave DuckDB as text, as the whole numbers that Arrow keeps them as. */

const DATE = /^([+-]?\d+)-(\d\d)-(\d\d)/;
const TIME = /(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?/;
/** What Arrow has in the place of infinities, as DuckDB's own arrays do. */
const LARGEST = 2n ** 63n - 1n;

/** Days since the epoch. */
export function daysOf(text: string): number {
  const [, year, month, day] = DATE.exec(text) ?? [];
  if (year === undefined) throw new RangeError(`not a date: ${text}`);
  return daysFromCivil(text.includes("(BC)") ? 1 - Number(year) : Number(year), Number(month), Number(day));
}

/** Units since midnight, of which a second has 10^`digits`. */
export function timeOf(text: string, digits: number): bigint {
  const [, hours = "", minutes = "", seconds = "", fraction = ""] = TIME.exec(text) ?? [];
  if (hours === "") throw new RangeError(`not a time: ${text}`);
  const whole = Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds);
  return BigInt(`${whole}${fraction.padEnd(digits, "0").slice(0, digits)}`);
}

/** Units since the epoch, of which a second has 10^`digits`. */
export function instantOf(text: string, digits: number): bigint {
  if (/^-?infinity/i.test(text)) return text.startsWith("-") ? -LARGEST : LARGEST;
  return BigInt(daysOf(text)) * 86_400n * 10n ** BigInt(digits) + timeOf(text, digits);
}

/** The digits of a decimal without its point, for a scale that it is written with. */
export function unscaled(text: string, scale: number): bigint {
  const [whole = "", fraction = ""] = text.split(".");
  return BigInt(whole + fraction.padEnd(scale, "0"));
}

/** Days from 1970-01-01 in the proleptic Gregorian calendar, which JavaScript's Date has only a part of. */
function daysFromCivil(year: number, month: number, day: number): number {
  const y = month <= 2 ? year - 1 : year;
  const era = Math.floor(y / 400);
  const yearOfEra = y - era * 400;
  // Years begin in March: the day that comes and goes is their last.
  const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1;
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  return era * 146_097 + dayOfEra - 719_468;
}
