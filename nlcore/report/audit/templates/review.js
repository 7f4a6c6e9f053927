// How many labels are wrong, from a sample that was drawn with known probabilities.
//
//   rate = mean(w_i wrong_i),  w_i = 1 / (N q_i)        each draw is unbiased, whatever q is
//   rate ± 1.96 s / √n                                  s: the standard deviation of w_i wrong_i
//   precision = Σ w_i wrong_i / Σ w_i                   over the draws that are on the list
//
// A draw that was kept is right; one that was relabelled or dropped is wrong; one that is open or unsure does not count.

const ENOUGH = 30; // draws, below which the normal approximation is not to be trusted

function estimate(reviewed, decisionOf) {
  const judged = [];
  let unsure = 0;
  for (const one of reviewed) {
    const decision = decisionOf(one.id)?.decision;
    if (decision === "unsure") unsure += one.draws;
    if (decision === undefined || decision === "unsure") continue;
    const wrong = decision === "keep" ? 0 : 1;
    for (let draw = 0; draw < one.draws; draw++) judged.push({ weight: one.weight, listed: one.listed, wrong });
  }
  const n = judged.length;
  const found = { n, unsure, wrong: sum(judged, (one) => one.wrong), enough: n >= ENOUGH };
  if (!n) return found;
  found.rate = sum(judged, (one) => one.weight * one.wrong) / n;
  const variance = sum(judged, (one) => (one.weight * one.wrong - found.rate) ** 2) / Math.max(n - 1, 1);
  const half = 1.96 * Math.sqrt(variance / n);
  found.low = Math.max(0, found.rate - half);
  found.high = Math.min(1, found.rate + half);
  const listed = judged.filter((one) => one.listed);
  found.listed = listed.length;
  found.control = n - listed.length;
  found.wrongInControl = found.wrong - sum(listed, (one) => one.wrong);
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
  const total = sum(data.review, (one) => one.draws);
  const said = [`${found.n} of ${total} draws are judged${found.unsure ? `, ${found.unsure} unsure and left out` : ""}.`];
  if (!found.enough) {
    said.push(`How many labels are wrong is shown from ${ENOUGH} on.`);
    return said;
  }
  if (!found.wrong) {
    said.push("None of them is wrong, so this sample cannot tell how few wrong labels there are.");
  } else {
    const labels = [found.low, found.high].map((share) => Math.round(share * count).toLocaleString("en")).join(" to ");
    const interval = `${percent(found.low)} to ${percent(found.high)}`;
    said.push(`About ${percent(found.rate)} of all labels are wrong (95 % interval ${interval}, ${labels} labels).`);
  }
  if (found.listed) {
    const share = found.listed < 10 ? "" : `: about ${percent(found.precision)} of the list`;
    said.push(`Of the suspicious images ${found.wrong - found.wrongInControl} of ${found.listed} are wrong${share}.`);
  }
  if (found.control) said.push(`Of the others, the control group, ${found.wrongInControl} of ${found.control} are wrong.`);
  return said;
}
