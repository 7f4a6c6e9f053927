"use strict";

// What was decided: kept in the browser under the audit's id, saved and loaded as decisions.csv. Answers of the review are
// kept apart, as they are given without what was found; an image that is decided on elsewhere, too, is as decided there.

const data = JSON.parse(document.getElementById("data").textContent);
const DECISIONS = ["keep", "relabel", "drop", "unsure"];
const COLUMNS = ["audit", "id", "decision", "label"];
const REVIEW = "review"; // a further column, of the answers

const decisions = new Map(); // id -> { decision, label }
const answers = new Map(); // of the review, likewise
const PREFIXES = new Map([
  [decisions, `nlcore audit ${JSON.stringify(data.audit)} `], // a key for each id: other files' decisions stay as they are
  [answers, `nlcore review ${JSON.stringify(data.audit)} `],
]);
const undone = []; // what was before: [book, id, { decision, label } or undefined]
const watchers = []; // told of the id that changed, or of undefined where many have

const madeOf = (id) => decisions.get(id) ?? answers.get(id);
const decided = () => [...new Set([...decisions.keys(), ...answers.keys()])];

function keep(book, id, made) {
  try {
    if (made) localStorage.setItem(PREFIXES.get(book) + id, JSON.stringify([made.decision, made.label]));
    else localStorage.removeItem(PREFIXES.get(book) + id);
  } catch {
    say("This browser keeps no progress: save decisions.csv before you close the page.", true);
  }
}

function change(book, id, made) {
  if (made) book.set(id, made);
  else book.delete(id);
  keep(book, id, made);
}

function decide(book, id, decision, label = "") {
  undone.push([book, id, book.get(id)]);
  change(book, id, decision ? { decision, label } : undefined);
  tell(id);
}

// Takes the last decision back and returns its id.
function undo() {
  if (!undone.length) return undefined;
  const [book, id, before] = undone.pop();
  change(book, id, before);
  tell(id);
  return id;
}

function tell(id) {
  for (const watcher of watchers) watcher(id);
}

// Takes over what is kept under a key and returns the id; undefined where it is another audit's.
function take(key, value) {
  const [book, prefix] = [...PREFIXES].find(([, one]) => key.startsWith(one)) ?? [];
  if (!book) return undefined;
  const id = key.slice(prefix.length);
  try {
    const [decision, label] = value === null ? [] : JSON.parse(value);
    if (DECISIONS.includes(decision)) book.set(id, { decision, label });
    else book.delete(id);
  } catch {
    book.delete(id);
  }
  return id;
}

function readKept() {
  try {
    for (let place = 0; place < localStorage.length; place++) {
      const key = localStorage.key(place);
      take(key, localStorage.getItem(key));
    }
  } catch {
    // a browser that keeps nothing says so at the first decision
  }
}

addEventListener("storage", (event) => {
  const id = event.key === null ? undefined : take(event.key, event.newValue);
  if (id !== undefined) tell(id);
});

function quote(field) {
  return /[",;\t\r\n]|^\s|\s$/.test(field) ? `"${field.replaceAll('"', '""')}"` : field;
}

function inOne(made) {
  if (!made) return "";
  return made.label ? `${made.decision} ${made.label}` : made.decision;
}

function toCsv() {
  const more = (field) => (answers.size ? [field] : []);
  const rows = decided().map((id) => [data.audit, id, madeOf(id).decision, madeOf(id).label, ...more(inOne(answers.get(id)))]);
  return [[...COLUMNS, ...more(REVIEW)], ...rows].map((row) => `${row.map(quote).join(",")}\n`).join("");
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
  const placeOf = (name) => titles.findIndex((title) => title.trim().toLowerCase() === name);
  const places = COLUMNS.map(placeOf);
  if (places.includes(-1)) throw new Error(`the first line must name the columns ${COLUMNS.join(", ")}`);
  const found = new Map();
  const reviewed = new Map();
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
    const [answer, ...words] = (row[placeOf(REVIEW)] ?? "").split(" ");
    if (DECISIONS.includes(answer)) reviewed.set(id, { decision: answer, label: words.join(" ") });
  });
  for (const [id, made] of found) {
    const answer = reviewed.get(id);
    if (answer) change(answers, id, answer);
    if (answer?.decision !== made.decision || answer.label !== made.label) change(decisions, id, made);
  }
  undone.length = 0;
  tell(undefined);
  return found.size;
}

function counted(number, what) {
  return `${number.toLocaleString("en")} ${what}${number === 1 ? "" : "s"}`;
}

function say(text, wrong = false) {
  const line = document.getElementById("said");
  line.textContent = text;
  line.classList.toggle("wrong", wrong);
}
