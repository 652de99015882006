// Figures over the knobs, all of the same students: history, slices, contour and parallel coordinates.
const ACCURACY = "validation accuracy (%)";
const POINT_STYLES = { finished: { symbol: "circle", opacity: 0.75 }, stopped: { symbol: "x", opacity: 0.45 } };
const CELLS = 24; // of a contour, along each side

const ticks = (knob) => (knob.labels.length ? { tickvals: knob.ticks, ticktext: knob.labels.map(plain) } : {});

// Students of one status, as a trace; x are their places
function studentTrace(status, x) {
  const { percent, statuses, labels } = DATA.points;
  const members = statuses.flatMap((value, index) => (value === status ? [index] : []));
  const { symbol, opacity } = POINT_STYLES[status];
  return {
    type: "scatter", mode: "markers", name: `${status} (${members.length})`,
    x: members.map((index) => x[index]), y: members.map((index) => percent[index]),
    text: members.map((index) => plain(labels[index])), hovertemplate: "%{text}<br>%{y:.2f} %<extra></extra>",
    marker: { color: color(status === "finished" ? "chosen" : "stopped"), size: 6, symbol, opacity },
  };
}

const studentTraces = (x) => Object.keys(POINT_STYLES).map((status) => studentTrace(status, x))
  .filter((trace) => trace.x.length);

function history() {
  const { order, best, baseline } = DATA.points;
  const traces = studentTraces(order);
  traces.push({
    type: "scatter", mode: "lines", name: "best so far", x: order, y: best,
    line: { shape: "hv", color: color("ink"), width: 2 }, hovertemplate: "best so far: %{y:.2f} %<extra></extra>",
  });
  if (baseline !== null) traces.push({
    type: "scatter", mode: "lines", name: `baseline (${baseline.toFixed(2)} %)`, x: [order[0], order.at(-1)],
    y: [baseline, baseline], line: { color: color("baseline"), dash: "dash", width: 2 }, hoverinfo: "skip",
  });
  return [traces, layout({ xaxis: axis("students, in the order of their ends", { tickformat: "d" }), yaxis: axis(ACCURACY) })];
}

// Students of one option are spread a little, so that they do not hide each other
const spread = (knob) => knob.positions.map((place, index) => (
  knob.is_choice ? place + 0.3 * (((index * 0.618034) % 1) - 0.5) : place));

function slice(index) {
  const knob = DATA.points.axes[index];
  const traces = studentTraces(spread(knob));
  const margin = { l: 50, r: 10, t: 8, b: 40 };
  return [traces, layout({ showlegend: false, margin, xaxis: axis(knob.name, ticks(knob)), yaxis: axis("validation %") })];
}

// Places of a contour along one knob: its options, or even steps
function places(knob) {
  if (knob.is_choice) return knob.ticks;
  const [low, high] = [Math.min(...knob.positions), Math.max(...knob.positions)];
  return Array.from({ length: CELLS }, (_, index) => low + ((high - low) * index) / (CELLS - 1));
}

// Weight of a student at a place: options do not mix, numbers within about a tenth of the range do
function weight(knob, place, position, range) {
  if (knob.is_choice) return Number(place === position);
  return Math.exp(-0.5 * ((place - position) / (0.06 * range)) ** 2);
}

function surface() {
  const [across, up] = ["across", "up"].map((id) => DATA.points.axes[Number(document.getElementById(id).value)]);
  const { percent } = DATA.points;
  const weights = [across, up].map((knob) => {
    const range = Math.max(...knob.positions) - Math.min(...knob.positions) || 1;
    return places(knob).map((place) => knob.positions.map((position) => weight(knob, place, position, range)));
  });
  const mean = (a, b) => {
    let [sum, total] = [0, 0];
    for (let index = 0; index < percent.length; index += 1) {
      const share = a[index] * b[index];
      sum += share * percent[index];
      total += share;
    }
    return total > 0.3 ? sum / total : null;
  };
  const z = weights[1].map((b) => weights[0].map((a) => mean(a, b)));
  const flat = across.is_choice || up.is_choice;
  const trace = {
    type: flat ? "heatmap" : "contour", x: places(across), y: places(up), z, colorscale: colorscale(),
    colorbar: colorbar(ACCURACY), ...(flat ? { xgap: 1, ygap: 1 } : { contours: { coloring: "heatmap" }, line: { width: 0.5 } }),
    hovertemplate: "%{z:.2f} %<extra>mean near this place</extra>",
  };
  const students = {
    type: "scatter", mode: "markers", x: spread(across), y: spread(up), showlegend: false,
    text: percent.map((value, index) => `${plain(DATA.points.labels[index])}<br>${value.toFixed(2)} %`),
    hovertemplate: "%{text}<extra></extra>", marker: { color: color("ink"), size: 3, opacity: 0.35 },
  };
  return [[trace, students], layout({ xaxis: axis(across.name, ticks(across)), yaxis: axis(up.name, ticks(up)) })];
}

function parallelCoordinates() {
  const { axes, percent } = DATA.points;
  const accuracies = { label: "validation %", values: percent };
  const dimensions = axes.map((knob) => ({ label: plain(knob.name), values: knob.positions, ...ticks(knob) }));
  const line = { color: percent, colorscale: colorscale(), showscale: true, colorbar: colorbar("validation %") };
  const unselected = { line: { color: color("soft"), opacity: 0.08 } };
  const trace = { type: "parcoords", dimensions: [...dimensions, accuracies], line, unselected };
  return [[trace], layout({ margin: { l: 70, r: 30, t: 50, b: 30 } })];
}
