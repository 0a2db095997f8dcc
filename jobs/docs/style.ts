/** The page's style: light and dark by what the reader's system asks for, one column on a phone. */
export const STYLE = `
:root { color-scheme: light dark; --back: #fbfbfa; --card: #fff; --text: #1d1f21; --dim: #6a6f76; --line: #e2e3e1;
  --link: #0b5cad; --bronze: #a5642a; --silver: #64748b; --gold: #a67c00; --code: #f3f3f1; --mark: #fff3c4; }
@media (prefers-color-scheme: dark) { :root { --back: #131517; --card: #1b1e21; --text: #e6e7e8; --dim: #989ea6;
  --line: #2e3338; --link: #7db8f5; --bronze: #d99a62; --silver: #a3b1c6; --gold: #e3bd4a; --code: #24282c;
  --mark: #4a3f14; } }
* { box-sizing: border-box; }
html { scroll-padding-top: 4rem; }
body { margin: 0; background: var(--back); color: var(--text);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", sans-serif; }
header { position: sticky; top: 0; z-index: 1; display: flex; flex-wrap: wrap; gap: .5rem 1.25rem;
  align-items: center; padding: .6rem 1.25rem; background: var(--card); border-bottom: 1px solid var(--line); }
header h1 { margin: 0; font-size: 1.05rem; }
header .made { color: var(--dim); font-size: .8rem; }
header input { margin-left: auto; width: 16rem; max-width: 100%; padding: .35rem .6rem; font: inherit;
  font-size: .9rem; color: inherit; background: var(--back); border: 1px solid var(--line); border-radius: 6px; }
main { max-width: 84rem; margin: 0 auto; padding: 1rem 1.25rem 4rem; }
a { color: var(--link); text-decoration: none; }
a:hover { text-decoration: underline; }
h2 { margin: 2rem 0 .75rem; font-size: 1.15rem; }
h2.bronze, h3 .layer { color: var(--bronze); }
h2.silver, .card.silver h3 .layer { color: var(--silver); }
h2.gold, .card.gold h3 .layer { color: var(--gold); }
.scroll { overflow-x: auto; }
.graph { display: block; max-width: none; }
.frame { padding: .75rem; background: var(--card); border: 1px solid var(--line); border-radius: 8px; }
.legend { margin: .5rem 0 0; color: var(--dim); font-size: .85rem; }
.legend b { font-weight: 600; } .legend .bronze { color: var(--bronze); } .legend .silver { color: var(--silver); }
.legend .gold { color: var(--gold); }
.node rect { fill: var(--card); stroke: currentColor; stroke-width: 1.3; }
.node text { fill: var(--text); font: 12px ui-monospace, "SFMono-Regular", Menlo, Consolas, monospace;
  dominant-baseline: central; }
.node.bronze { color: var(--bronze); } .node.silver { color: var(--silver); } .node.gold { color: var(--gold); }
.node:focus-visible { outline: none; } .node:hover rect, .node:focus-visible rect { stroke-width: 2.5; }
.edge { fill: none; stroke: var(--dim); stroke-opacity: .5; stroke-width: 1.2; }
.graph.traced .node, .graph.traced .edge { opacity: .15; }
.graph.traced .on { opacity: 1; } .graph.traced .edge.on { stroke: var(--link); stroke-opacity: 1; stroke-width: 1.8; }
.card { margin: 0 0 1rem; padding: 1rem 1.1rem; background: var(--card); border: 1px solid var(--line);
  border-radius: 8px; }
.card:target { border-color: var(--link); }
.card h3 { margin: 0 0 .35rem; font-size: 1rem; overflow-wrap: anywhere; }
.card p { margin: .35rem 0; }
.facts { color: var(--dim); font-size: .85rem; }
.facts span + span:not(.status)::before { content: "·"; margin: 0 .45em; }
.status { color: var(--text); }
.status.failed { color: #c0392b; font-weight: 600; }
.badge { display: inline-block; padding: 0 .4em; border: 1px solid var(--line); border-radius: 4px;
  color: var(--dim); font-size: .72rem; font-weight: 400; white-space: nowrap; }
.badge.published { color: var(--link); }
table { width: 100%; border-collapse: collapse; font-size: .9rem; margin: .5rem 0; }
th, td { padding: .3rem .8rem .3rem 0; text-align: left; vertical-align: top; border-top: 1px solid var(--line); }
thead th { border-top: 0; color: var(--dim); font-weight: 400; font-size: .8rem; }
tbody th { font: 600 .85rem/1.6 ui-monospace, "SFMono-Regular", Menlo, Consolas, monospace; white-space: nowrap; }
tr:target { background: var(--mark); }
.type { font: .82rem/1.7 ui-monospace, Menlo, Consolas, monospace; color: var(--dim); white-space: nowrap; }
.null { opacity: .75; font-style: italic; }
code, pre { font: .82rem/1.5 ui-monospace, "SFMono-Regular", Menlo, Consolas, monospace; }
.check { padding: .05em .35em; background: var(--code); border-radius: 4px; overflow-wrap: anywhere; }
pre { margin: .4rem 0 0; padding: .8rem; background: var(--code); border-radius: 6px; overflow-x: auto; }
.origin { display: inline-block; margin-right: .35em; font: .82rem/1.6 ui-monospace, Menlo, Consolas, monospace;
  white-space: nowrap; }
.origin.condition { opacity: .6; font-style: italic; }
.note { color: var(--dim); font-size: .88rem; }
summary { cursor: pointer; color: var(--dim); font-size: .88rem; }
[hidden] { display: none; }
@media (max-width: 40rem) {
  header { position: static; } header input { margin-left: 0; width: 100%; } html { scroll-padding-top: .5rem; }
  main { padding: .5rem .75rem 3rem; } .card { padding: .75rem .8rem; }
  .card table, .card tbody, .card tr, .card tbody th, .card td { display: block; border: 0; padding: 0; }
  .card thead { display: none; } .card tr { padding: .45rem 0; border-top: 1px solid var(--line); }
  .card tbody th { white-space: normal; overflow-wrap: anywhere; } .origin { white-space: normal; overflow-wrap: anywhere; }
}
@media print { header { position: static; } header input { display: none; } .card { break-inside: avoid; } }
`;
