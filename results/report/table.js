// The leaderboard: sorting, filtering, and "Show all".
const board = document.getElementById("board");
const body = board.tBodies[0];
const heads = [...board.tHead.rows[0].cells];
const rows = [...body.rows];
const control = (id) => document.getElementById(id);
let showAll = false;

const key = (row, column) => row.cells[column].dataset.value;

// Numbers before words; missing values last in both directions
function compare(a, b, sign) {
  if (a === undefined || b === undefined) return (a === undefined) - (b === undefined);
  const [x, y] = [Number(a), Number(b)];
  if (Number.isNaN(x) !== Number.isNaN(y)) return Number.isNaN(x) - Number.isNaN(y);
  return sign * (Number.isNaN(x) ? a.localeCompare(b) : x - y);
}

function sort(head, column) {
  const high = "high" in head.firstElementChild.dataset;
  const before = head.getAttribute("aria-sort");
  const falling = before === "none" ? high : before === "ascending";
  const order = falling ? "descending" : "ascending";
  heads.forEach((cell) => cell.setAttribute("aria-sort", cell === head ? order : "none"));
  const sign = falling ? -1 : 1;
  rows.sort((a, b) => compare(key(a, column), key(b, column), sign));
  body.append(...rows);
  show();
}

function matches(row) {
  const [status, stage, knob] = ["status", "stage", "knob"].map((id) => control(id).value);
  if (status && !row.dataset.status.split(" ").includes(status)) return false;
  if (stage && row.dataset.stage !== stage) return false;
  return !knob || knobMatches(row.cells[knob]);
}

function knobMatches(cell) {
  if (!control("option").hidden) return !control("value").value || cell.textContent === control("value").value;
  const [from, to] = ["from", "to"].map((id) => control(id).value);
  const value = cell.dataset.value;
  if (from === "" && to === "") return true;
  if (value === undefined) return false;
  return (from === "" || Number(value) >= Number(from)) && (to === "" || Number(value) <= Number(to));
}

function show() {
  const matching = rows.filter(matches);
  const shown = new Set(showAll ? matching : matching.slice(0, Number(board.dataset.shown)));
  for (const row of rows) row.hidden = !shown.has(row);
  const more = shown.size < matching.length ? `, ${matching.length} match` : "";
  control("shown").textContent = `${shown.size} of ${rows.length} rows shown${more}`;
  control("more").hidden = shown.size === matching.length;
}

function chooseKnob() {
  const chosen = control("knob").selectedOptions[0];
  const values = JSON.parse(chosen.dataset.values ?? "[]");
  control("option").hidden = !values.length;
  control("range").hidden = Boolean(values.length) || !chosen.value;
  control("value").replaceChildren(new Option("any", ""), ...values.map((value) => new Option(value, value)));
  control("from").value = control("to").value = "";
  show();
}

heads.forEach((head, column) => head.firstElementChild.addEventListener("click", () => sort(head, column)));
control("knob").addEventListener("change", chooseKnob);
for (const id of ["status", "stage", "value", "from", "to"]) control(id).addEventListener("input", show);
control("more").addEventListener("click", () => { showAll = true; show(); });
document.querySelector("form.filters").addEventListener("submit", (event) => event.preventDefault());
show();
