// Text, formulas and verdicts, for the run report's explorer and the server's page. It is a plain script, not a module, so
// that the report can contain it. verdict_signs.py puts the constant SIGNS in front of it.

const MATHML = "http://www.w3.org/1998/Math/MathML";
const ATTRIBUTES = ["xmlns", "display", "stretchy", "accent", "fence", "form", "width"]; // as in typeset.py

const byId = (id) => document.getElementById(id);

function create(tag, className, text = "") {
  const element = document.createElement(tag);
  element.className = className;
  element.textContent = text;
  return element;
}

/** A `<math>` element from its text; null unless every part of it is presentation MathML. */
function mathFrom(text) {
  const { documentElement: root } = new DOMParser().parseFromString(text, "application/xml");
  const isMath = (element) =>
    element.namespaceURI === MATHML && element.getAttributeNames().every((name) => ATTRIBUTES.includes(name));
  // The element that reports a parse error is in another namespace.
  return [root, ...root.querySelectorAll("*")].every(isMath) ? document.importNode(root, true) : null;
}

/** Lets the keyboard scroll a formula that is too wide. */
function letScroll(box) {
  if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
}

// ---- Verdicts

const signOf = (verdict) => create("span", `sign ${kindOf(verdict)}`, SIGNS[kindOf(verdict)]);

/** The paper's error category if one applies, else the verdict; the same as `StepVerdict.category` in Python. */
function kindOf({ truth, redundant, irrelevant }) {
  if (truth === "incorrect") return truth;
  return redundant ? "redundant" : irrelevant ? "irrelevant" : truth;
}

/** An equation's verdict in a line: its sign, its name and its reason. */
function verdictLine(verdict, reason) {
  const { truth, redundant, irrelevant } = verdict;
  const said = [truth, redundant && "redundant", irrelevant && "irrelevant"].filter(Boolean);
  const box = create("p", "verdict");
  box.append(signOf(verdict), create("span", `kinds ${kindOf(verdict)}`, said.join(", ")), reason);
  return box;
}
