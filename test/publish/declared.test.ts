import { expect, it } from "vitest";
import { parseConfig } from "../../layers/definition/config.ts";
import { type PipelineDefinition, postgres } from "../../layers/definition/pipeline.ts";
import type { PublishedMetric } from "../../layers/definition/published.ts";

const parse = (publish: readonly object[], others: object = {}) => {
  const pipeline: PipelineDefinition = {
    name: "shop",
    source: postgres({ tables: {} }),
    publish: publish.map((part) => ({ model: "top", title: "Top", ...part }) as PublishedMetric),
  };
  return parseConfig({ pipelines: [pipeline], ...others }, {}, "ingot.config.ts");
};

const TARGETS = {
  warehouse: { kind: "postgres", url: "postgres://me:hidden-word@host/db" },
  partner: { kind: "webhook", url: "https://example.com/", secret: "0123456789abcdef" },
};

it("takes every form, part and target", () => {
  const forms = [
    { kind: "list" },
    { kind: "scalar", value: "v" },
    { kind: "hash" },
    { kind: "hash", field: "f", value: "v" },
    { kind: "ranking", member: "m", score: "s" },
    { kind: "series", time: "t" },
    { kind: "lookup" },
    { kind: "lookup", by: ["a", "b"] },
  ];
  const metrics = forms.map((as, i) => ({
    name: `m${i}`,
    as,
    to: ["warehouse", "partner", "files"],
    key: `shop:${i}`,
  }));
  const part = { where: { a: 1, b: { gt: 2n, in: ["x"] } }, columns: ["a"], orderBy: ["-a"], limit: 3 };
  const config = parse([...metrics, part], { targets: TARGETS });
  expect(config.pipelines[0]?.publish).toHaveLength(9);
});

it("refuses what cannot be published, and says what can", () => {
  const refused: [readonly object[], RegExp][] = [
    [[{ as: { kind: "hash", field: "f" } }], /both field and value/],
    [[{ as: { kind: "pile" } }], /./],
    [[{ key: "a{b}" }], /without spaces/],
    [[{ where: { a: {} } }], /at least one condition/],
    [[{ where: { a: { like: 1 } } }], /./],
    [[{ sql: "SELECT 1", columns: ["a"] }], /no SQL where/],
    [[{ limit: 0 }], /at least 1/],
    [[{}, {}], /top is taken/],
    [[{ key: "a" }, { name: "b", key: "a" }], /a is taken/],
    [[{ to: ["elsewhere"] }], /redis, files, warehouse, partner/],
  ];
  for (const [publish, allowed] of refused) {
    const attempt = () => parse(publish, { targets: TARGETS });
    expect(attempt).toThrow(
      expect.objectContaining({ code: "CONFIG_INVALID", allowed: expect.stringMatching(allowed) }),
    );
  }
});

it("tells no secret of a target that is not right", () => {
  const wrong = { ...TARGETS.warehouse, url: "mysql://me:hidden-word@host/db" };
  const attempt = () => parse([], { targets: { warehouse: wrong } });
  expect(attempt).toThrow(
    expect.objectContaining({ code: "CONFIG_INVALID", value: expect.stringContaining("hidden,") }),
  );
});
