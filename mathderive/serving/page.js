// The page at `/`: takes a question and shows the derivation, typeset step by step.
//
// Everything that was typed, generated or sent by the server is put on the page as text. The one exception is MathML,
// which is parsed as XML and checked first: see `mathFrom` in report/elements.js, whose functions this script uses.

import { DERIVE, GIVEN, KEPT, OBTAIN, OUTCOMES, SEPARATOR, UNSEEN } from "/constants.js";
import { BROKEN, Failure, events, modelName, request, typeset, typesetReasons } from "/client.js";

const PAUSE_BEFORE_PREVIEW = 250; // ms
const FIELDS = ["premises", "derive", "goal"];

// ---- The question

/** The equations of a field, one per line. */
function equationsOf(field) {
  const lines = byId(field).value.split("\n");
  return lines.map((line) => line.replace(/\s+/g, " ").trim()).filter(Boolean);
}

/** The prompt in the form that the models are trained on: `join_prompt` in mathderive/symbolic/prompts.py. */
function writePrompt() {
  const clauses = equationsOf("derive").map((equation) => DERIVE + equation);
  return GIVEN + equationsOf("premises").join(SEPARATOR) + clauses.join("") + OBTAIN + equationsOf("goal").join("");
}

/** Returns what is wrong with a field, or the empty string. */
function complaint(field) {
  const equations = equationsOf(field);
  if (field === "premises" && !equations.length) return "Expected at least one premise.";
  if (field === "goal" && !equations.length) return "Expected a goal.";
  const words = [SEPARATOR, DERIVE, OBTAIN];
  const word = words.find((separator) => equations.some((equation) => ` ${equation} `.includes(separator)));
  if (word === undefined) return "";
  return `“${word.trim()}” separates the equations of a prompt, so no equation may contain it. Put each equation on its own line.`;
}

/** Shows at the field what is wrong with it; returns whether anything is. */
function complain(field) {
  const message = complaint(field);
  byId(`${field}-error`).textContent = message;
  byId(field).setAttribute("aria-invalid", Boolean(message));
  return Boolean(message);
}

/** Shows what is wrong with each field and focuses the first wrong one; returns whether none is wrong. */
function isComplete() {
  const wrong = FIELDS.filter(complain);
  if (wrong.length) byId(wrong[0]).focus();
  return !wrong.length;
}

function fill(question) {
  for (const field of FIELDS) {
    byId(field).value = [question[field]].flat().join("\n"); // the goal is one equation, not a list
    changed(field);
  }
}

const timers = {};

function changed(field) {
  if (byId(`${field}-error`).textContent) complain(field);
  byId("prompt").textContent = writePrompt();
  clearTimeout(timers[field]);
  timers[field] = setTimeout(() => preview(field), PAUSE_BEFORE_PREVIEW);
}

async function preview(field) {
  const equations = equationsOf(field);
  const found = await typeset(equations).catch(() => []); // a failure is shown when the question is asked
  if (equations.join("\n") !== equationsOf(field).join("\n")) return; // the field has changed meanwhile
  const items = equations.map((text, index) => {
    const item = create("li", "");
    item.append(formula(text, found[index]));
    return item;
  });
  byId(`${field}-preview`).replaceChildren(...items);
  items.forEach((item) => letScroll(item.firstChild));
}

// ---- Equations on the page

const UNSEEN_CHARACTER = new RegExp(`(?![${KEPT}])[${UNSEEN.map((category) => `\\p{${category}}`).join("")}]`, "gu");

/** Shows invisible characters, which could disguise the text, as their numbers, as mathderive/report/plain.py does. */
function visible(text) {
  const number = (character) => character.codePointAt(0).toString(16).toUpperCase().padStart(4, "0");
  return text.replace(UNSEEN_CHARACTER, (character) => `⟨U+${number(character)}⟩`);
}

/** The typeset equation; without MathML its text, marked if `mathml` is null and unmarked while it is undefined. */
function formula(text, mathml) {
  const math = mathml ? mathFrom(mathml) : null;
  const box = create("div", "formula");
  if (math) {
    box.append(math);
    return box;
  }
  box.append(create("code", "plain", visible(text)));
  if (mathml !== undefined) box.append(create("span", "unread", "not read as an equation"));
  return box;
}

