// A JSON value as flat rows, as a virtual list shows them: children are made when a container is opened, so that a
// value of megabytes costs no more than what is open. Nothing here recurses: hostile values nest thousands deep.

export type JsonSort = "object" | "array" | "string" | "number" | "boolean" | "null";

export interface JsonRow {
  readonly depth: number;
  /** Name in the object or place in the array above; null for the root. */
  readonly key: string | number | null;
  readonly value: unknown;
  readonly sort: JsonSort;
  /** Entries of a container, characters of a text, else 0. */
  readonly size: number;
  readonly parent: JsonRow | null;
  readonly open: boolean;
}

export function sortOf(value: unknown): JsonSort {
  if (value === null || value === undefined) return "null";
  if (Array.isArray(value)) return "array";
  switch (typeof value) {
    case "string":
      return "string";
    case "number":
    case "bigint":
      return "number";
    case "boolean":
      return "boolean";
    default:
      return "object";
  }
}

/** Values of so few rows in all are shown whole. */
const SMALL = 30;
const DEEPEST = 8;

/**
 * The rows of a value, its upper levels open: the root always, the next ones down to `depth` while all of a level fits
 * in `limit`, and those below while there are few rows in all.
 */
export function rowsOf(value: unknown, depth = 2, limit = 2_000, small = SMALL): JsonRow[] {
  const root = rowOf(null, value, null);
  const levels = fittingLevels(root, depth, limit, small);
  const rows: JsonRow[] = [];
  const waiting: JsonRow[] = [root];
  for (let row = waiting.pop(); row !== undefined; row = waiting.pop()) {
    const opens = isContainer(row) && row.size > 0 && row.depth < levels;
    const shown = opens ? opened(row) : row;
    rows.push(shown);
    if (opens) pushReversed(waiting, childrenOf(shown));
  }
  return rows;
}

function fittingLevels(root: JsonRow, depth: number, limit: number, small: number): number {
  let level: JsonRow[] = [root];
  let made = 1;
  for (let at = 0; at < Math.max(depth, DEEPEST); at += 1) {
    made += level.reduce((sum, row) => sum + (isContainer(row) ? row.size : 0), 0);
    if ((at > 0 && made > limit) || (at >= depth && (depth === 0 || made > small))) return at;
    level = level.flatMap((row) => (isContainer(row) ? childrenOf(row) : []));
  }
  return DEEPEST;
}

export const isContainer = (row: JsonRow): boolean => row.sort === "object" || row.sort === "array";

/** New rows with the container at `index` opened, or closed with all below it. */
export function toggle(rows: readonly JsonRow[], index: number): JsonRow[] {
  const row = rows[index];
  if (row === undefined || !isContainer(row) || row.size === 0) return [...rows];
  if (row.open) {
    const end = endOf(rows, index);
    return rows.slice(0, index).concat({ ...row, open: false }, rows.slice(end));
  }
  const shown = opened(row);
  return rows.slice(0, index).concat(shown, childrenOf(shown), rows.slice(index + 1));
}

/** Rows with everything below `index` open, up to `limit` new rows: the rest stays closed. */
export function openAll(rows: readonly JsonRow[], index: number, limit = 100_000): JsonRow[] {
  const row = rows[index];
  if (row === undefined || !isContainer(row)) return [...rows];
  const made: JsonRow[] = [];
  const waiting: JsonRow[] = [row];
  while (waiting.length > 0) {
    const next = waiting.pop();
    if (next === undefined) break;
    const opens = isContainer(next) && next.size > 0 && made.length + next.size <= limit;
    const shown = opens ? opened(next) : { ...next, open: false };
    made.push(shown);
    if (opens) pushReversed(waiting, childrenOf(shown));
  }
  return rows.slice(0, index).concat(made, rows.slice(endOf(rows, index)));
}

/** Where the row above, in whose container it stands, is; -1 for the root. */
export function parentIndex(rows: readonly JsonRow[], index: number): number {
  const depth = rows[index]?.depth ?? 0;
  for (let at = index - 1; at >= 0; at -= 1) if ((rows[at]?.depth ?? 0) < depth) return at;
  return -1;
}

/** How a row is reached from the root, as JavaScript and Python write it: `.messages[0]["a b"]`. */
export function pathOf(row: JsonRow): string {
  const keys: (string | number)[] = [];
  for (let at: JsonRow | null = row; at !== null && at.key !== null; at = at.parent) keys.push(at.key);
  return writtenPath(keys.toReversed());
}

