/**
 * Secrets out of text that people and logs get to see. It is better to hide a word too many than to show a password,
 * so everything here is greedy. It runs over text of any length that others wrote: each step is linear.
 */

const HIDDEN = "***";
const SECRET_NAME = /password|passwd|passphrase|pwd|secret|token|api[_-]?key|access[_-]?key|signature/i;
const AUTHORIZATION = /(authorization["']?\s*[:=]\s*["']?(?:bearer|basic)\s+)[^\s"',]+/gi;

/** Text with passwords of URLs and the values of secret settings replaced by `***`. Masking twice changes nothing. */
export function maskSecrets(text: string): string {
  // Settings first: the password of `//host:5432/db?password=p@ss` would else count as one of the URL, up to its `@`.
  const settings = maskSettings(text).replace(AUTHORIZATION, `$1${HIDDEN}`);
  return settings.split("\n").map(maskUrls).join("\n");
}

/** Whether a field of this name holds a secret: `password`, `PGPASSWORD`, `secretAccessKey`. */
export function isSecretName(name: string): boolean {
  return SECRET_NAME.test(name);
}

const WORD = /[\w-]+/g;
/**
 * What stands between a name and its value: `=`; a colon before a quote, as in JSON (a colon in prose, "invalid
 * password: expected …", is followed by none); a space before a quote, as in SQL's `PASSWORD 'word'`.
 */
const SEPARATOR = /["']?\s*=\s*|["']?\s*:\s*(?=["'])|\s+(?=')/y;
/** A quoted text, also one that was cut off before its end; or a bare word up to a space or the next field. */
const VALUE = /'(?:\\.|''|[^'\\])*(?:'|\\?$)|"(?:\\.|""|[^"\\])*(?:"|\\?$)|(?:\\.|[^\s&\\])+/sy;

/** `password=word`, `password = 'two words'`, `?password=word&…`, `"password":"word"`, `PASSWORD 'word'`. */
function maskSettings(text: string): string {
  let masked = "";
  let copied = 0;
  WORD.lastIndex = 0;
  for (let word = WORD.exec(text); word !== null; word = WORD.exec(text)) {
    if (!SECRET_NAME.test(word[0])) continue;
    SEPARATOR.lastIndex = WORD.lastIndex;
    if (!SEPARATOR.test(text)) continue;
    VALUE.lastIndex = SEPARATOR.lastIndex;
    const value = VALUE.exec(text)?.[0];
    if (value === undefined) continue;
    const quote = /^["']/.exec(value)?.[0] ?? "";
    masked += `${text.slice(copied, SEPARATOR.lastIndex)}${quote}${HIDDEN}${quote}`;
    copied = SEPARATOR.lastIndex + value.length;
    WORD.lastIndex = copied;
  }
  return masked + text.slice(copied);
}

const AFTER_USER = /:\/\/[^\s:/]*:/g;
const PORT = /\d+(?=[/?#,;.)\]}"'\s]|$)/y;

/**
 * `scheme://user:password@host` in one line. Unescaped signs in passwords are common, so a password reaches to the
 * last `@` of its word; where the word has none and this is no port, it held a space and reaches to the last `@` of
 * the line.
 */
function maskUrls(line: string): string {
  const lastAt = line.lastIndexOf("@");
  if (lastAt === -1) return line;
  let masked = "";
  let copied = 0;
  let wordEnd = -1;
  let at = -1;
  AFTER_USER.lastIndex = 0;
  for (let user = AFTER_USER.exec(line); user !== null; user = AFTER_USER.exec(line)) {
    const start = AFTER_USER.lastIndex;
    if (start > lastAt) break;
    if (start > wordEnd) {
      const space = line.slice(start).search(/\s/);
      wordEnd = space === -1 ? line.length : start + space;
      at = line.lastIndexOf("@", wordEnd);
    }
    PORT.lastIndex = start;
    const end = at >= start ? at : PORT.test(line) ? -1 : lastAt;
    if (end === -1) continue;
    masked += line.slice(copied, start) + HIDDEN;
    copied = end;
    AFTER_USER.lastIndex = end;
  }
  return masked + line.slice(copied);
}