// ---- The answer

/** The derivation on the page. It grows with the text; in the end the checker decides where its equations begin. */
class Derivation {
  constructor() {
    this.text = this.last = "";
    this.ended = 0; // number of equations that are already steps
    this.clear();
  }

  clear() {
    this.steps = [];
    this.waiting = []; // steps to typeset
    byId("steps").replaceChildren();
  }

  write(piece) {
    this.text += piece;
    const parts = this.text.split(SEPARATOR);
    this.last = parts.pop();
    this.add(parts.slice(this.ended));
    this.ended = parts.length;
    byId("writing").textContent = visible(this.last);
  }

  /** Treats the last equation as complete. */
  end() {
    this.add([this.last]);
    byId("writing").textContent = "";
  }

  add(equations) {
    for (const text of equations.map((equation) => equation.trim()).filter(Boolean)) {
      const element = create("li", "step");
      element.append(formula(text), create("code", "latex", visible(text)));
      byId("steps").append(element);
      const step = { text, element };
      this.steps.push(step);
      this.waiting.push(step);
    }
    this.typeset();
  }

  /** Shows the equations that the checker found, if the page has split the text in another way. */
  take(equations) {
    const isSame = (text, index) => text === this.steps[index]?.text;
    if (equations.length === this.steps.length && equations.every(isSame)) return;
    this.clear();
    this.add(equations);
  }

  /** Typesets the waiting steps; those that arrive meanwhile share the next request. */
  async typeset() {
    if (this.isTypesetting) return;
    this.isTypesetting = true;
    while (this.waiting.length) {
      const steps = this.waiting.splice(0);
      const found = await typeset(steps.map((step) => step.text)).catch(() => []);
      steps.forEach(({ text, element }, index) => {
        const box = formula(text, found[index]);
        element.firstChild.replaceWith(box);
        letScroll(box);
      });
    }
    this.isTypesetting = false;
  }
}

// ---- Verdicts

/** Checks the answer; returns the checker's verdict, and the reasons for it with their formulas. */
async function check({ text }, prompt) {
  const verdict = await (await request("/check", { prompt, derivation: text })).json();
  return { verdict, reasons: await typesetReasons(verdict.steps.map(({ reason }) => reason)) };
}

/** Puts a verdict below each step, and the outcomes below the answer. */
function showVerdict(answer, { verdict, reasons }) {
  answer.take(verdict.steps.map(({ text }) => text));
  answer.steps.forEach(({ element }, index) =>
    element.append(verdictLine(verdict.labels[index], reasonOf(reasons[index]))),
  );
  const outcomes = [outcomeOf("verified", verdict.verified), outcomeOf("goalReached", verdict.goal_reached)];
  byId("verdict").replaceChildren(outcomes[0], " · ", outcomes[1]);
  byId("explanation").textContent = verdict.verified ? "" : explanation(verdict.labels.map(({ kind }) => kind));
}

/** Names the first equation that is false or is missing a step; the empty string if there is none. */
function explanation(kinds) {
  const at = kinds.findIndex((kind) => kind === "incorrect" || kind === "skipped");
  if (at < 0) return "";
  if (kinds[at] === "incorrect") return `Equation ${at + 1} is false.`;
  return `Equation ${at + 1} is missing a step: it is true, but does not follow from earlier equations by one step.`;
}

function outcomeOf(name, holds) {
  const [yes, no] = OUTCOMES[name];
  return create("strong", holds ? "good" : "bad", holds ? yes : no);
}

function reasonOf(parts) {
  const box = create("span", "reason");
  for (const { text, is_formula: isFormula, mathml } of parts) {
    const math = mathml ? mathFrom(mathml) : null;
    math?.setAttribute("display", "inline");
    box.append(math ?? (isFormula ? create("code", "", visible(text)) : visible(text)));
  }
  return box;
}

let running = null; // aborts the request in flight
let derivation = new Derivation();

async function derive() {
  if (running || !isComplete()) return;
  const [started, prompt] = [performance.now(), writePrompt()];
  derivation = new Derivation();
  const outcome = { finish_reason: null, usage: null };
  begin();
  try {
    await receive(derivation, outcome, running.signal);
  } catch (error) {
    fail(error);
  } finally {
    derivation.end();
    ended();
  }
  const seconds = (performance.now() - started) / 1000;
  summarise(outcome, seconds);
  if (await judge(derivation, prompt)) summarise(outcome, seconds);
}

