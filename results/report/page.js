// The page: links to its sections, and its figures, each drawn when one comes near it.
for (const title of document.querySelectorAll("main h2")) {
  const link = document.createElement("a");
  link.href = `#${title.parentElement.id}`;
  link.textContent = title.textContent;
  document.querySelector("nav").append(link);
}

const metric = document.getElementById("metric");
const FIGURES = new Map([
  ...(metric ? [["heat", () => heat(Number(metric.value))]] : []),
  ["learning", learning],
  ...DATA.sizes.map((one, index) => [`sizes-${one.key}`, () => sizes(index)]),
  ...(DATA.importance ? [["shares", shares]] : []),
  ...(DATA.parallel ? [["lines", lines]] : []),
]);

// Millions of characters: as a script of the page they would keep the table waiting for seconds
function plotly() {
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
      "This browser has no WebGL to draw this with; the leaderboard can be filtered by the same knobs.";
    element.style.height = "auto";
    return;
  }
  if (!window.Plotly) plotly();
  const buttons = { displaylogo: false, modeBarButtonsToRemove: ["select2d", "lasso2d"] };
  Plotly.react(element, ...FIGURES.get(id)(), { responsive: true, ...buttons });
}

const redraw = () => document.querySelectorAll(".plot[data-drawn]").forEach((element) => draw(element.id));

// From a screen away. Lines between many students take seconds without a graphics card: only who looks at them waits
const near = new IntersectionObserver((seen) => {
  for (const { isIntersecting, target } of seen) if (isIntersecting) setTimeout(draw, 0, target.id);
}, { rootMargin: "100%" });
for (const id of FIGURES.keys()) near.observe(document.getElementById(id));

metric?.addEventListener("input", () => {
  draw("heat");
  document.querySelectorAll(".metric").forEach((part, index) => { part.hidden = index !== Number(metric.value); });
});

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
// paper is white
addEventListener("beforeprint", () => { ROOT.classList.add("printing"); [...FIGURES.keys()].forEach(draw); });
addEventListener("afterprint", () => {
  ROOT.classList.remove("printing");
  redraw();
  // drawn again, a figure keeps the size it had on paper
  document.querySelectorAll(".js-plotly-plot").forEach((element) => Plotly.Plots.resize(element));
});

performance.mark("usable");
