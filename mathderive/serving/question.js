// The question: what is typed, how the server writes it in the notation of the model, and what is wrong with it.

import { request, typeset } from "/client.js";
import { formula, visible } from "/formulas.js";

const PAUSE_BEFORE_READING = 250; // ms
const INCOMPLETE = "The question is not complete.";
const FIELDS = ["premises", "derive", "goal"];

/** The lines of a field: one equation each, as typed. */
function linesOf(field) {
  const lines = byId(field).value.split("\n");
  return lines.map((line) => line.replace(/\s+/g, " ").trim()).filter(Boolean);
}

/** The question as typed, in the form in which the server reads it. */
function typedQuestion() {
  return JSON.stringify({ premises: linesOf("premises"), derive: linesOf("derive"), goal: linesOf("goal").join("") });
}

let last = {}; // the question that was read last, as typed, and what the server found

/** Returns for each field its equations in the model's notation or with their faults, and the prompt of them all. */
export async function readQuestion(signal) {
  const typed = typedQuestion();
  if (last.typed !== typed) {
    const { premises, derive, goal, prompt } = await (await request("/notation", JSON.parse(typed), signal)).json();
    last = { typed, found: { premises, derive, goal: goal ? [goal] : [], prompt } };
  }
  return last.found;
}

// ---- What is wrong

function complaint(field, equations) {
  if (field === "premises" && !equations.length) return "Expected at least one premise.";
  if (field === "goal" && !equations.length) return "Expected a goal.";
  const at = equations.findIndex(({ fault }) => fault);
  if (at < 0) return "";
  return `${equations.length > 1 ? `Equation ${at + 1}: ` : ""}${visible(equations[at].fault)}.`;
}

/** Shows at a field what is wrong with it; returns whether anything is. */
function complain(question, field) {
  const message = complaint(field, question[field]);
  byId(`${field}-error`).textContent = message;
  byId(field).setAttribute("aria-invalid", Boolean(message));
  return Boolean(message);
}

/** Shows what is wrong with each field; returns the fields where anything is. */
export function wrongFields(question) {
  return FIELDS.filter((field) => complain(question, field));
}

// ---- The preview

let timer = 0;

/** Shows the question as it would be sent, when it has not changed for a moment. */
export function changed() {
  clearTimeout(timer);
  timer = setTimeout(preview, PAUSE_BEFORE_READING);
}

async function preview() {
  const typed = typedQuestion();
  const question = await readQuestion().catch(() => null); // a failure is shown when the question is asked
  if (!question || typed !== typedQuestion()) return;
  byId("prompt").textContent = question.prompt ?? INCOMPLETE;
  for (const field of FIELDS) if (byId(`${field}-error`).textContent) complain(question, field);
  const texts = FIELDS.flatMap((field) => question[field].flatMap(({ text }) => text ?? []));
  const found = await typeset(texts).catch(() => []);
  if (typed !== typedQuestion()) return;
  const mathml = new Map(texts.map((text, index) => [text, found[index]]));
  for (const field of FIELDS) {
    const lines = linesOf(field);
    const items = question[field].map(({ text }, index) => previewItem(text, lines[index], mathml));
    byId(`${field}-preview`).replaceChildren(...items);
    items.forEach((item) => letScroll(item.firstChild));
  }
}

/** An equation as it would be sent: typeset, and its text where that is not what was typed; or a line with a fault. */
function previewItem(text, line, mathml) {
  const item = create("li", "");
  item.append(text ? formula(text, mathml.get(text)) : formula(line, null));
  if (text && text !== line) item.append(create("code", "sent", text));
  return item;
}

// ---- Examples

export async function offerExamples() {
  const examples = await (await request("/examples.json")).json();
  byId("example").append(...examples.map(({ name }, index) => new Option(name, index)));
  byId("example").addEventListener("change", ({ target }) => {
    if (target.value) fill(examples[target.value]);
  });
}

function fill(example) {
  for (const field of FIELDS) byId(field).value = [example[field]].flat().join("\n"); // the goal is one equation
  changed();
}

for (const field of FIELDS) {
  byId(field).addEventListener("input", () => {
    byId("example").value = "";
    changed();
  });
}
byId("prompt").textContent = INCOMPLETE;
