/** Relations of a chunk's session: its rows as they are to be, and the keys that they stand for. */
export const RESULT = "result";
export const KEYS = "keys";
