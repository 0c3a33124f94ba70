// Text, formulas and verdicts, for the run report's explorer and the server's page. It is a plain script, not a module, so
// that the report can contain it. verdict_signs.py puts the constants SIGNS and MATHML_ATTRIBUTES in front of it.

const MATHML = "http://www.w3.org/1998/Math/MathML";

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
    element.namespaceURI === MATHML && element.getAttributeNames().every((name) => MATHML_ATTRIBUTES.includes(name));
  // The element that reports a parse error is in another namespace.
  return [root, ...root.querySelectorAll("*")].every(isMath) ? document.importNode(root, true) : null;
}

/** Lets the keyboard scroll a formula that is too wide. */
function letScroll(box) {
  if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
}

// ---- Verdicts

// Each verdict comes with its `kind` and `words`: see `VerdictLabel` in mathderive/checker/verdicts.py.

const signOf = ({ kind }) => create("span", `sign ${kind}`, SIGNS[kind]);

/** An equation's verdict in a line: its sign, its name and its reason. */
function verdictLine(label, reason) {
  const box = create("p", "verdict");
  box.append(signOf(label), create("span", `kinds ${label.kind}`, label.words.join(", ")), reason);
  return box;
}
