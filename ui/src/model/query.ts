// Whole terms of a filter text, appended and taken away. The text is parsed on the server and nowhere else: what is
// done here keeps to whole terms at the end or found as they were put there.

const PLAIN = /^[\w./@+%#-]+$/;

/** A value as it may stand in a filter text. */
export function quoted(value: string): string {
  if (PLAIN.test(value)) return value;
  return `"${value.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`;
}

/** A term such as `model=gpt-4o` or `-user="ann b"`. */
export function term(field: string, value: string, not = false): string {
  return `${not ? "-" : ""}${field}=${quoted(value)}`;
}

/** The terms of a text, at its spaces outside quotes and brackets. */
export function terms(text: string): string[] {
  const found: string[] = [];
  let from = 0;
  let depth = 0;
  let quote = false;
  for (let at = 0; at <= text.length; at++) {
    const sign = text[at];
    if (at === text.length || (!quote && depth === 0 && /\s/.test(sign ?? ""))) {
      if (at > from) found.push(text.slice(from, at));
      from = at + 1;
    } else if (sign === "\\" && quote) at++;
    else if (sign === '"') quote = !quote;
    else if (!quote && (sign === "(" || sign === "[")) depth++;
    else if (!quote && (sign === ")" || sign === "]")) depth = Math.max(0, depth - 1);
  }
  return found;
}

/** Whether a text has alternatives at its top, so that what is appended would belong to the last one only. */
function hasOr(text: string): boolean {
  return terms(text).includes("OR");
}

export function holds(text: string, one: string): boolean {
  return !hasOr(text) && terms(text).includes(one);
}

/** The text with a term more; the same text if it has it, and without its opposite. */
export function append(text: string, one: string): string {
  const trimmed = text.trim();
  if (trimmed === "") return one;
  if (hasOr(trimmed)) return `(${trimmed}) ${one}`;
  const opposite = one.startsWith("-") ? one.slice(1) : `-${one}`;
  const kept = terms(trimmed).filter((term) => term !== opposite);
  return kept.includes(one) ? kept.join(" ") : [...kept, one].join(" ");
}

export function remove(text: string, one: string): string {
  if (hasOr(text)) return text;
  return terms(text)
    .filter((term) => term !== one)
    .join(" ");
}

/** Put a term in, or take it out if it is there. */
export function toggle(text: string, one: string): string {
  return holds(text, one) ? remove(text, one) : append(text, one);
}

/** The text with its user and session asked of the first span of the trace: `root(user:ann)`; else the same text. */
export function ofTheTrace(text: string): string {
  const lifted = terms(text).map((one) => one.replace(/^(-?)((?:user|session)[:=].+)$/s, "$1root($2)"));
  return hasOr(text) ? text : lifted.join(" ");
}
