/** Charts of a few lines, for results that are better seen than read. */
export { renderBars } from "./chart-bars.ts";
export { chartValue } from "./chart-item.ts";
export { renderLine } from "./chart-line.ts";
export { sparkline } from "./chart-sparkline.ts";
