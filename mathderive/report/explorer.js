// The explorer in the run report: a list of all answers with filters, and one answer at a time beside its reference.
//
// explorer.py packs the data. Text from outside is shown as text; MathML is checked first, see `mathFrom`. The fragment
// holds the reader's place: `#explorer?model=…&verdict=…` is a filtered list, `#explorer?by=MODEL&open=EXAMPLE` an answer.

const PLACE = "#explorer?";
const FILTERS = ["model", "set", "verdict", "length"];
const PAGE = 10; // the number of rows that a page key moves by

const FILTERED_OUTCOMES = ["verified", "sound", "goalReached", "endsWithGoal"];
const NO_ANSWER = "no answer";

// ---- The data

const counted = (count, thing) => `${count} ${thing}${count === 1 ? "" : "s"}`;

async function unpack(text) {
  const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return JSON.parse(await new Response(stream).text());
}

let data = null;
let answers = []; // the data's answers, each with its example, its model's and set's names, and its `values` for the filters

function prepare(unpacked) {
  data = unpacked;
  answers = data.answers.map((answer) => {
    const example = data.examples[answer.example];
    const counts = answer.validity?.findings ?? {};
    const verdicts = [
      ...FILTERED_OUTCOMES.map((name) => outcomeOf(answer, name)?.text),
      ...data.findings.filter((finding) => counts[finding]),
      answer.lines.length ? null : NO_ANSWER,
    ];
    const [model, set] = [data.models[answer.model], data.sets[example.set]];
    const values = { model: [model], set: [set], verdict: verdicts.filter(Boolean), length: [lengthOf(example)] };
    return { ...answer, example, model, set, values };
  });
}

/** An outcome's text and class; undefined where it is not known. */
function outcomeOf({ validity, endsWithGoal }, name) {
  const holds = name === "endsWithGoal" ? endsWithGoal : validity?.[name];
  if (holds === undefined) return undefined;
  const [yes, no] = data.outcomes[name];
  return { text: holds ? yes : no, kind: holds ? "good" : "bad" };
}

/** The number of the reference's equations, as the filter shows it. */
const lengthOf = (example) => String(example.reference.lines.length);

/** The texts of an answer, its prompt and its reference, without spaces, for the search. */
function searchable(answer) {
  const { example } = answer;
  const lines = [...example.prompt.lines, ...example.reference.lines, ...answer.lines];
  answer.searchable ??= [example.id, ...lines.map(({ equation }) => data.equations[equation][0])]
    .join("\n")
    .replaceAll(/[^\S\n]+/g, "");
  return answer.searchable;
}

// ---- The filters

const control = (name) => byId(`explorer-${name}`);
let shown = []; // answers that pass the filters
let current = null; // the answer that has the keyboard's focus, or that is open

/** Whether an answer passes every filter except the one left out. */
function passes(answer, leftOut) {
  return FILTERS.every((name) => {
    const wanted = control(name).value;
    return name === leftOut || !wanted || answer.values[name].includes(wanted);
  });
}

function offerChoices() {
  const verdicts = [...FILTERED_OUTCOMES.flatMap((name) => data.outcomes[name]), ...data.findings, NO_ANSWER];
  const choices = {
    model: data.models,
    set: data.sets,
    verdict: verdicts.filter((verdict) => answers.some(({ values }) => values.verdict.includes(verdict))),
    length: [...new Set(data.examples.map(lengthOf))].sort((one, other) => one - other),
  };
  for (const name of FILTERS) {
    const options = choices[name].map((value) => new Option(value, value));
    control(name).append(new Option("all", ""), ...options);
    control(name).addEventListener("change", changed);
  }
  control("search").addEventListener("input", changed);
}

/** Explains the signs of the list, if answers were checked. */
function explainSigns() {
  if (!answers.some(({ validity }) => validity)) return;
  const entries = Object.entries(SIGNS).map(([kind, sign]) => {
    const entry = create("span", "");
    entry.append(create("span", `sign ${kind}`, sign), ` ${kind}`);
    return entry;
  });
  control("legend").append(...entries);
}

