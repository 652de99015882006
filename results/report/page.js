// Links to the sections, and figures, each drawn when the reader scrolls near it.
for (const title of document.querySelectorAll("main h2")) {
  const link = document.createElement("a");
  link.href = `#${title.parentElement.id}`;
  link.textContent = title.textContent;
  document.querySelector("nav").append(link);
}

const metric = document.getElementById("metric");
const FIGURES = new Map([
  ...(metric ? [["heatmap", () => heatmap(Number(metric.value))]] : []),
  ["learning", learningCurves],
  ...DATA.pareto.map((figure, index) => [`pareto-${figure.key}`, () => paretoFront(index)]),
  ...(DATA.importance ? [["shares", importance]] : []),
  ...(DATA.points ? [["history", history], ["lines", parallelCoordinates]] : []),
  ...(DATA.points?.axes ?? []).map((_, index) => [`slice-${index}`, () => slice(index)]),
  ...(document.getElementById("surface") ? [["surface", surface]] : []),
]);

// Plotly has millions of characters: run at once, it would delay the table by seconds
function loadPlotly() {
  const script = document.createElement("script");
  script.textContent = document.getElementById("plotly").textContent;
  document.head.append(script);
}

function draw(id) {
  const element = document.getElementById(id);
  near.unobserve(element);
  element.dataset.drawn = "yes";
  if (id === "lines" && !document.createElement("canvas").getContext("webgl")) {
    element.textContent =
      "This figure needs WebGL. The leaderboard can be filtered by the same knobs.";
    element.style.height = "auto";
    return;
  }
  if (!window.Plotly) loadPlotly();
  // the camera saves a vector picture, for a paper
  const toImageButtonOptions = { format: "svg", filename: `${document.querySelector("h1").textContent} ${id}` };
  const buttons = { displaylogo: false, modeBarButtonsToRemove: ["select2d", "lasso2d"], toImageButtonOptions };
  Plotly.react(element, ...FIGURES.get(id)(), { responsive: true, ...buttons });
}

const redraw = () => document.querySelectorAll(".plot[data-drawn]").forEach((element) => draw(element.id));

// Within one screen. Parallel coordinates of many students take seconds without a graphics card
const near = new IntersectionObserver((entries) => {
  for (const { isIntersecting, target } of entries) if (isIntersecting) setTimeout(draw, 0, target.id);
}, { rootMargin: "100%" });
for (const id of FIGURES.keys()) near.observe(document.getElementById(id));

metric?.addEventListener("input", () => {
  draw("heatmap");
  document.querySelectorAll(".metric").forEach((part, index) => { part.hidden = index !== Number(metric.value); });
});

for (const id of ["across", "up"]) document.getElementById(id)?.addEventListener("input", () => draw("surface"));

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
// light colors on paper
addEventListener("beforeprint", () => { ROOT.classList.add("printing"); [...FIGURES.keys()].forEach(draw); });
addEventListener("afterprint", () => {
  ROOT.classList.remove("printing");
  redraw();
  // a redrawn figure keeps its size on paper until resized
  document.querySelectorAll(".js-plotly-plot").forEach((element) => Plotly.Plots.resize(element));
});

performance.mark("usable");
