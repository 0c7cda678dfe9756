// Documents that a span retrieved or ranked, from the attributes of the dialects that name them.

export interface Document {
  readonly id: string;
  readonly score: number | null;
  readonly content: string;
  /** All else that is told of it. */
  readonly rest: Readonly<Record<string, unknown>>;
}

const FLAT = ["retrieval.documents", "reranker.output_documents", "reranker.input_documents"] as const;
const LISTS = ["gen_ai.retrieval.documents", ...FLAT] as const;
const OUTPUTS = [
  "output.value",
  "langfuse.observation.output",
  "traceloop.entity.output",
  "mlflow.spanOutputs",
  "haystack.component.output",
  "genkit:output",
] as const;
const QUERIES = [
  "gen_ai.retrieval.query.text",
  "reranker.query",
  "gen_ai.memory.query.text",
  "input.value",
  "mlflow.spanInputs",
  "traceloop.entity.input",
] as const;

type Attributes = Readonly<Record<string, unknown>>;

export function documentsOf(attributes: Attributes): Document[] {
  for (const name of LISTS) {
    const held = parsed(attributes[name]);
    if (Array.isArray(held) && held.length > 0) return held.map(documentOf);
  }
  for (const prefix of FLAT) {
    const found = numbered(attributes, `${prefix}.`);
    if (found.length > 0) return found.map(documentOf);
  }
  for (const name of OUTPUTS) {
    let held = parsed(attributes[name]);
    if (isRecord(held)) held = held["documents"] ?? held["output"] ?? held["result"];
    if (Array.isArray(held) && held.length > 0 && held.every(isDocument)) return held.map(documentOf);
  }
  return [];
}

/** What was looked for, as text; empty if no attribute tells. */
export function queryOf(attributes: Attributes): string {
  for (const name of QUERIES) {
    const held = attributes[name];
    if (typeof held === "string" && held !== "") {
      const read = parsed(held);
      if (isRecord(read)) {
        const inner = read["query"] ?? read["question"] ?? read["input"];
        return typeof inner === "string" ? inner : held;
      }
      return typeof read === "string" ? read : held;
    }
  }
  return "";
}

/** The least and the greatest score, for bars; null where nothing is scored. */
export function scoreRange(documents: readonly Document[]): readonly [number, number] | null {
  const scores = documents.map((document) => document.score).filter((score) => score !== null);
  if (scores.length === 0) return null;
  return [Math.min(0, ...scores), Math.max(...scores.map(Math.abs), Number.MIN_VALUE)];
}

function documentOf(item: unknown): Document {
  const told = parsed(item);
  if (!isRecord(told)) return { id: "", score: null, content: typeof told === "string" ? told : "", rest: {} };
  const held = isRecord(told["document"]) ? { ...told, ...told["document"] } : told;
  const { id, document_id, score, content, page_content, pageContent, text, document: _document, ...rest } = held;
  const number = typeof score === "string" && score.trim() !== "" ? Number(score) : score;
  const said = content ?? page_content ?? pageContent ?? text;
  return {
    id: String(id ?? document_id ?? ""),
    score: typeof number === "number" && Number.isFinite(number) ? number : null,
    content: typeof said === "string" ? said : said === undefined || said === null ? "" : JSON.stringify(said),
    rest,
  };
}

/** `retrieval.documents.0.document.id` and its like as a list of objects. */
function numbered(attributes: Attributes, prefix: string): Record<string, unknown>[] {
  const found = new Map<number, Record<string, unknown>>();
  for (const name in attributes) {
    if (!name.startsWith(prefix)) continue;
    const match = /^(\d{1,5})\.(?:document\.)?(.+)$/.exec(name.slice(prefix.length));
    if (match === null) continue;
    const at = Number(match[1]);
    const item = found.get(at) ?? {};
    item[match[2] ?? ""] = attributes[name];
    found.set(at, item);
  }
  return [...found.entries()].toSorted(([one], [two]) => one - two).map(([, item]) => item);
}

function parsed(value: unknown): unknown {
  if (typeof value !== "string" || !/^\s*[{["]/.test(value)) return value;
  try {
    return JSON.parse(value) as unknown;
  } catch {
    return value;
  }
}

function isDocument(item: unknown): boolean {
  const names = ["page_content", "pageContent", "content", "text", "document"];
  return isRecord(item) && !("role" in item) && names.some((name) => name in item);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