/** Shows the answers that pass, and behind each choice the number of answers that it would leave. */
function filter() {
  const wanted = control("search").value.replaceAll(/\s+/g, "");
  const matching = wanted ? answers.filter((answer) => searchable(answer).includes(wanted)) : answers;
  shown = matching.filter((answer) => passes(answer));
  for (const name of FILTERS) {
    const others = matching.filter((answer) => passes(answer, name));
    for (const option of control(name).options) {
      const left = option.value ? others.filter(({ values }) => values[name].includes(option.value)) : others;
      option.textContent = `${option.value || "all"} (${left.length})`;
    }
  }
  control("count").textContent = `${shown.length} of ${counted(answers.length, "answer")}`;
  control("list").replaceChildren(...shown.map(rowOf));
  moveTo(shown.includes(current) ? current : shown[0]);
}

function changed() {
  filter();
  history.replaceState(null, "", fragment());
}

/** The page's fragment for the filtered list. */
function fragment() {
  const chosen = [...FILTERS, "search"].map((name) => [name, control(name).value]).filter(([, value]) => value);
  return chosen.length ? `${PLACE}${new URLSearchParams(chosen)}` : "#explorer";
}

const linkTo = ({ example, model }) => PLACE + new URLSearchParams({ by: model, open: example.id });

// ---- The list

/** The list's item for an answer, which is made once. */
function rowOf(answer) {
  if (answer.row) return answer.row;
  const link = create("a", "answer");
  link.href = linkTo(answer);
  link.tabIndex = -1;
  const scores = answer.scores ?? [];
  link.append(
    create("span", "id", answer.example.id),
    create("span", "model", answer.model),
    create("span", "count", counted(answer.equations, "equation")),
    create("span", "score", `${data.metrics[0]} ${scores[0] ?? "–"}`),
    strip(answer),
    summary(answer),
  );
  answer.link = link;
  answer.row = create("li", "");
  answer.row.append(link);
  return answer.row;
}

/** A sign for each equation of an answer. */
function strip({ lines }) {
  const signs = create("span", "strip");
  signs.setAttribute("aria-hidden", "true"); // the summary says it in words
  signs.append(...lines.filter(({ verdict }) => verdict).map(({ verdict }) => signOf(verdict)));
  return signs;
}

/** An answer's outcome in a line. */
function summary(answer) {
  const { lines, validity } = answer;
  const box = create("span", "outcome");
  const verified = outcomeOf(answer, "verified");
  if (!lines.length) box.append(create("span", "bad", NO_ANSWER));
  else if (verified) box.append(create("span", verified.kind, verified.text));
  const findings = data.findings.filter((finding) => validity?.findings[finding]);
  const rest = findings.map((finding) => `${validity.findings[finding]} ${finding}`);
  const goal = outcomeOf(answer, "goalReached") ?? outcomeOf(answer, "endsWithGoal");
  if (lines.length && goal && !validity?.verified) rest.push(goal.text);
  box.append(...(rest.length ? [create("span", "rest", rest.join(", "))] : []));
  return box;
}

/** Moves the keyboard's place to an answer. */
function moveTo(answer, focus = false) {
  if (current?.link) current.link.tabIndex = -1;
  current = answer ?? null;
  if (!current) return;
  rowOf(current).firstChild.tabIndex = 0;
  if (focus) current.link.focus();
}

function walk(event) {
  const at = shown.indexOf(current);
  const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: PAGE, PageUp: -PAGE, Home: -shown.length, End: shown.length };
  if (!(event.key in steps) || event.altKey || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  moveTo(shown[Math.max(0, Math.min(shown.length - 1, at + steps[event.key]))], true);
}

// ---- An answer beside its reference

