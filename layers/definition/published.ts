/** What of a gold table is published, in which shape, where to: declared beside the model. */

/** A value that a row's column is compared with. Text for dates and times, as SQL writes them. */
export type PublishedValue = string | number | bigint | boolean;

/** What a column must fulfil; several conditions all have to hold. `isNull` is the only one that NULL can fulfil. */
export type PublishedCondition =
  | PublishedValue
  | {
      readonly eq?: PublishedValue;
      readonly ne?: PublishedValue;
      readonly gt?: PublishedValue;
      readonly gte?: PublishedValue;
      readonly lt?: PublishedValue;
      readonly lte?: PublishedValue;
      readonly in?: readonly PublishedValue[];
      readonly isNull?: boolean;
    };

/** The shape in which consumers find a set; in Redis the structure that any client reads. */
export type PublishedForm =
  /** LIST of rows as JSON. */
  | { readonly kind: "list" }
  /** STRING: this column of the only row. */
  | { readonly kind: "scalar"; readonly value: string }
  /** HASH: the columns of the only row; with `field` and `value`, one field for each row. */
  | { readonly kind: "hash" }
  | { readonly kind: "hash"; readonly field: string; readonly value: string }
  /** SORTED SET of members by score. */
  | { readonly kind: "ranking"; readonly member: string; readonly score: string }
  /** SORTED SET of rows as JSON by time, in milliseconds since the epoch. */
  | { readonly kind: "series"; readonly time: string }
  /** One STRING for each row, its JSON, by key; without `by`, the key of the model's contract. */
  | { readonly kind: "lookup"; readonly by?: readonly string[] };

/** Which rows and columns of the gold table are taken. */
export interface PublishedPart {
  /** By column; all have to hold. */
  readonly where?: Readonly<Record<string, PublishedCondition>>;
  /** All by default. */
  readonly columns?: readonly string[];
  /** By the contract's key by default; `-name` is descending. */
  readonly orderBy?: readonly string[];
  readonly limit?: number;
  /** Instead of `where` and `columns`: one SELECT that calls the gold table by the model's name. */
  readonly sql?: string;
}

/** A gold table that consumers read, and how a terminal shows it. */
export interface PublishedMetric extends PublishedPart {
  /** Name of the gold model. */
  readonly model: string;
  readonly title: string;
  /** Under which consumers ask for it; the model's name by default. */
  readonly name?: string;
  /** A list by default. */
  readonly as?: PublishedForm;
  /** What the names of its keys in Redis begin with; `ingot:{pipeline/name}` by default. */
  readonly key?: string;
  /** Seconds after which an unrefreshed value disappears; kept for ever by default. */
  readonly expiresAfter?: number;
  /** Names of targets of the configuration; the installation's own one, Redis or files, by default. */
  readonly to?: readonly string[];
  /** Column of labels, column of values: drawn as bars (categories) or as a line (a series over time). */
  readonly chart?: { readonly kind: "bars" | "line"; readonly label: string; readonly value: string };
}
