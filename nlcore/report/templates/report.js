"use strict";

// A cell begins with its value: "96.34 ± 1.58", "+1.86 [-0.43, 4.15]", "<0.001", "gce".
function valueOf(row, column) {
  const text = row.cells[column].textContent.trim();
  const number = /^<?([+-]?\d[\d,]*(\.\d+)?(e[+-]?\d+)?)(?![\w.-])/i.exec(text);
  return { text, number: number ? Number(number[1].replaceAll(",", "")) : null };
}

// Numbers before text, in either direction; runs of digits in text by their size.
function compare(one, other, direction) {
  if (one.number !== null && other.number !== null) return direction * (one.number - other.number);
  if (one.number !== null) return -1;
  if (other.number !== null) return 1;
  return direction * one.text.localeCompare(other.text, "en", { numeric: true });
}

function hasNumbers(table, column) {
  return [...table.tBodies[0].rows].some((row) => row.cells[column].classList.contains("number"));
}

function sort(table, column, heading) {
  const body = table.tBodies[0];
  const rows = [...body.rows];
  const was = heading.getAttribute("aria-sort");
  const ascending = was ? was === "descending" : !hasNumbers(table, column); // the largest number first
  for (const other of table.tHead.querySelectorAll("[aria-sort]")) other.removeAttribute("aria-sort");
  heading.setAttribute("aria-sort", ascending ? "ascending" : "descending");
  const keyed = rows.map((row) => [valueOf(row, column), row]);
  keyed.sort(([one], [other]) => compare(one, other, ascending ? 1 : -1));
  body.append(...keyed.map(([, row]) => row));
}

for (const table of document.querySelectorAll(".nl-table table, table.sortable")) {
  const titles = table.tHead.rows[table.tHead.rows.length - 1].cells;
  [...titles].forEach((heading, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...heading.childNodes);
    button.addEventListener("click", () => sort(table, column, heading));
    heading.append(button);
    if (hasNumbers(table, column)) heading.classList.add("number");
  });
}

function openTarget() {
  const target = document.getElementById(location.hash.slice(1));
  if (target instanceof HTMLDetailsElement) {
    target.open = true;
    target.scrollIntoView();
  }
}
addEventListener("hashchange", openTarget);
openTarget();

const openAll = document.getElementById("open-all");
openAll.hidden = false;
openAll.addEventListener("click", () => {
  for (const one of document.querySelectorAll("details")) one.open = true;
});
