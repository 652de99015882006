// One function per figure: Plotly traces and layout, made from the data of the page.
const DATA = JSON.parse(document.getElementById("data").textContent);
const ROOT = document.documentElement;

const color = (name) => getComputedStyle(ROOT).getPropertyValue(`--${name}`).trim();
// Plotly interprets some HTML tags in texts; names are shown literally
const plain = (text) => String(text).replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
const tip = (text) => plain(text).replace(/\n/g, "<br>");

const axis = (title, more = {}) => ({
  title: { text: plain(title), standoff: 8 }, gridcolor: color("line"), zeroline: false, linecolor: color("line"),
  automargin: true, ...more,
});

const layout = (more) => ({
  paper_bgcolor: color("paper"), plot_bgcolor: color("paper"), margin: { l: 60, r: 20, t: 12, b: 50 },
  font: { color: color("ink"), size: 13, family: getComputedStyle(ROOT).fontFamily },
  hoverlabel: { bgcolor: color("panel"), bordercolor: color("soft"), font: { color: color("ink") }, align: "left" },
  legend: { orientation: "h", y: -0.2, x: 0 }, hovermode: "closest", dragmode: false, ...more,
  // fits A4 and letter paper between the margins
  ...(ROOT.classList.contains("printing") ? { width: 680, height: 320 } : {}),
});

// Blue is better, in every figure: from the gray of the paper to a blue of high contrast with it
const scale = () => color("scale").split(" ");
const colorscale = () => scale().map((shade, index, all) => [index / (all.length - 1), shade]);
const colorbar = (title) => ({ thickness: 14, outlinewidth: 0, title: { text: plain(title), side: "right" } });
const channels = (hex) => [1, 3, 5].map((start) => parseInt(hex.slice(start, start + 2), 16) / 255);

// Black or white, by the higher contrast with the color of a value (WCAG 2.2, relative luminance)
function textColor(value, values) {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const place = (high > low ? (value - low) / (high - low) : 0.5) * (scale().length - 1);
  const [below, above] = [Math.floor(place), Math.ceil(place)].map((index) => channels(scale()[index]));
  const mixed = below.map((part, index) => part + (place % 1) * (above[index] - part));
  const linear = mixed.map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
  const luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
  return (luminance + 0.05) ** 2 > 0.05 * 1.05 ? "#000000" : "#ffffff";
}

function heatmap(index) {
  const data = DATA.heatmaps[index];
  const outline = data.best.map(([row, column]) => ({
    type: "rect", x0: column - 0.49, x1: column + 0.49, y0: row - 0.48, y1: row + 0.48,
    line: { color: color("mark"), width: 4 },
  }));
  // Cells without a finished student: diagonal lines, as shapes have no pattern
  const HATCH = [[-0.5, 0, 0, -0.5], [-0.5, 0.5, 0.5, -0.5], [0, 0.5, 0.5, 0]];
  const hatches = data.hatched.flatMap(([row, column]) => HATCH.map(([x0, y0, x1, y1]) => ({
    type: "line", layer: "below", x0: column + x0, y0: row + y0, x1: column + x1, y1: row + y1,
    line: { color: color("line"), width: 2 },
  })));
  const labels = (texts) => ({
    tickvals: texts.map((_, index) => index), ticktext: texts.map(plain), type: "linear", showgrid: false,
  });
  const numbers = data.percent.flat().filter((value) => value !== null);
  // the labels of the rows and the color bar take about 180 pixels
  const narrow = document.getElementById("heatmap").clientWidth - 180 < 70 * data.column_labels.length;
  const trace = {
    type: "heatmap", z: data.percent, colorscale: colorscale(), xgap: 2, ygap: 2, hoverongaps: true,
    hovertext: data.tips.map((row) => row.map(tip)), hovertemplate: "%{hovertext}<extra></extra>",
    colorbar: colorbar(data.name), showscale: !narrow,
  };
  const texts = data.texts.flatMap((row, y) => row.map((text, x) => ({
    x, y, text: tip(text.replace(" ± ", "\n± ").replace(" (", "\n(")), showarrow: false,
    font: {
      size: narrow ? 9 : 13,
      color: data.percent[y][x] === null ? color("ink") : textColor(data.percent[y][x], numbers),
    },
  })));
  const rows = axis(data.rows, { ...labels(data.row_labels), autorange: "reversed" });
  const columns = axis(data.columns, labels(data.column_labels));
  return [[trace], layout({ shapes: [...hatches, ...outline], annotations: texts, xaxis: columns, yaxis: rows })];
}

const STYLES = {
  stopped: { dash: "dot", opacity: 0.35, width: 1 }, running: { dash: "solid", opacity: 0.8, width: 1.5 },
  finished: { dash: "solid", opacity: 0.45, width: 1 }, baseline: { dash: "dash", opacity: 0.9, width: 2 },
  chosen: { dash: "solid", opacity: 1, width: 2.5 },
};

