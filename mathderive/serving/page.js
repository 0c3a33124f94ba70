// The page at `/`: takes a question, shows the derivation as it is written, and then the verdict on every step.

import { OUTCOMES, SEPARATOR } from "/constants.js";
import { BROKEN, Failure, events, modelName, request, typeset, typesetReasons } from "/client.js";
import { formula, reasonOf, visible } from "/formulas.js";
import { changed, offerExamples, readQuestion, wrongFields } from "/question.js";

// ---- The answer

/** The derivation on the page. It grows with the text; in the end the checker decides where its equations begin. */
class Derivation {
  constructor(prompt = "") {
    this.prompt = prompt;
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

let running = null; // aborts the request in flight
let derivation = new Derivation();

async function derive() {
  if (running) return;
  running = new AbortController();
  byId("failure").textContent = "";
  swap("start", "stop");
  const question = await readQuestion(running.signal).catch(fail);
  const wrong = question ? wrongFields(question) : [];
  if (question && !wrong.length) return answer(question.prompt);
  ended();
  if (wrong.length) byId(wrong[0]).focus();
}

/** Asks the model, shows its answer and has it checked. */
async function answer(prompt) {
  const started = performance.now();
  derivation = new Derivation(prompt);
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
  if (await judge(derivation)) summarise(outcome, seconds);
}

async function receive(into, outcome, signal) {
  const asked = {
    model: await modelName(),
    messages: [{ role: "user", content: into.prompt }],
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
  for (const name of ["summary", "verdict", "explanation", "filling"]) byId(name).textContent = "";
  byId("nothing").hidden = byId("copy").hidden = byId("fill").hidden = true;
  byId("writing").hidden = false;
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

// ---- Verdicts

/** Checks a derivation; returns the checker's verdict, and the reasons for it with their formulas. */
async function check(text, prompt) {
  const verdict = await (await request("/check", { prompt, derivation: text })).json();
  return { verdict, reasons: await typesetReasons(verdict.steps.map(({ reason }) => reason)) };
}

/** Checks an answer and shows the verdict; returns whether it did so, since another answer may have taken its place. */
async function judge(answer) {
  if (!answer.steps.length) return false;
  byId("verdict").textContent = "Checking …";
  const checked = await check(answer.text, answer.prompt).catch((error) => error);
  if (answer !== derivation || running) return false;
  const isFailed = checked instanceof Error;
  if (isFailed) byId("verdict").textContent = `Not checked. ${checked.message}`;
  else {
    showVerdict(answer, checked);
    byId("fill").hidden = !hasSkipped(checked.verdict);
  }
  return !isFailed;
}

/** Puts a verdict below each step, and the outcomes below the answer; `inserted` holds the numbers of inserted steps. */
function showVerdict(answer, { verdict, reasons }, inserted = []) {
  answer.take(verdict.steps.map(({ text }) => text));
  answer.steps.forEach(({ element }, index) => {
    const { kind, words } = verdict.labels[index];
    const label = { kind, words: inserted.includes(index + 1) ? [...words, "inserted"] : words };
    element.append(verdictLine(label, reasonOf(reasons[index])));
  });
  const outcomes = [outcomeOf("verified", verdict.verified), outcomeOf("goalReached", verdict.goal_reached)];
  byId("verdict").replaceChildren(inserted.length ? "with inserted steps: " : "", outcomes[0], " · ", outcomes[1]);
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

function hasSkipped({ steps }) {
  return steps.some(({ truth }) => truth === "skipped");
}

// ---- Missing steps

/** Searches for the steps that the answer skips, and shows it with them and with the verdict on the whole. */
async function insertMissing() {
  const answer = derivation;
  byId("fill").disabled = true;
  byId("filling").textContent = "Searching for missing steps …";
  const found = await findMissing(answer).catch((error) => error);
  byId("fill").disabled = false;
  if (answer !== derivation || running) return;
  const isFailed = found instanceof Error;
  byId("fill").hidden = !isFailed;
  byId("filling").textContent = isFailed ? `Nothing was inserted. ${found.message}` : found.message;
  if (found.checked) showVerdict(answer, found.checked, found.inserted);
}

/** Returns a message on the search; where it found steps, also their numbers and the verdict on the whole. */
async function findMissing({ text, prompt }) {
  const verdict = await (await request("/check", { prompt, derivation: text, fill: true })).json();
  if (!hasSkipped(verdict)) return { message: "The search for missing steps took too long." };
  const { equations, missing: inserted } = verdict.filled;
  if (!inserted.length) return { message: "No missing steps were found. The search inserts two in a row at most." };
  const checked = await check(equations.join(SEPARATOR), prompt);
  const message = inserted.length === 1 ? "1 missing step was inserted." : `${inserted.length} missing steps were inserted.`;
  return { message, inserted, checked };
}

// ---- Start

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
  changed();
});
byId("stop").addEventListener("click", () => running.abort());
byId("fill").addEventListener("click", insertMissing);
byId("copy").addEventListener("click", copy);
Promise.all([modelName(), offerExamples()]).catch(fail);
