// Buttons of each table: copy its rows, or save them as CSV. Rows that a filter leaves out are left out here, too.
function tableRows(table) {
  const listed = table === board ? rows.filter(matches) : [...table.tBodies[0].rows];
  const texts = (row) => [...row.cells].map((cell) => cell.textContent.trim());
  return [...[...table.tHead.rows].map(texts), ...listed.map(texts)];
}

const quoted = (text) => (/[",\n]/.test(text) ? `"${text.replace(/"/g, '""')}"` : text);

function saveCsv(table) {
  const text = tableRows(table).map((row) => row.map(quoted).join(",")).join("\n");
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
  link.download = `${document.querySelector("h1").textContent} ${table.parentElement.ariaLabel || "table"}.csv`;
  link.click();
  URL.revokeObjectURL(link.href);
}

// A page opened from disk may lack the clipboard of navigator
async function copyRows(table, button) {
  const text = tableRows(table).map((row) => row.join("\t")).join("\n");
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = Object.assign(document.createElement("textarea"), { value: text });
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
  button.textContent = "Copied";
  setTimeout(() => { button.textContent = "Copy"; }, 1500);
}

function tableButton(text, act) {
  const button = Object.assign(document.createElement("button"), { type: "button", textContent: text });
  button.addEventListener("click", () => act(button));
  return button;
}

for (const table of document.querySelectorAll("main table")) {
  const bar = Object.assign(document.createElement("div"), { className: "copy" });
  bar.append(
    tableButton("Copy", (button) => copyRows(table, button)),
    tableButton("CSV", () => saveCsv(table)),
  );
  table.closest(".wide").after(bar);
}