export function writtenPath(keys: readonly (string | number)[]): string {
  return keys
    .map((key) => {
      if (typeof key === "number") return `[${key}]`;
      return /^[A-Za-z_$][\w$]*$/.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`;
    })
    .join("");
}

export interface Place {
  readonly keys: readonly (string | number)[];
}

/** Where a text occurs in names and plain values, in order, at most `limit` places. Case does not count. */
export function findText(value: unknown, text: string, limit = 1_000): Place[] {
  const wanted = text.toLowerCase();
  const found: Place[] = [];
  if (wanted === "") return found;
  interface Step {
    key: string | number | null;
    value: unknown;
    up: Step | null;
  }
  const waiting: Step[] = [{ key: null, value, up: null }];
  while (waiting.length > 0 && found.length < limit) {
    const step = waiting.pop();
    if (step === undefined) break;
    const held = step.value;
    if (holds(step.key, wanted) || (typeof held !== "object" && holds(held, wanted))) {
      const keys: (string | number)[] = [];
      for (let at: Step | null = step; at !== null && at.key !== null; at = at.up) keys.push(at.key);
      found.push({ keys: keys.toReversed() });
    }
    if (Array.isArray(held)) {
      for (let at = held.length - 1; at >= 0; at -= 1) waiting.push({ key: at, value: held[at], up: step });
    } else if (typeof held === "object" && held !== null) {
      const entries = Object.entries(held);
      for (let at = entries.length - 1; at >= 0; at -= 1) {
        const entry = entries[at];
        if (entry !== undefined) waiting.push({ key: entry[0], value: entry[1], up: step });
      }
    }
  }
  return found;
}

/** Rows with every container on the way to a place open, and where the place stands in them; -1 if it is gone. */
export function reveal(rows: readonly JsonRow[], place: Place): { rows: JsonRow[]; index: number } {
  let now = [...rows];
  let index = 0;
  for (const key of place.keys) {
    const row = now[index];
    if (row === undefined) return { rows: now, index: -1 };
    if (!row.open) now = toggle(now, index);
    const depth = row.depth + 1;
    let at = index + 1;
    while (at < now.length && (now[at]?.depth ?? 0) >= depth && !(now[at]?.depth === depth && now[at]?.key === key)) {
      at += 1;
    }
    if (now[at]?.depth !== depth || now[at]?.key !== key) return { rows: now, index: -1 };
    index = at;
  }
  return { rows: now, index };
}

/** JSON text, indented; a short word in place of what nests too deep to be written. */
export function jsonText(value: unknown, indent = 2): string {
  try {
    return JSON.stringify(value, null, indent) ?? "null";
  } catch {
    return `"(nested too deep to be written)"`;
  }
}

/** The object or array that a text holds as JSON, else the value as it is: attributes often hold JSON as text. */
export function unwrapped(value: unknown): unknown {
  if (typeof value !== "string") return value;
  const head = value.trimStart()[0];
  if (head !== "{" && head !== "[") return value;
  try {
    const read: unknown = JSON.parse(value);
    return typeof read === "object" && read !== null ? read : value;
  } catch {
    return value;
  }
}

/** A value on one line, at most `limit` characters of it, without writing all of a large one. */
export function oneLine(value: unknown, limit = 120): string {
  let room = limit;
  const write = (held: unknown, depth: number): string => {
    if (room <= 0) return "";
    if (Array.isArray(held) || (typeof held === "object" && held !== null)) {
      const [head, tail] = Array.isArray(held) ? ["[", "]"] : ["{", "}"];
      if (depth > 8) return `${head}…${tail}`;
      room -= 2;
      const parts: string[] = [];
      if (Array.isArray(held)) {
        for (const item of held) {
          if (room <= 0) break;
          parts.push(write(item, depth + 1));
        }
      } else {
        for (const key in held) {
          if (room <= 0) break;
          room -= key.length + 2;
          parts.push(`${key}: ${write((held as Record<string, unknown>)[key], depth + 1)}`);
        }
      }
      return head + parts.join(", ") + tail;
    }
    const text = typeof held === "string" ? JSON.stringify(held.slice(0, room + 1)) : String(held);
    room -= text.length + 2;
    return text;
  };
  const text = write(value, 0).replaceAll(/\s+/g, " ");
  return text.length > limit ? `${text.slice(0, limit - 1)}…` : text;
}

function rowOf(key: string | number | null, value: unknown, parent: JsonRow | null): JsonRow {
  const sort = sortOf(value);
  let size = 0;
  if (sort === "array") size = (value as unknown[]).length;
  else if (sort === "object") size = Object.keys(value as object).length;
  else if (sort === "string") size = (value as string).length;
  return { depth: parent === null ? 0 : parent.depth + 1, key, value, sort, size, parent, open: false };
}

const opened = (row: JsonRow): JsonRow => ({ ...row, open: true });

function childrenOf(row: JsonRow): JsonRow[] {
  if (row.sort === "array") return (row.value as unknown[]).map((item, at) => rowOf(at, item, row));
  return Object.entries(row.value as object).map(([key, item]) => rowOf(key, item, row));
}

function endOf(rows: readonly JsonRow[], index: number): number {
  const depth = rows[index]?.depth ?? 0;
  let end = index + 1;
  while (end < rows.length && (rows[end]?.depth ?? 0) > depth) end += 1;
  return end;
}

// not `push(...items)`: that has as many arguments as there are items, and the stack ends near 100,000
function pushReversed<T>(to: T[], items: readonly T[]): void {
  for (let at = items.length - 1; at >= 0; at -= 1) to.push(items[at] as T);
}

function holds(value: unknown, wanted: string): boolean {
  return value !== null && value !== undefined && String(value).toLowerCase().includes(wanted);
}
