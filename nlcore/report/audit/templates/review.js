// How many labels are wrong, from a sample that was drawn with known probabilities.
//
//   terms = E + (wrong_d - P_d) / (N q_d)        P: as likely as it seemed, E: the mean P of all N images
//   rate = mean(terms) ± t s / √n                n: draws, s: the standard deviation of the terms
//   precision = Σ w_d wrong_d / Σ w_d            w = 1 / (N q), over the draws that are on the list
//
// It has no bias, whatever P is, and little variance where P is right. An image that was kept is right; one that was
// relabelled or dropped is wrong; one that is open or unsure does not count.

const ENOUGH = 30; // draws, below which the interval is not to be trusted

function estimate(reviewed, answerOf) {
  const judged = [];
  const images = { listed: 0, control: 0, wrongListed: 0, wrongControl: 0 };
  let unsure = 0;
  for (const one of reviewed) {
    const decision = answerOf(one.id)?.decision;
    if (decision === "unsure") unsure += 1;
    if (decision === undefined || decision === "unsure") continue;
    const wrong = decision === "keep" ? 0 : 1;
    images[one.listed ? "listed" : "control"] += 1;
    images[one.listed ? "wrongListed" : "wrongControl"] += wrong;
    const term = data.expected + (wrong - one.expected) * one.weight;
    for (let draw = 0; draw < one.draws; draw++) judged.push({ term, weight: one.weight, listed: one.listed, wrong });
  }
  const n = judged.length;
  const found = { n, unsure, images, wrong: sum(judged, (one) => one.wrong), enough: n >= ENOUGH };
  if (!n) return found;
  const mean = sum(judged, (one) => one.term) / n;
  const variance = sum(judged, (one) => (one.term - mean) ** 2) / Math.max(n - 1, 1);
  const half = (data.quantiles[n - 2] ?? 0) * Math.sqrt(variance / n);
  [found.rate, found.low, found.high] = [mean, mean - half, mean + half].map((one) => Math.min(1, Math.max(0, one)));
  const listed = judged.filter((one) => one.listed);
  found.precision = sum(listed, (one) => one.weight * one.wrong) / sum(listed, (one) => one.weight);
  return found;
}

function sum(values, of) {
  return values.reduce((total, one) => total + of(one), 0);
}

function percent(share) {
  return `${(100 * share).toFixed(1)} %`;
}

// Returns sentences on an estimate.
function estimateInWords(found, count) {
  const { listed, control, wrongListed, wrongControl } = found.images;
  const unsure = found.unsure ? `, ${found.unsure} unsure and left out` : "";
  const said = [`${listed + control} of ${counted(data.review.length, "image")} judged${unsure}.`];
  if (!found.enough) {
    said.push(`How many labels are wrong is shown from about ${ENOUGH} on.`);
    return said;
  }
  if (!found.wrong) {
    said.push("None of them is wrong, so this sample cannot tell how few wrong labels there are.");
  } else {
    const labels = [found.low, found.high].map((share) => Math.round(share * count).toLocaleString("en")).join(" to ");
    const interval = `${percent(found.low)} to ${percent(found.high)}`;
    const about = listed + control + found.unsure < data.review.length ? "So far, about" : "About";
    said.push(`${about} ${percent(found.rate)} of all labels are wrong (95 % interval ${interval}, ${labels} labels).`);
  }
  if (listed) {
    const share = listed < 10 ? "" : `: about ${percent(found.precision)} of the list`;
    said.push(`Of the suspicious images ${wrongListed} of ${listed} are wrong${share}.`);
  }
  if (control) said.push(`Of the others, the control group, ${wrongControl} of ${control} are wrong.`);
  return said;
}