const derivation = byId("derivation");

function open(answer) {
  moveTo(answer);
  const at = shown.indexOf(answer);
  byId("derivation-title").textContent = `${answer.example.id} · ${answer.model}`;
  byId("derivation-place").textContent = at < 0 ? "" : `${at + 1} of ${shown.length}`;
  byId("derivation-previous").disabled = at <= 0;
  byId("derivation-next").disabled = at < 0 || at === shown.length - 1;
  byId("derivation-facts").replaceChildren(...facts(answer));
  byId("derivation-models").replaceChildren(...siblings(answer));
  byId("derivation-texts").replaceChildren(...columns(answer));
  if (!derivation.open) derivation.showModal();
  derivation.focus(); // so that the arrows scroll it
  derivation.scrollTop = 0;
  derivation.querySelectorAll(".formula").forEach(letScroll);
}

function facts(answer) {
  const scores = answer.scores ?? [];
  const measured = scores.map((score, index) => score !== null && `${data.metrics[index]} ${score}`);
  const outcomes = Object.keys(data.outcomes).map((name) => outcomeOf(answer, name)).filter(Boolean);
  return [
    ...[answer.set, ...measured.filter(Boolean)].map((text) => create("li", "", text)),
    ...outcomes.map(({ text, kind }) => create("li", kind, text)),
  ];
}

/** Links to the answers of other models. */
function siblings(answer) {
  return answers
    .filter(({ example }) => example === answer.example)
    .map((other) => {
      const [item, link] = [create("li", ""), create("a", "", other.model)];
      link.href = linkTo(other);
      if (other === answer) link.setAttribute("aria-current", "true");
      item.append(link);
      return item;
    });
}

/** The prompt, across the page, so that its goal is seen whole; below it reference and answer, which share their rows. */
function columns(answer) {
  const { prompt, reference } = answer.example;
  const asked = column("Prompt", prompt, prompt.lines.map((line) => item(line, line.role)));
  const known = column("Reference", reference, reference.lines.map((line, place) => {
    const entry = item(line, place + 1);
    const taken = answer.lines.find((written) => written.place === place && written.mark !== "again");
    entry.dataset.mark = taken?.mark ?? "missing";
    entry.append(note(line.origin?.replaceAll("_", " "), taken ? "" : "− not in the answer"));
    entry.style.gridRow = answer.rows[place] + 1;
    return entry;
  }));
  const written = column(answer.model, answer, answer.lines.map((line, place) => {
    const entry = item(line, place + 1);
    entry.dataset.mark = line.mark;
    entry.append(note("", described(line)), ...(line.verdict ? [verdictOf(line.verdict)] : []));
    entry.style.gridRow = line.row + 1;
    return entry;
  }));
  const rows = 1 + Math.max(0, ...answer.rows, ...answer.lines.map(({ row }) => row));
  for (const box of [known, written]) box.style.gridRow = `span ${rows + 2}`; // plus title and remark
  asked.classList.add("asked");
  for (const box of [known, written]) box.classList.add("aligned");
  return [asked, known, written];
}

/** Describes the match of an answer's equation in the reference. */
function described({ mark, place }) {
  if (mark === "new") return "+ not in the reference";
  return `${{ same: "=", moved: "↕", again: "↺ again" }[mark]} reference ${place + 1}`;
}

function column(title, { note: remark }, entries) {
  const [box, list] = [create("div", "column"), create("ol", "entries")];
  list.append(...entries);
  box.append(create("h3", "part", title), list);
  if (remark) box.append(create("p", "small cut", remark));
  return box;
}

/** An equation, typeset where possible, and as it was written. */
function item({ equation }, role) {
  const [text] = data.equations[equation];
  const math = formula(equation, "block");
  const [entry, box] = [create("li", "entry"), create("div", "formula")];
  box.append(math ?? create("code", "plain", text));
  entry.append(create("span", "role", role), box, ...(math ? [create("code", "latex", text)] : []));
  return entry;
}

