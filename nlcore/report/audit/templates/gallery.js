// The grid of suspicious images: tiles, filters, progress. A picture is made when its tile comes near the window.

const grid = document.getElementById("grid");
const tiles = new Map(); // id -> { sample, tile, img, mark }
const waiting = new Map(); // img -> sample, whose picture has not been read from the file yet
let shown = []; // the samples that the filters let through
let current = 0; // which of them the keys act on

const shows = new IntersectionObserver(
  (entries) => {
    for (const entry of entries.filter((one) => one.isIntersecting)) {
      shows.unobserve(entry.target);
      const { sample, img } = tiles.get(entry.target.sampleId);
      showPicture(img, sample);
    }
  },
  { rootMargin: "600px 0px" },
);

// Puts a sample's picture into an img; where the file is still being read, as soon as it is there.
function showPicture(img, sample) {
  waiting.delete(img);
  img.hidden = sample.picture === null;
  if (sample.picture === null) return;
  const text = document.getElementById(`picture-${sample.picture}`);
  if (text?.nextElementSibling) img.src = `data:${text.dataset.type};base64,${text.textContent}`;
  else if (document.readyState === "loading") waiting.set(img, sample);
}

function showWaiting() {
  for (const [img, sample] of [...waiting]) showPicture(img, sample);
  if (document.readyState === "loading") setTimeout(showWaiting, 50);
}

function element(name, className, text = "") {
  const made = document.createElement(name);
  made.className = className;
  made.textContent = text;
  return made;
}

function makeTile(sample) {
  const tile = element("button", "tile");
  tile.type = "button";
  tile.tabIndex = -1;
  tile.sampleId = sample.id;
  const frame = element("span", "frame");
  const img = element("img", "");
  img.alt = "";
  const mark = element("span", "mark");
  mark.dir = "auto";
  frame.append(img, mark);
  const about = element("span", "about");
  const [was, to] = [element("span", "was"), element("span", "to", "→ ")];
  was.append(element("bdi", "", data.classes[sample.given]));
  to.append(element("bdi", "", data.classes[sample.suggested]));
  about.append(was, to, element("span", "p", wrongInWords(sample)));
  tile.append(frame, about);
  tile.title = sample.id;
  tiles.set(sample.id, { sample, tile, img, mark });
  return tile;
}

// Returns how likely the label is wrong; nothing where nobody can say.
function wrongInWords(sample) {
  return data.number ? `wrong: ${Math.round(100 * sample.wrong)} %` : "";
}

function inWords(made) {
  if (!made) return "";
  return made.decision === "relabel" ? `→ ${made.label}` : made.decision;
}

function mark(id) {
  const entry = tiles.get(id);
  if (!entry) return;
  const { sample, tile, mark: badge } = entry;
  const made = madeOf(id);
  if (made) tile.dataset.decision = made.decision;
  else delete tile.dataset.decision;
  badge.hidden = !made;
  badge.textContent = inWords(made);
  const names = `${data.classes[sample.given]}, suggested ${data.classes[sample.suggested]}`;
  const said = [names, wrongInWords(sample), made ? `${made.decision} ${made.label}` : "open"];
  tile.ariaLabel = said.filter((one) => one).join(", ");
}

function fill(select, all, options) {
  select.replaceChildren(new Option(all, ""), ...options.map(([value, text]) => new Option(text, value)));
}

function countsOf(values) {
  const counts = new Map();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return [...counts].sort((one, other) => other[1] - one[1]);
}

const pairOf = (sample) => `${sample.given},${sample.suggested}`;
const [byPair, byReason, byDecision] = ["by-pair", "by-reason", "by-decision"].map((id) => document.getElementById(id));

function makeFilters() {
  const names = (pair) => pair.split(",").map((one) => data.classes[one]).join(" → ");
  fill(byPair, "all", countsOf(data.samples.map(pairOf)).map(([pair, count]) => [pair, `${names(pair)} (${count})`]));
  const reasons = countsOf(data.samples.flatMap((sample) => sample.reasons));
  fill(byReason, "all", reasons.map(([reason, count]) => [reason, `${reason} (${count})`]));
  fill(byDecision, "all", ["open", ...DECISIONS].map((one) => [one, one]));
  for (const select of [byPair, byReason, byDecision]) select.addEventListener("change", filter);
  for (const button of document.querySelectorAll("[data-pair]")) {
    button.addEventListener("click", () => filterPair(button.dataset.pair));
  }
}

function filterPair(pair) {
  if (![...byPair.options].some((option) => option.value === pair)) {
    byPair.add(new Option(pair.split(",").map((one) => data.classes[one]).join(" → "), pair));
  }
  [byPair.value, byReason.value, byDecision.value] = [pair, "", ""];
  filter();
  document.getElementById("images").scrollIntoView();
}

function filter() {
  const [pair, reason, decision] = [byPair.value, byReason.value, byDecision.value];
  shown = data.samples.filter(
    (sample) =>
      (!pair || pairOf(sample) === pair) &&
      (!reason || sample.reasons.includes(reason)) &&
      (!decision || (madeOf(sample.id)?.decision ?? "open") === decision),
  );
  const visible = new Set(shown);
  for (const { sample, tile } of tiles.values()) tile.hidden = !visible.has(sample);
  setCurrent(0);
  count();
}

function setCurrent(place, focus = false) {
  const old = tiles.get(shown[current]?.id);
  current = Math.max(0, Math.min(place, shown.length - 1));
  for (const tile of grid.querySelectorAll('[tabindex="0"]')) tile.tabIndex = -1;
  if (old) old.tile.tabIndex = -1;
  const entry = tiles.get(shown[current]?.id);
  if (!entry) return;
  entry.tile.tabIndex = 0;
  if (focus) entry.tile.focus();
}

function count() {
  const done = data.samples.filter((sample) => madeOf(sample.id)).length;
  const bar = document.getElementById("progress");
  bar.max = Math.max(1, data.samples.length);
  bar.value = done;
  const number = (value) => value.toLocaleString("en");
  document.getElementById("decided").textContent =
    `${number(done)} of ${number(data.samples.length)} decided, ${number(shown.length)} shown`;
  document.getElementById("undo").disabled = !undone.length;
}

// How many tiles are in a row, for the keys up and down.
function perRow() {
  return getComputedStyle(grid).gridTemplateColumns.split(" ").length;
}