/** Checks an answer and shows the verdict; returns whether it did so, since another answer may have taken its place. */
async function judge(answer, prompt) {
  if (!answer.steps.length) return false;
  byId("verdict").textContent = "Checking …";
  const checked = await check(answer, prompt).catch((error) => error);
  if (answer !== derivation || running) return false;
  const isFailed = checked instanceof Error;
  if (isFailed) byId("verdict").textContent = `Not checked. ${checked.message}`;
  else showVerdict(answer, checked);
  return !isFailed;
}

async function receive(into, outcome, signal) {
  const asked = {
    model: await modelName(),
    messages: [{ role: "user", content: writePrompt() }],
    stream: true,
    stream_options: { include_usage: true },
  };
  for await (const event of events(await request("/v1/chat/completions", asked, signal))) {
    if (event.error) throw new Failure(`The server failed: ${event.error.message}.`);
    const choice = event.choices[0];
    into.write(choice?.delta.content ?? "");
    outcome.finish_reason ??= choice?.finish_reason;
    outcome.usage ??= event.usage;
  }
}

function begin() {
  running = new AbortController();
  for (const name of ["failure", "summary", "verdict", "explanation"]) byId(name).textContent = "";
  byId("nothing").hidden = byId("copy").hidden = true;
  byId("writing").hidden = false;
  swap("start", "stop");
  if (byId("answer").getBoundingClientRect().top > window.innerHeight / 2) byId("answer").scrollIntoView();
}

function ended() {
  running = null;
  byId("writing").hidden = true;
  swap("stop", "start");
}

/** Replaces one button by the other, which takes over the focus. */
function swap(shown, wanted) {
  const hadFocus = document.activeElement === byId(shown);
  byId(wanted).hidden = false;
  if (hadFocus) byId(wanted).focus({ preventScroll: true });
  byId(shown).hidden = true;
}

function fail(error) {
  if (error.name === "AbortError") return;
  const isFailure = error instanceof Failure; // any other error means that the connection broke
  byId("failure").textContent = isFailure ? error.message : BROKEN;
  if (error.status === 401) byId("key").focus();
}

function summarise({ finish_reason: reason, usage }, seconds) {
  const steps = derivation.steps.length;
  byId("copy").hidden = !steps || !navigator.clipboard; // only secure pages have a clipboard
  byId("nothing").hidden = Boolean(steps || reason);
  if (!steps && !reason) return;
  const counts = [`${steps} ${steps === 1 ? "step" : "steps"}`];
  if (usage) counts.push(`${usage.completion_tokens} tokens`);
  counts.push(`${seconds.toFixed(1)} s`);
  const ending = { stop: "", length: "Cut off at the length limit" }[reason] ?? "Stopped";
  byId("summary").replaceChildren(...(ending ? [create("strong", "bad", ending), " · "] : []), counts.join(" · "));
}

async function copy() {
  const text = derivation.steps.map((step) => step.text).join(SEPARATOR);
  const done = await navigator.clipboard.writeText(text).then(() => "Copied", () => "Not allowed");
  byId("copy").textContent = done;
  setTimeout(() => (byId("copy").textContent = "Copy"), 1500);
}

// ---- Start

async function offerExamples() {
  const examples = await (await request("/examples.json")).json();
  byId("example").append(...examples.map(({ name }, index) => new Option(name, index)));
  byId("example").addEventListener("change", ({ target }) => {
    if (target.value) fill(examples[target.value]);
  });
}

for (const field of FIELDS) {
  byId(field).addEventListener("input", () => {
    byId("example").value = "";
    changed(field);
  });
}
byId("question").addEventListener("submit", (event) => {
  event.preventDefault();
  derive();
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) derive();
});
byId("key").addEventListener("change", () => {
  byId("failure").textContent = "";
  modelName().catch(fail);
  FIELDS.forEach(changed);
});
byId("stop").addEventListener("click", () => running.abort());
byId("copy").addEventListener("click", copy);
byId("prompt").textContent = writePrompt();
Promise.all([modelName(), offerExamples()]).catch(fail);