function note(origin, mark) {
  const line = create("p", "mark");
  if (origin) line.append(create("span", "origin", origin));
  if (mark) line.append(create("span", "difference", mark));
  return line;
}

function verdictOf(verdict) {
  const box = verdictLine(verdict, reasonOf(verdict.reason));
  if (verdict.counterexample?.length) box.append(valuesOf(verdict.counterexample));
  return box;
}

/** A verdict's reason in words and formulas. */
function reasonOf(pieces) {
  const box = create("span", "reason");
  box.append(...pieces.map((piece) => (typeof piece === "string" ? piece : inline(piece))));
  return box;
}

/** The values for which an equation fails. */
function valuesOf(counterexample) {
  const box = create("span", "counterexample", "Counterexample: ");
  counterexample.forEach(([name, value], index) => box.append(index ? ", " : "", inline(name), ` = ${value}`));
  return box;
}

const inline = (equation) => formula(equation, "inline") ?? create("code", "", data.equations[equation][0]);

/** The formula of an equation; null where it has none. */
function formula(equation, display) {
  const place = data.equations[equation][1];
  const math = place === undefined ? null : mathFrom(data.formulas[place]);
  math?.setAttribute("display", display);
  return math;
}

/** Opens the answer that is so many places further on in the list. */
function turn(steps) {
  const at = shown.indexOf(current); // -1 where a link led to an answer that is not in the list
  if (at >= 0 && shown[at + steps]) location.hash = linkTo(shown[at + steps]);
}

/** Returns to the list, unless the reader has gone elsewhere. */
function closed() {
  if (!location.hash.startsWith(PLACE)) return;
  history.replaceState(null, "", fragment());
  moveTo(current, true);
}

// ---- Start

/** Shows the answer or the list that the fragment names. */
function follow() {
  if (!location.hash.startsWith(PLACE)) {
    if (derivation.open) derivation.close();
    return;
  }
  const wanted = new URLSearchParams(location.hash.slice(PLACE.length));
  const answer = answers.find(({ example, model }) => example.id === wanted.get("open") && model === wanted.get("by"));
  if (answer) {
    open(answer);
    return;
  }
  if (derivation.open) derivation.close();
  for (const name of [...FILTERS, "search"]) control(name).value = wanted.get(name) ?? "";
  for (const name of FILTERS) control(name).selectedIndex = Math.max(0, control(name).selectedIndex); // no such choice
  filter();
  byId("explorer").scrollIntoView();
}

function press(event) {
  const isTyping = event.target.matches("input:not([type=checkbox]), select");
  if (isTyping || event.altKey || event.ctrlKey || event.metaKey) return;
  if (derivation.open) {
    const isScrolled = event.target.matches(".formula"); // it takes the arrows itself
    if (event.key === "ArrowLeft" && !isScrolled) turn(-1);
    if (event.key === "ArrowRight" && !isScrolled) turn(1);
  } else if (event.key === "/") {
    event.preventDefault();
    control("search").focus();
  }
}

async function begin() {
  prepare(await unpack(byId("explorer-data").textContent));
  offerChoices();
  explainSigns();
  filter();
  control("filters").hidden = false;
  control("waiting").hidden = true;
  control("list").addEventListener("keydown", walk);
  control("search").addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown" || event.key === "Enter") {
      event.preventDefault();
      moveTo(current, true);
    }
  });
  document.addEventListener("keydown", press);
  window.addEventListener("hashchange", follow);
  derivation.addEventListener("close", closed);
  byId("derivation-close").addEventListener("click", () => derivation.close());
  byId("derivation-previous").addEventListener("click", () => turn(-1));
  byId("derivation-next").addEventListener("click", () => turn(1));
  follow();
}

begin().catch((error) => {
  control("waiting").textContent = `This browser cannot show the explorer (${error.message}).`;
});
