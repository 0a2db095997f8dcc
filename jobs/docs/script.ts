/** What the page can do beyond being read: search, follow a table through the drawing, say how long ago. */
export const SCRIPT = `
"use strict";
const search = document.querySelector("input[type=search]");
search.hidden = false;
search.addEventListener("input", () => {
  const words = search.value.toLowerCase().split(/\\s+/).filter(Boolean);
  for (const card of document.querySelectorAll(".card"))
    card.hidden = !words.every((word) => card.dataset.search.includes(word));
  for (const section of document.querySelectorAll("section.layer"))
    section.hidden = !section.querySelector(".card:not([hidden])");
});
for (const graph of document.querySelectorAll(".graph")) {
  const edges = [...graph.querySelectorAll(".edge")];
  const reach = (id, near, far, found) => {
    if (found.has(id)) return found;
    found.add(id);
    for (const edge of edges) if (edge.dataset[near] === id) reach(edge.dataset[far], near, far, found);
    return found;
  };
  const show = (id) => {
    const [up, down] = [reach(id, "to", "from", new Set()), reach(id, "from", "to", new Set())];
    graph.classList.add("traced");
    for (const node of graph.querySelectorAll(".node"))
      node.classList.toggle("on", up.has(node.dataset.id) || down.has(node.dataset.id));
    for (const edge of edges)
      edge.classList.toggle("on", [up, down].some((set) => set.has(edge.dataset.from) && set.has(edge.dataset.to)));
  };
  for (const node of graph.querySelectorAll(".node")) {
    for (const event of ["pointerenter", "focus"]) node.addEventListener(event, () => show(node.dataset.id));
    for (const event of ["pointerleave", "blur"]) node.addEventListener(event, () => graph.classList.remove("traced"));
  }
}
const units = [["day", 86400], ["hour", 3600], ["minute", 60]];
for (const time of document.querySelectorAll("time[datetime]")) {
  const seconds = (Date.now() - Date.parse(time.dateTime)) / 1000;
  const [unit, size] = units.find(([, size]) => seconds >= size) ?? ["minute", 60];
  if (Number.isFinite(seconds))
    time.title = new Intl.RelativeTimeFormat("en").format(-Math.max(0, Math.round(seconds / size)), unit);
}
`;
