import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isSecretName, maskSecrets } from "../../lakehouse/secrets.ts";

describe("secrets in text", () => {
  test.each([
    ["postgres://app:hunter2@db:5432/shop", "postgres://app:***@db:5432/shop"],
    ["postgresql://app:p@ss@db/shop?sslmode=require", "postgresql://app:***@db/shop?sslmode=require"],
    ["redis://:s3cret@cache:6379/0", "redis://:***@cache:6379/0"],
    ["rediss://user:p%40ss%2Fword@cache", "rediss://user:***@cache"],
    ["postgres://app:pa/ss?wo#rd@db/shop", "postgres://app:***@db/shop"],
    ["postgres://app@corp:pw@db/shop", "postgres://app@corp:***@db/shop"],
    ["postgres://app:two words@db/shop", "postgres://app:***@db/shop"],
    [
      'could not reach "postgres://a:b@c/d" and redis://:x@y',
      'could not reach "postgres://a:***@c/d" and redis://:***@y',
    ],
    ["host=db password=hunter2 user=app", "host=db password=*** user=app"],
    ["host=db password='two \\' words' user=app", "host=db password='***' user=app"],
    ["password='cut off in the mid…", "password='***'"],
    ["options='-c password=hunter2'", "options='-c password=***"],
    ["postgres://db/shop?user=app&password=p@ss&x=1", "postgres://db/shop?user=app&password=***&x=1"],
    ["postgres://db:5432/shop?password=p@ss&x=1", "postgres://db:5432/shop?password=***&x=1"],
    ["PGPASSWORD=hunter2 psql", "PGPASSWORD=*** psql"],
    ['{"password":"a\\"b","user":"app"}', '{"password":"***","user":"app"}'],
    ["ALTER ROLE app PASSWORD 'it''s'", "ALTER ROLE app PASSWORD '***'"],
    [
      "CREATE SECRET s (TYPE s3, KEY_ID 'AKIA', SECRET 'abc/def')",
      "CREATE SECRET s (TYPE s3, KEY_ID 'AKIA', SECRET '***')",
    ],
    ["AWS_SECRET_ACCESS_KEY=abc/def+g", "AWS_SECRET_ACCESS_KEY=***"],
    ["Authorization: Bearer eyJhbGci.x", "Authorization: Bearer ***"],
  ])("%s", (text, masked) => expect(maskSecrets(text)).toBe(masked));

  test.each([
    'password authentication failed for user "app"',
    "connect ECONNREFUSED postgres://db:5432/shop",
    "redis://cache:6379 refused the connection of bob@example.com",
    "postgres://app@db:5432/shop",
    "s3://bucket/prefix/file.parquet at 10:30",
    "12:30 mail to bob@example.com",
  ])("leaves alone: %s", (text) => expect(maskSecrets(text)).toBe(text));

  test("no password of a URL survives, escaped or not; masking twice changes nothing", () => {
    // Signs alone could be part of the text around the password.
    const raw = fc.stringMatching(/^[!-~]{2,12}$/).map((text) => `Zq${text}9Kx`);
    const scheme = fc.constantFrom("postgres", "postgresql", "redis", "rediss");
    fc.assert(
      fc.property(scheme, raw, fc.boolean(), (name, password, escaped) => {
        const given = escaped ? encodeURIComponent(password) : password;
        const masked = maskSecrets(`error: cannot open ${name}://app:${given}@db:5432/shop, next`);
        for (const part of given.split("@")) if (part.length > 3) expect(masked).not.toContain(part);
        expect(masked).not.toMatch(/Zq|9Kx/);
        expect(maskSecrets(masked)).toBe(masked);
      }),
      { numRuns: 2000 },
    );
  });

  test("long text takes no long time", () => {
    const parts = [
      "a://b:",
      "a://",
      "password",
      "password=",
      "password='",
      "password ",
      "x",
      "@",
      "= ",
      "a://b:c@ ",
    ];
    for (const part of parts) {
      const startedAt = performance.now();
      maskSecrets(part.repeat(20_000));
      expect(performance.now() - startedAt).toBeLessThan(1000);
    }
  });

  test("names", () => {
    expect(["password", "PGPASSWORD", "secretAccessKey", "auth_token"].every(isSecretName)).toBe(true);
    expect(["host", "user", "key"].some(isSecretName)).toBe(false);
  });
});
