/** Numbers, sizes and times as people read them. English, independent of the machine's locale. */

const whole = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });
const fractional = new Intl.NumberFormat("en-US", { maximumFractionDigits: 2 });
const significant = new Intl.NumberFormat("en-US", { maximumSignificantDigits: 3 });

/** All digits, in groups: `1,234,567`. */
export function groupDigits(value: number | bigint): string {
  return whole.format(value);
}

/** Exact below a million (`12,345`), then rounded (`1.2M`). */
export function compactCount(value: number | bigint): string {
  const number = Number(value);
  if (!Number.isFinite(number) || Math.abs(number) >= 1e6) return compactNumber(number);
  if (number !== 0 && Math.abs(number) < 1) return significant.format(number);
  return (Math.abs(number) < 1000 ? fractional : whole).format(number);
}

/** A few characters for an axis: `950`, `12.3K`, `1.2M`. More digits tell close values apart. */
export function compactNumber(value: number | bigint, digits = 1): string {
  const number = Number(value);
  if (!Number.isFinite(number)) return Number.isNaN(number) ? "–" : number > 0 ? "∞" : "-∞";
  const size = Math.abs(number);
  if (size >= 999.5e12) return number.toExponential(digits);
  if (size < 999.5) {
    if (digits > 1) return trimZeros(number.toPrecision(digits + 3));
    return size !== 0 && size < 1
      ? significant.format(number)
      : fractional.format(Number(number.toPrecision(3)));
  }
  const scaled = scale(number, ["K", "M", "B", "T"], 1000, digits);
  return `${trimZeros(scaled.digits)}${scaled.unit}`;
}

/** `512 B`, `1.2 MB`; decimal units, as disks and networks are sold. */
export function formatBytes(bytes: number | bigint): string {
  const number = Number(bytes);
  if (Math.abs(number) < 999.5) return `${Math.round(number)} B`;
  const { digits, unit } = scale(number, ["kB", "MB", "GB", "TB", "PB"], 1000, 1);
  return `${digits} ${unit}`;
}

/** `850 rows/s`, `1.2M rows/s`. */
export function formatRate(perSecond: number, unit = "rows"): string {
  return `${compactNumber(perSecond >= 10 ? Math.round(perSecond) : perSecond)} ${unit}/s`;
}

/** `850 ms`, `4.2 s`, `1 m 05 s`, `2 h 03 m`, `3 d 04 h`. */
export function formatDuration(milliseconds: number): string {
  const ms = Math.max(0, milliseconds);
  if (ms < 999.5) return `${Math.round(ms)} ms`;
  if (ms < 59_950) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 3600) return `${Math.floor(seconds / 60)} m ${two(seconds % 60)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 1440) return `${Math.floor(minutes / 60)} h ${two(minutes % 60)} m`;
  const hours = Math.floor(minutes / 60);
  return `${Math.floor(hours / 24)} d ${two(hours % 24)} h`;
}

/** How long ago something was: `3 s ago`. Clocks differ a little, so the near future is now. */
export function formatAge(milliseconds: number): string {
  const seconds = Math.floor(milliseconds / 1000);
  if (seconds < 1) return "just now";
  if (seconds < 60) return `${seconds} s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} m ago`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h ago`;
  return `${groupDigits(Math.floor(seconds / 86_400))} d ago`;
}

/** The largest unit that leaves fewer than 1,000 after rounding: 999,960 is `1.0M`, not `1000.0K`. */
function scale(value: number, units: readonly string[], step: number, digits: number) {
  let scaled = value / step;
  let unit = 0;
  while (unit < units.length - 1 && Math.abs(Number(scaled.toFixed(digits))) >= step) {
    scaled /= step;
    unit += 1;
  }
  return { digits: scaled.toFixed(digits), unit: units[unit] ?? "" };
}

function trimZeros(digits: string): string {
  return digits.includes(".") && !digits.includes("e") ? digits.replace(/\.?0+$/, "") : digits;
}

const two = (value: number): string => String(value).padStart(2, "0");
