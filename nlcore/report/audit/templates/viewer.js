// One image, enlarged, with what can be decided on it; and the keys, which act here as in the grid.

const byId = (id) => document.getElementById(id);
const viewer = byId("viewer");
const choose = byId("choose");
const help = byId("help");
let viewed = []; // the samples that are gone through
let at = 0;
let blind = false; // in a review nothing of what was found is shown

const inView = () => (viewer.open ? viewed[at] : shown[current]);
const madeHere = (id) => (blind ? answers.get(id) : madeOf(id));

// The classes that keys 1 to 9 relabel to, the suggested first; in a review in the order of the classes, which tells nothing.
function offers(sample) {
  const suggested = sample.top.find(([one]) => one === sample.suggested) ?? [sample.suggested, undefined];
  const others = sample.top.filter(([one]) => one !== sample.suggested);
  const offered = [suggested, ...others].filter(([one]) => one !== sample.given).slice(0, 9);
  return blind ? offered.sort((one, other) => one[0] - other[0]) : offered;
}

function openViewer(samples, place, review = false) {
  if (!samples.length) return;
  [viewed, at, blind] = [samples, place, review];
  if (!viewer.open) viewer.showModal();
  viewer.focus();
  showSample();
}

function choice(key, name, decision, label, probability) {
  const button = element("button", "");
  button.type = "button";
  button.dataset.decision = decision;
  button.append(element("kbd", "", key), element("bdi", "", name));
  if (probability !== undefined) {
    const fill = element("span", "fill");
    fill.style.width = `${100 * probability}%`;
    button.append(element("span", "p", `${Math.round(100 * probability)} %`), fill);
  }
  const made = madeHere(viewed[at].id);
  button.ariaPressed = String(made?.decision === decision && made.label === label);
  return button;
}

function showSample() {
  const sample = viewed[at];
  byId("place").textContent = `${(at + 1).toLocaleString("en")} of ${viewed.length.toLocaleString("en")}`;
  byId("of-review").hidden = !blind;
  showPicture(byId("large"), sample);
  byId("large").style.maxWidth = sample.size ? `${16 * sample.size[0]}px` : ""; // larger pixels are harder to read
  byId("large").style.maxHeight = sample.size ? `${16 * sample.size[1]}px` : "";
  byId("no-picture").hidden = sample.picture !== null;
  byId("name").textContent = blind ? "" : sample.id; // a folder's name may tell the label
  byId("given").textContent = data.classes[sample.given];
  byId("wrong").textContent = blind ? "" : wrongInWords(sample);
  byId("reasons").replaceChildren(...(blind ? [] : sample.reasons.map((reason) => element("span", "", reason))));
  byId("copies").textContent = blind ? "" : sample.copies;
  const made = madeHere(sample.id);
  const listed = offers(sample).map(([one, probability], number) => {
    const name = data.classes[one];
    const button = choice(String(number + 1), name, "relabel", name, blind ? undefined : probability);
    button.addEventListener("click", () => decideHere("relabel", name));
    return button;
  });
  const keepIt = choice("K", `keep ${data.classes[sample.given]}`, "keep", "");
  const [another, drop, unsure] = [
    choice("R", "another class …", "relabel", undefined),
    choice("D", "drop", "drop", ""),
    choice("U", "unsure", "unsure", ""),
  ];
  keepIt.addEventListener("click", () => decideHere("keep"));
  another.addEventListener("click", openChoose);
  drop.addEventListener("click", () => decideHere("drop"));
  unsure.addEventListener("click", () => decideHere("unsure"));
  byId("choices").replaceChildren(keepIt, ...listed, another, drop, unsure);
  byId("made").textContent = made ? `Decided: ${inWords(made)}` : "";
  byId("previous").disabled = at === 0;
  byId("next").disabled = at === viewed.length - 1;
}

function turn(by) {
  if (!viewer.open) {
    setCurrent(current + by, true);
    return;
  }
  at = Math.max(0, Math.min(at + by, viewed.length - 1));
  showSample();
}

function decideHere(decision, label = "") {
  const sample = inView();
  if (!sample) return;
  const last = viewer.open ? at === viewed.length - 1 : current === shown.length - 1;
  decide(blind ? answers : decisions, sample.id, decision, label);
  if (decision && !last) turn(1);
  else if (viewer.open) showSample();
  if (decision && last && viewer.open) byId("made").textContent += ". That was the last one.";
}

function takeBack() {
  const id = undo();
  if (id === undefined) return;
  const list = viewer.open ? viewed : shown;
  const place = list.findIndex((sample) => sample.id === id);
  if (viewer.open) {
    if (place >= 0) at = place;
    showSample();
  } else if (place >= 0) setCurrent(place, true);
}

function offer() {
  const wanted = byId("wanted").value.trim().toLowerCase();
  const names = data.classes.filter((name) => name.toLowerCase().includes(wanted));
  names.sort((one, other) => other.toLowerCase().startsWith(wanted) - one.toLowerCase().startsWith(wanted));
  const buttons = names.slice(0, 50).map((name) => {
    const button = element("button", "");
    button.type = "button";
    button.append(element("bdi", "", name));
    button.addEventListener("click", () => chosen(name));
    return button;
  });
  byId("offered").replaceChildren(...(buttons.length ? buttons : [element("p", "note", "No class is called so.")]));
  return names;
}

function openChoose() {
  if (!inView()) return;
  byId("wanted").value = "";
  offer();
  choose.showModal();
  byId("wanted").focus();
}

function chosen(name) {
  choose.close();
  const given = data.classes[inView().given];
  if (name === given) decideHere("keep");
  else decideHere("relabel", name);
}

const KEYS = {
  k: () => decideHere("keep"),
  d: () => decideHere("drop"),
  u: () => decideHere("unsure"),
  c: () => decideHere(undefined),
  r: openChoose,
  z: takeBack,
  n: () => turn(1),
  p: () => turn(-1),
  arrowright: () => turn(1),
  arrowleft: () => turn(-1),
  arrowdown: () => turn(viewer.open ? 1 : perRow()),
  arrowup: () => turn(viewer.open ? -1 : -perRow()),
};

function press(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || choose.open || help.open) return;
  if (/^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) return;
  if (event.key === "?") {
    help.showModal();
    return;
  }
  const key = event.key.toLowerCase();
  if (!viewer.open && !grid.contains(document.activeElement)) {
    if (document.activeElement !== document.body || !shown.length) return;
    if (!Object.hasOwn(KEYS, key) && !/^[1-9]$/.test(key)) return;
    if (key.startsWith("arrow")) return; // they scroll
    const open = shown.findIndex((sample) => !madeOf(sample.id)); // it is shown first and decided on by the next key
    setCurrent(Math.max(open, 0), true);
    event.preventDefault();
    return;
  }
  const offered = /^[1-9]$/.test(key) && inView() ? offers(inView())[key - 1] : undefined;
  if (offered) decideHere("relabel", data.classes[offered[0]]);
  else if (Object.hasOwn(KEYS, key)) KEYS[key]();
  else return;
  event.preventDefault();
}

viewer.addEventListener("close", () => {
  const place = shown.findIndex((sample) => sample.id === viewed[at].id);
  if (blind) byId("start-review").focus();
  else if (place >= 0) setCurrent(place, true);
  blind = false;
});
