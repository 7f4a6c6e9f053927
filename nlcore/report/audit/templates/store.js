"use strict";

// What was decided: kept in the browser under the audit's id, saved and loaded as decisions.csv.

const data = JSON.parse(document.getElementById("data").textContent);
const DECISIONS = ["keep", "relabel", "drop", "unsure"];
const COLUMNS = ["audit", "id", "decision", "label"];
const PREFIX = `nlcore audit ${JSON.stringify(data.audit)} `; // a key for each id: other files' decisions stay as they are

const decisions = new Map(); // id -> { decision, label }
const undone = []; // what was before: [id, { decision, label } or undefined]
const watchers = []; // told of the id that changed, or of undefined where many have

function keep(id, made) {
  try {
    if (made) localStorage.setItem(PREFIX + id, JSON.stringify([made.decision, made.label]));
    else localStorage.removeItem(PREFIX + id);
  } catch {
    say("This browser keeps no progress: save decisions.csv before you close the page.", true);
  }
}

function change(id, made) {
  if (made) decisions.set(id, made);
  else decisions.delete(id);
  keep(id, made);
}

function decide(id, decision, label = "") {
  undone.push([id, decisions.get(id)]);
  change(id, decision ? { decision, label } : undefined);
  tell(id);
}

// Takes the last decision back and returns its id.
function undo() {
  if (!undone.length) return undefined;
  const [id, before] = undone.pop();
  change(id, before);
  tell(id);
  return id;
}

function tell(id) {
  for (const watcher of watchers) watcher(id);
}

function take(key, value) {
  const id = key.slice(PREFIX.length);
  try {
    const [decision, label] = value === null ? [] : JSON.parse(value);
    if (DECISIONS.includes(decision)) decisions.set(id, { decision, label });
    else decisions.delete(id);
  } catch {
    decisions.delete(id);
  }
  return id;
}

function readKept() {
  try {
    for (let place = 0; place < localStorage.length; place++) {
      const key = localStorage.key(place);
      if (key.startsWith(PREFIX)) take(key, localStorage.getItem(key));
    }
  } catch {
    // a browser that keeps nothing says so at the first decision
  }
}

addEventListener("storage", (event) => {
  if (event.key?.startsWith(PREFIX)) tell(take(event.key, event.newValue));
});

function quote(field) {
  return /[",;\t\r\n]|^\s|\s$/.test(field) ? `"${field.replaceAll('"', '""')}"` : field;
}

function toCsv() {
  const rows = [...decisions].map(([id, made]) => [data.audit, id, made.decision, made.label]);
  return [COLUMNS, ...rows].map((row) => `${row.map(quote).join(",")}\n`).join("");
}

// Returns the rows of a table: fields apart by what the first line has most of, in double quotes where need be.
function parseCsv(text) {
  const first = text.split(/[\r\n]/, 1)[0];
  const counts = [",", ";", "\t"].map((one) => [first.split(one).length, one]);
  const separator = counts.reduce((best, one) => (one[0] > best[0] ? one : best))[1];
  const rows = [];
  let row = [];
  let field = "";
  let quoted = false;
  for (let place = 0; place < text.length; place++) {
    const letter = text[place];
    if (quoted) {
      if (letter !== '"') field += letter;
      else if (text[place + 1] === '"') field += text[++place];
      else quoted = false;
    } else if (letter === '"' && field === "") {
      quoted = true;
    } else if (letter === separator) {
      row.push(field);
      field = "";
    } else if (letter === "\n" || letter === "\r") {
      if (letter === "\r" && text[place + 1] === "\n") place++;
      rows.push([...row, field]);
      row = [];
      field = "";
    } else field += letter;
  }
  if (quoted) throw new Error("a double quote is not closed");
  if (field || row.length) rows.push([...row, field]);
  return rows.filter((one) => one.some((value) => value.trim()));
}

// Takes over the decisions in a file, all or, where one is wrong, none; returns how many.
function fromCsv(text) {
  const [titles = [], ...rows] = parseCsv(text.replace(/^\uFEFF/, ""));
  const places = COLUMNS.map((name) => titles.findIndex((title) => title.trim().toLowerCase() === name));
  if (places.includes(-1)) throw new Error(`the first line must name the columns ${COLUMNS.join(", ")}`);
  const found = new Map();
  rows.forEach((row, number) => {
    const where = `row ${number + 2}`;
    const [audit, id, decision, label] = places.map((place) => row[place] ?? "");
    if (audit !== data.audit) throw new Error(`${where} is of another audit, “${audit}”`);
    if (!DECISIONS.includes(decision)) throw new Error(`${where}: “${decision}” is none of ${DECISIONS.join(", ")}`);
    if (decision === "relabel" && !data.classes.includes(label)) throw new Error(`${where}: there is no class “${label}”`);
    if (decision !== "relabel" && label) throw new Error(`${where}: ${decision} takes no label`);
    const before = found.get(id);
    if (before && (before.decision !== decision || before.label !== label)) {
      throw new Error(`${where}: “${id}” was decided otherwise before`);
    }
    found.set(id, { decision, label });
  });
  for (const [id, made] of found) change(id, made);
  undone.length = 0;
  tell(undefined);
  return found.size;
}

function say(text, wrong = false) {
  const line = document.getElementById("said");
  line.textContent = text;
  line.classList.toggle("wrong", wrong);
}
