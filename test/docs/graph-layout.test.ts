import fc from "fast-check";
import { expect, it } from "vitest";
import { type GraphEdge, type GraphNode, layOut, NODE_HEIGHT } from "../../jobs/docs/graph-layout.ts";

const node = (id: string, least = 0): GraphNode => ({ id, least, width: 100 });

it("stands every table to the right of what it reads, and lets none cover another", () => {
  const graph = fc.integer({ min: 0, max: 14 }).chain((count) =>
    fc.record({
      nodes: fc.array(fc.integer({ min: 0, max: 3 }), { minLength: count, maxLength: count }),
      // From lower to higher numbers, so that there is no circle.
      pairs: fc.array(fc.tuple(fc.nat(13), fc.nat(13)), { maxLength: 30 }),
    }),
  );
  fc.assert(
    fc.property(graph, ({ nodes, pairs }) => {
      const tables = nodes.map((least, i) => node(`t${i}`, least));
      const edges: GraphEdge[] = pairs
        .filter(([a, b]) => a < b)
        .map(([a, b]) => ({ from: `t${a}`, to: `t${b}` }));
      const layout = layOut(tables, edges);
      const places = [...layout.nodes.values()];
      expect(places).toHaveLength(tables.length);
      for (const [i, a] of places.entries()) {
        expect(a.x >= 0 && a.y >= -1e-6 && a.x + a.width <= layout.width + 1e-6).toBe(true);
        expect(a.y + NODE_HEIGHT <= layout.height + 1e-6).toBe(true);
        for (const b of places.slice(i + 1)) {
          expect(a.x === b.x && Math.abs(a.y - b.y) < NODE_HEIGHT).toBe(false);
        }
      }
      for (const { from, to, points } of layout.edges) {
        const [start, end] = [layout.nodes.get(from), layout.nodes.get(to)];
        expect(points[0]?.x).toBe((start?.x ?? 0) + (start?.width ?? 0));
        expect(points.at(-1)?.x).toBe(end?.x);
        expect(points.every((point, i) => i === 0 || point.x >= (points[i - 1]?.x ?? 0))).toBe(true);
        expect((end?.x ?? 0) > (start?.x ?? 0)).toBe(true);
      }
    }),
  );
});

it("orders tables so that lines need not cross", () => {
  const layout = layOut(
    [node("a"), node("b"), node("x", 1), node("y", 1)],
    [
      { from: "a", to: "y" },
      { from: "b", to: "x" },
    ],
  );
  const y = (id: string) => layout.nodes.get(id)?.y ?? 0;
  expect(Math.sign(y("a") - y("b"))).toBe(Math.sign(y("y") - y("x")));
});

it("leads a line around the tables of a column that it passes", () => {
  const layout = layOut(
    [node("a"), node("b", 1), node("c", 2)],
    [
      { from: "a", to: "b" },
      { from: "b", to: "c" },
      { from: "a", to: "c" },
    ],
  );
  const passing = layout.edges.find(({ from, to }) => from === "a" && to === "c");
  const between = layout.nodes.get("b");
  const at = passing?.points.find((point) => point.x === between?.x);
  expect(at && between && (at.y < between.y || at.y > between.y + NODE_HEIGHT)).toBe(true);
});

it("leaves no room between tables that have nothing to do with each other", () => {
  const alone = ["a", "b", "c", "d"].map((id) => node(id));
  const layout = layOut([...alone, node("x"), node("y", 1)], [{ from: "x", to: "y" }]);
  expect(layout.nodes.get("x")?.y).toBe(0);
  expect(layout.height).toBe(5 * NODE_HEIGHT + 4 * 12);
});
