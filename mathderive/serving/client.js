// The page's requests to its server.

import { LONGEST_FORMULA, MOST_SENTENCES } from "/constants.js";

const EQUATIONS_AT_ONCE = 16; // fewer than /typeset allows, so that the first ones appear early

export const BROKEN = "The connection ended before the answer did.";

/** A refusal or an incomplete answer; the message is for the reader. */
export class Failure extends Error {
  constructor(message, status = 0) {
    super(message);
    this.status = status;
  }
}

export async function request(path, body, signal) {
  const headers = byId("key").value ? { Authorization: `Bearer ${byId("key").value}` } : {};
  const sent = body && { method: "POST", body: JSON.stringify(body) };
  if (body) headers["Content-Type"] = "application/json";
  const response = await fetch(path, { ...sent, headers, signal }).catch((error) => {
    throw error.name === "AbortError" ? error : new Failure("The server cannot be reached.");
  });
  if (!response.ok) throw new Failure(await reason(response), response.status);
  return response;
}

async function reason(response) {
  if (response.status === 401) {
    byId("key-field").hidden = false;
    return byId("key").value ? "The server does not accept this API key." : "This server asks for an API key.";
  }
  if (response.status === 429) {
    const seconds = Number(response.headers.get("Retry-After"));
    const when = seconds ? `in ${seconds} ${seconds === 1 ? "second" : "seconds"}` : "later";
    return `The server is busy. Try again ${when}.`;
  }
  const said = await response.json().catch(() => null);
  return `The server refused: ${said?.error?.message ?? `status ${response.status}`}.`;
}

let model = "";

/** Returns the name of the served model. */
export async function modelName() {
  if (!model) {
    const response = await request("/v1/models");
    model = (await response.json()).data[0].id;
    byId("model").textContent = ` · ${model}`;
  }
  return model;
}

/** Yields the events of an answer as they arrive. */
export async function* events(response) {
  let text = "";
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let read = await reader.read(); !read.done; read = await reader.read()) {
    text += read.value;
    const whole = text.split("\n\n");
    text = whole.pop();
    for (const event of whole) {
      const data = event.replace(/^data: /, "");
      if (data === "[DONE]") return;
      yield JSON.parse(data);
    }
  }
  throw new Failure(BROKEN);
}

const known = new Map(); // from equation to its MathML or null

/** Returns the MathML of each equation, null for a text that cannot be parsed as one. */
export async function typeset(equations) {
  const wanted = new Set(equations.filter((text) => !known.has(text) && text.length <= LONGEST_FORMULA));
  const unknown = [...wanted];
  while (unknown.length) {
    const asked = unknown.splice(0, EQUATIONS_AT_ONCE);
    const response = await request("/typeset", { equations: asked });
    const { mathml } = await response.json();
    asked.forEach((text, index) => known.set(text, mathml[index]));
  }
  return equations.map((text) => known.get(text) ?? null);
}

/** Returns the parts of each reason: words, and formulas with their MathML. */
export async function typesetReasons(reasons) {
  const parts = [];
  while (parts.length < reasons.length) {
    const sentences = reasons.slice(parts.length, parts.length + MOST_SENTENCES);
    parts.push(...(await (await request("/typeset", { equations: [], sentences })).json()).sentences);
  }
  return parts;
}
