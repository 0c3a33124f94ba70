// Equations and sentences on the page.
//
// Everything that was typed, generated or sent by the server is put on the page as text. The one exception is MathML,
// which is parsed as XML and checked first: see `mathFrom` in report/elements.js, whose functions these scripts use.

import { KEPT, UNSEEN } from "/constants.js";

const UNSEEN_CHARACTER = new RegExp(`(?![${KEPT}])[${UNSEEN.map((category) => `\\p{${category}}`).join("")}]`, "gu");

/** Shows invisible characters, which could disguise the text, as their numbers, as mathderive/report/plain.py does. */
export function visible(text) {
  const number = (character) => character.codePointAt(0).toString(16).toUpperCase().padStart(4, "0");
  return text.replace(UNSEEN_CHARACTER, (character) => `⟨U+${number(character)}⟩`);
}

/** The typeset equation; without MathML its text, marked if `mathml` is null and unmarked while it is undefined. */
export function formula(text, mathml) {
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

/** A checker's reason for a verdict, from its parts. */
export function reasonOf(parts) {
  const box = create("span", "reason");
  for (const { text, is_formula: isFormula, mathml } of parts) {
    const math = mathml ? mathFrom(mathml) : null;
    math?.setAttribute("display", "inline");
    box.append(math ?? (isFormula ? create("code", "", visible(text)) : visible(text)));
  }
  return box;
}