// One trace per group, with gaps between students: a thousand traces would be slow
function group(name, curves) {
  const joined = { x: [], y: [], text: [] };
  for (const curve of curves) {
    joined.x.push(...curve.epochs, null);
    joined.y.push(...curve.percent, null);
    joined.text.push(...Array(curve.epochs.length + 1).fill(plain(curve.label)));
  }
  const { dash, opacity, width } = STYLES[name];
  return {
    type: "scatter", mode: curves.some((curve) => curve.epochs.length < 2) ? "lines+markers" : "lines", ...joined,
    name: `${name} (${curves.length})`, opacity, connectgaps: false, marker: { size: 4 },
    line: { color: color(name), dash, width }, hovertemplate: "%{text}<br>epoch %{x}: %{y:.2f} %<extra></extra>",
  };
}

function learningCurves() {
  const { curves, teachers, low, high } = DATA.learning_curves;
  const traces = Object.keys(STYLES).map((name) => [name, curves.filter((curve) => curve.group === name)])
    .filter(([, members]) => members.length).map(([name, members]) => group(name, members));
  const last = Math.max(1, ...curves.map((curve) => Math.max(0, ...curve.epochs)));
  teachers.forEach((score, index) => traces.push({
    type: "scatter", mode: "lines", x: [1, last], y: [score, score], name: `teacher (${score.toFixed(2)} %)`,
    legendgroup: "teacher", showlegend: index === 0, line: { color: color("teacher"), dash: "longdash", width: 1.5 },
    hovertemplate: "teacher, final: %{y:.2f} %<extra></extra>",
  }));
  const integers = last <= 15 ? { dtick: 1 } : { tickformat: "d" };
  const yaxis = axis("validation accuracy (%)", { range: [low, high] });
  return [traces, layout({ xaxis: axis("epoch", integers), yaxis })];
}

const SYMBOLS = { explore: "circle", confirm: "diamond", baseline: "square", teacher: "star", chosen: "circle" };
const SMALL = { size: 7, opacity: 0.7 };

function paretoFront(index) {
  const { name, points } = DATA.pareto[index];
  const traces = ["explore", "confirm", "baseline", "teacher", "chosen"].map((stage) => {
    const members = points.filter((point) => point.group === stage);
    const shade = { explore: "finished", confirm: "running" }[stage] ?? stage;
    return {
      type: "scatter", mode: "markers", name: stage,
      x: members.map((point) => point.cost), y: members.map((point) => point.percent),
      text: members.map((point) => tip(point.tip)), hovertemplate: "%{text}<extra></extra>",
      marker: { color: color(shade), symbol: SYMBOLS[stage], ...(stage === "explore" ? SMALL : { size: 11 }) },
    };
  }).filter((trace) => trace.x.length);
  const front = points.filter((point) => point.front).sort((a, b) => a.cost - b.cost);
  if (front.length > 1) traces.unshift({
    type: "scatter", mode: "lines", name: "Pareto front",
    x: front.map((point) => point.cost), y: front.map((point) => point.percent),
    line: { shape: "hv", color: color("chosen"), dash: "dot" }, hoverinfo: "skip",
  });
  const costs = points.map((point) => point.cost);
  const span = Math.max(...costs) / Math.min(...costs);
  const wide = span > 30 ? { type: "log", dtick: span > 300 ? 1 : "D2" } : { nticks: 5, rangemode: "tozero" };
  const thousands = Math.max(...costs) >= 1000 ? { tickformat: "~s" } : {};  // 500k, but not 500m for half a millisecond
  return [traces, layout({ xaxis: axis(name, { ...wide, ...thousands }), yaxis: axis("validation accuracy (%)") })];
}

function importance() {
  const shares = [...DATA.importance.shares].reverse();
  document.getElementById("shares").style.height = `${7 + 2.5 * shares.length}rem`;
  const trace = {
    type: "bar", orientation: "h", x: shares.map((share) => share.mean), y: shares.map((share) => plain(share.knob)),
    error_x: {
      type: "data", symmetric: false, array: shares.map((share) => share.high - share.mean),
      arrayminus: shares.map((share) => share.mean - share.low), color: color("ink"),
    },
    marker: { color: color("chosen") },
    text: shares.map((share) => `${share.low.toFixed(0)} to ${share.high.toFixed(0)} %`),
    hovertemplate: "%{y}: %{x:.1f} % (%{text})<extra></extra>", textposition: "none",
  };
  const xaxis = axis("share of the variance (%)", { rangemode: "tozero" });
  return [[trace], layout({ xaxis, yaxis: axis("", { type: "category" }) })];
}
