import { mkdir, readFile, writeFile } from "node:fs/promises";
import { expect, it } from "vitest";
import { ingotCli } from "../support/cli.ts";
import { useFolder } from "../support/folder.ts";

const folder = useFolder();

/** A project of two pipelines, `mine` and `other`; nothing is loaded, so no database is asked. */
async function project(): Promise<string> {
  const root = `${folder.path}/project-${crypto.randomUUID()}`;
  for (const layer of ["silver", "gold"]) await mkdir(`${root}/${layer}`, { recursive: true });
  await writeFile(`${root}/silver/items.sql`, "SELECT id, lower(kind) AS kind FROM bronze.items WHERE ok");
  await writeFile(`${root}/gold/kinds.sql`, "SELECT kind, count(*) AS items FROM silver.items GROUP BY kind");
  await writeFile(
    `${root}/ingot.config.ts`,
    `import { defineConfig, defineTable, full, long, merge, postgres, text } from "ingot";
const items = defineTable({ name: "items", description: "items", key: ["id"], columns: { id: long(), kind: text() } });
const kinds = defineTable({ name: "kinds", description: "kinds", columns: { kind: text(), items: long() } });
const shared = { folder: new URL(".", import.meta.url), source: postgres({ tables: { items: {} } }), silver: { items: merge(items) } };
export default defineConfig({ pipelines: [
  { ...shared, name: "mine", gold: { kinds: full(kinds) } },
  { ...shared, name: "other" },
] });
`,
  );
  return root;
}

it("draws where a column comes from, and what it goes into", async () => {
  const root = await project();
  const up = await ingotCli(root, ["lineage", "gold.kinds.kind"]);
  expect(up).toMatchObject({ code: 0, stderr: "" });
  expect(up.stdout).toBe(`gold.kinds.kind
├─ silver.items.kind (as it is)
│  ├─ bronze.items.kind (changed)
│  └─ rows of silver.items
│     └─ bronze.items.ok (filters by it)
└─ rows of gold.kinds
   ├─ rows of silver.items (see above)
   └─ silver.items.kind (groups by it, see above)
`);
  const down = await ingotCli(root, ["lineage", "mine", "bronze.items.kind", "--downstream"]);
  expect(down.stdout).toBe(`bronze.items.kind
└─ silver.items.kind (changed)
   ├─ gold.kinds.kind (as it is)
   └─ rows of gold.kinds (groups by it)
`);
  const table = await ingotCli(root, ["lineage", "mine.gold.kinds", "--json"]);
  expect(JSON.parse(table.stdout)).toMatchObject({
    pipeline: "mine",
    direction: "upstream",
    columns: [
      { column: "kind" },
      { column: "items", next: [{ table: "silver.items", column: "*" }] },
      { column: "*" },
    ],
    unresolved: [],
  });
});

it("says what is wrong with a name, and what is there", async () => {
  const root = await project();
  const failed = async (...words: string[]) => {
    const { code, stdout, stderr } = await ingotCli(root, ["lineage", ...words, "--json"]);
    return { code, stdout, error: JSON.parse(stderr) };
  };
  expect(await failed("gold.kinds.nope")).toMatchObject({
    code: 1,
    stdout: "",
    error: { code: "LINEAGE_NO_COLUMN", allowed: "kind, items" },
  });
  expect(await failed("silver.nope")).toMatchObject({ code: 1, error: { code: "LINEAGE_NO_TABLE" } });
  expect(await failed("silver.items.id")).toMatchObject({
    error: { code: "LINEAGE_AMBIGUOUS", allowed: "mine, other" },
  });
  expect(await failed("kinds")).toMatchObject({ code: 1, error: { code: "USAGE" } });
  expect(await failed("nope", "silver.items")).toMatchObject({ error: { code: "PIPELINE_UNKNOWN" } });
  const help = await ingotCli(root, ["lineage", "--help"]);
  expect(help.stdout).toContain("ingot lineage gold.daily_revenue.revenue");
  expect((await ingotCli(root, ["lineage"])).code).toBe(2);
});

it("writes a page, or prints it", async () => {
  const root = await project();
  const written = await ingotCli(root, ["docs", "--out", "public/docs.html", "--json"]);
  expect(written).toMatchObject({ code: 0, stderr: "" });
  expect(JSON.parse(written.stdout)).toMatchObject({ file: `${root}/public/docs.html`, tables: 5 });
  const page = await readFile(`${root}/public/docs.html`, "utf8");
  expect(page).toContain('id="mine.gold.kinds"');
  const one = await ingotCli(root, ["docs", "other", "--out", "-"]);
  expect(one.stdout.endsWith("</html>\n")).toBe(true);
  expect(one.stdout).not.toContain("mine.gold.kinds");
  const again = await ingotCli(root, ["docs", "--out", "public/docs.html", "--json"]);
  expect(again).toMatchObject({ code: 1, stderr: expect.stringContaining("FILE_EXISTS") });
  expect(await ingotCli(root, ["docs", "--out", "public/docs.html", "--force"])).toMatchObject({ code: 0 });
  const refused = await ingotCli(root, ["docs", "--out", "silver", "--json"]);
  expect(refused).toMatchObject({ code: 1, stdout: "" });
  expect(JSON.parse(refused.stderr)).toMatchObject({ code: "DOCS_UNWRITABLE" });
});
