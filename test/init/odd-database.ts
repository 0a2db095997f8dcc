/** A database with everything that makes it hard to write a project for it. */
export const ODD_DATABASE = `
  CREATE SCHEMA sales; CREATE SCHEMA "Öde Schema"; CREATE SCHEMA extras;
  CREATE EXTENSION pg_stat_statements SCHEMA extras; CREATE EXTENSION hstore SCHEMA extras;
  CREATE TYPE mood AS ENUM ('sad', 'ok, "so"', 'happy');
  CREATE DOMAIN price AS numeric(10,2); CREATE DOMAIN list_price AS price CHECK (VALUE <> 13); CREATE DOMAIN tags AS text[];

  CREATE TABLE orders (
    id bigint PRIMARY KEY, total numeric(12,2) NOT NULL, status mood NOT NULL, note text, ratio real, small smallint NOT NULL,
    labels text[], doc jsonb, raw bytea, listed list_price, more tags, due date NOT NULL, weight numeric, wide numeric(50,3),
    opened timestamp, updated_at timestamptz NOT NULL, extra extras.hstore, doubled bigint GENERATED ALWAYS AS (id * 2) STORED NOT NULL);
  CREATE INDEX ON orders (updated_at);
  COMMENT ON TABLE orders IS E'What people "bought".\\n*/ \${not} // a comment';
  COMMENT ON COLUMN orders.note IS E'Free text,\\n\`quoted\` \\\\ and "so"';
  INSERT INTO orders (id, total, status, small, labels, raw, due, updated_at)
    SELECT g, g * 1.5, 'ok, "so"', 1, '{a,b}', '\\x00ff', '2026-01-01', now() FROM generate_series(1, 20) g;
  CREATE TABLE sales.orders (id int, line int, what varchar(20), PRIMARY KEY (line, id));
  INSERT INTO sales.orders VALUES (1, 1, 'a'), (1, 2, 'b');
  CREATE TABLE sales.unique_only (code text NOT NULL UNIQUE, n int UNIQUE, v boolean);
  INSERT INTO sales.unique_only VALUES ('x', NULL, true);
  CREATE TABLE "Orders" (id int PRIMARY KEY); INSERT INTO "Orders" VALUES (7);
  CREATE TABLE "ORDERS" (id int PRIMARY KEY);
  CREATE TABLE "Öde Schema"."a/b.c ""d""" (id int PRIMARY KEY, "select" text, "Größe ☺" int, "with ""quotes"" and '" text, "../x" int);
  INSERT INTO "Öde Schema"."a/b.c ""d""" VALUES (1, 'x', 2, 'y', 3);
  CREATE TABLE "訂單" (id int PRIMARY KEY, "名前" text NOT NULL, "new
line" int); INSERT INTO "訂單" VALUES (1, 'n', 2);
  CREATE TABLE ".." (id int PRIMARY KEY);
  CREATE TABLE "class" (id int PRIMARY KEY, "constructor" text, "__proto__" text, "2nd" int); INSERT INTO "class" VALUES (1, 'a', 'b', 2);
  CREATE TABLE "text" (id int PRIMARY KEY); CREATE TABLE "2024" (id int PRIMARY KEY); CREATE TABLE "table" ("order" int PRIMARY KEY);
  CREATE TABLE order_2 (id int PRIMARY KEY); CREATE TABLE order2 (id int PRIMARY KEY); CREATE TABLE "order__2" (id int PRIMARY KEY);
  CREATE TABLE keyless (at timestamptz, what text); INSERT INTO keyless VALUES (now(), 'x');
  CREATE TABLE partly (id int NOT NULL, n int); CREATE UNIQUE INDEX ON partly (id) WHERE n > 0; CREATE UNIQUE INDEX ON partly ((id + 1));
  CREATE TABLE by_bytes (hash bytea PRIMARY KEY, n int);
  CREATE UNLOGGED TABLE sessions (id int PRIMARY KEY);
  CREATE TABLE no_columns ();
  CREATE TABLE twice (id int PRIMARY KEY, "A" int, a int);
  CREATE TABLE own (id int PRIMARY KEY, _ingot_op text);
  CREATE TABLE late_key (id int PRIMARY KEY DEFERRABLE, n int);
  CREATE TABLE validity (id int PRIMARY KEY, until date NOT NULL, amount numeric(8,2) NOT NULL);
  INSERT INTO validity VALUES (1, 'infinity', 'NaN'), (2, '2026-01-01', 1);
  CREATE TABLE events (id bigint, day date, n int, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
  CREATE TABLE events_2026 PARTITION OF events FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
  INSERT INTO events VALUES (1, '2026-02-03', 4);
  CREATE TABLE parent (id int PRIMARY KEY); CREATE TABLE child (extra int) INHERITS (parent);
  INSERT INTO parent VALUES (1); INSERT INTO child VALUES (1, 2);
  ANALYZE`;
