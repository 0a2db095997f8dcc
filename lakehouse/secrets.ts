/**
 * Secrets out of text that people and logs get to see. It is better to hide a word too many than to show a password,
 * so the patterns are greedy.
 */

const HIDDEN = "***";

/** Names whose value is secret: `password`, `PGPASSWORD`, `aws_secret_access_key`, `sslpassword`, `auth_token`. */
const SECRET_NAME = String.raw`[\w-]*(?:password|passwd|passphrase|pwd|secret|token|api[_-]?key|access[_-]?key|signature)[\w-]*`;
/** A quoted value with doubled or escaped quotes within. */
const QUOTED = String.raw`'(?:\\.|''|[^'\\])*'|"(?:\\.|""|[^"\\])*"`;

const PATTERNS: readonly (readonly [RegExp, string])[] = [
  // `password=word`, `password = 'two words'`, `?password=word&`: a bare value ends at a space or at the next field.
  [new RegExp(String.raw`(${SECRET_NAME}["']?\s*=\s*)(?:${QUOTED}|(?:\\.|[^\s&\\])+)`, "gis"), `$1${HIDDEN}`],
  // `"password": "word"` of JSON; a colon in prose ("invalid password: expected …") is followed by no quote.
  [new RegExp(String.raw`(${SECRET_NAME}["']?\s*:\s*)(?:${QUOTED})`, "gis"), `$1"${HIDDEN}"`],
  // SQL: `ALTER ROLE … PASSWORD 'word'`, `CREATE SECRET (… SECRET 'word')`.
  [new RegExp(String.raw`\b(${SECRET_NAME}\s+)'(?:\\.|''|[^'\\])*'`, "gis"), `$1'${HIDDEN}'`],
  [/(authorization["']?\s*[:=]\s*["']?(?:bearer|basic)\s+)[^\s"',]+/gi, `$1${HIDDEN}`],
  // `scheme://user:password@host`. An unescaped `@` or `/` in a password is common, so it reaches to the last `@`
  // of the word; the user may hold an `@` too.
  [/([a-z][a-z0-9+.-]*:\/\/[^\s:/]*:)\S*(?=@)/gi, `$1${HIDDEN}`],
  // A password with a space in it: no `@` in the word, and what follows the colon is no port.
  [
    /([a-z][a-z0-9+.-]*:\/\/[^\s:/]*:)(?!\d+(?:[/?#,;.\s]|$))(?![^\s@]*@)[^\s@]+[ \t][^\n]*(?=@)/gi,
    `$1${HIDDEN}`,
  ],
];

/** Text with passwords of URLs and the values of secret settings replaced by `***`. Masking twice changes nothing. */
export function maskSecrets(text: string): string {
  return PATTERNS.reduce((masked, [pattern, replacement]) => masked.replace(pattern, replacement), text);
}

const WHOLE_SECRET_NAME = new RegExp(`^${SECRET_NAME}$`, "i");

/** Whether a field of this name holds a secret, whatever its value looks like. */
export function isSecretName(name: string): boolean {
  return WHOLE_SECRET_NAME.test(name);
}
