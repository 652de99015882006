// The page: links to its sections, and its figures drawn one after another so that it can be used meanwhile.
for (const title of document.querySelectorAll("main h2")) {
  const link = document.createElement("a");
  link.href = `#${title.parentElement.id}`;
  link.textContent = title.textContent;
  document.querySelector("nav").append(link);
}

const metric = document.getElementById("metric");
const FIGURES = [
  ...(metric ? [["heat", () => heat(Number(metric.value))]] : []),
  ["learning", learning],
  ...DATA.sizes.map((one, index) => [`sizes-${one.key}`, () => sizes(index)]),
  ...(DATA.importance ? [["shares", shares]] : []),
  ...(DATA.parallel ? [["lines", lines]] : []),  // last: without a graphics card it takes seconds
];

function draw([id, make]) {
  const element = document.getElementById(id);
  if (id === "lines" && !document.createElement("canvas").getContext("webgl")) {
    element.textContent =
      "This browser has no WebGL to draw this with; the leaderboard can be filtered by the same knobs.";
    element.style.height = "auto";
    return;
  }
  const buttons = { displaylogo: false, modeBarButtonsToRemove: ["select2d", "lasso2d"] };
  Plotly.react(element, ...make(), { responsive: true, ...buttons });
}

metric?.addEventListener("input", () => {
  draw(FIGURES[0]);
  document.querySelectorAll(".metric").forEach((part, index) => { part.hidden = index !== Number(metric.value); });
});

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => FIGURES.forEach(draw));
// paper is white
addEventListener("beforeprint", () => { ROOT.classList.add("printing"); FIGURES.forEach(draw); });
addEventListener("afterprint", () => {
  ROOT.classList.remove("printing");
  FIGURES.forEach(draw);
  // drawn again, a figure keeps the size it had on paper
  document.querySelectorAll(".js-plotly-plot").forEach((element) => Plotly.Plots.resize(element));
});

performance.mark("usable");
for (const figure of FIGURES) {
  await new Promise((later) => setTimeout(later));
  draw(figure);
}
performance.mark("drawn");
ROOT.dataset.drawn = "yes";
