// Types of what the server answers, made from its route table: python tools/page_types.py > ui/src/api/types.ts
// Never edited by hand. Names that end in _ns are decimal strings of nanoseconds since 1970.

/** As `storage.skeleton.Skeleton`: one entry per span in each column, by (start, span id). */
export interface Columns {
  readonly trace_id: string;
  readonly start_ns: string;
  readonly count: number;
  readonly names: readonly string[];
  readonly kinds: readonly string[];
  readonly models: readonly string[];
  readonly span_id: readonly string[];
  /** Where the parent stands in the columns; -1 for none, -2 for one that was not received. */
  readonly parent: readonly number[];
  readonly name: readonly number[];
  readonly kind: readonly number[];
  readonly model: readonly (number | null)[];
  readonly start_us: readonly number[];
  /** null while a span is open. */
  readonly duration_us: readonly (number | null)[];
  /** 1 failed, 2 open, 4 its tokens and cost count in sums, 8 used tokens that nobody knows the price of. */
  readonly flags: readonly number[];
  readonly tokens_in: readonly (number | null)[];
  readonly tokens_out: readonly (number | null)[];
  readonly cost_usd: readonly (number | null)[];
  readonly ttft_us: readonly (number | null)[];
}

export interface Completion {
  readonly start: number;
  readonly end: number;
  readonly items: readonly Suggestion[];
  /** Why the whole text cannot be read as it stands. */
  readonly error: Mistake | null;
}

/** What one call cost in USD. */
export interface Cost {
  readonly total_usd?: number | null;
  readonly input_usd?: number | null;
  readonly output_usd?: number | null;
  readonly source?: "computed" | "reported" | "unknown";
  /** Which price was applied: `table/provider/model@date`, or `override:model`, or empty. */
  readonly price_id?: string;
}

export interface Counted {
  readonly value: string;
  readonly count: number;
}

/** A field that was cut. */
export interface CutField {
  /** Such as `attributes.gen_ai.input.messages` or `messages.input`. */
  readonly field: string;
  /** Of its JSON. */
  readonly size_bytes: number;
  /** Where all of it is. */
  readonly href: string;
}

export interface Deleted {
  readonly traces: number;
  /** Whether nothing is left of it, as far as was looked. */
  readonly complete: boolean;
  /** Counts by kind of record, and what was found when files were looked through afterwards. */
  readonly report: Readonly<Record<string, unknown>>;
}

/** A trace or a span that got different values under one name. */
export interface Disagreement {
  readonly name: string;
  readonly trace_id: string;
  readonly span_id: string | null;
  readonly given: readonly Given[];
}

export interface Entries {
  readonly entries: readonly EntryShown[];
  /** `sequence:hash` of the newest entry, to be kept elsewhere. */
  readonly head: string;
}

export interface EntryShown {
  readonly sequence: number;
  readonly time_ns: string;
  readonly principal: string;
  readonly action: string;
  readonly project: string;
  /** null when it was erased, and so for the detail. */
  readonly object: string | null;
  readonly outcome: string;
  readonly detail: Readonly<Record<string, unknown>> | null;
  readonly address: string;
  readonly hash: string;
}

/** Whom or what to forget: one of these, or several that must all hold. */
export interface EraseBody {
  readonly user?: string;
  readonly session?: string;
  readonly trace?: string;
  readonly q?: string;
  readonly start?: string;
  readonly end?: string;
  readonly dry_run?: boolean;
}

/** The newest erasures first. */
export interface Erasures {
  readonly items: readonly Told[];
}

export interface ErrorAnswer {
  readonly error: ErrorTold;
}

/** Failed spans of one name whose errors have one type and one form. */
export interface ErrorGroup {
  readonly error_type: string;
  /** With `…` in the place of what differs: numbers, ids, quoted text, addresses. */
  readonly message: string;
  readonly span_name: string;
  readonly count: number;
  readonly first_ns: string;
  readonly last_ns: string;
  /** The newest one. */
  readonly trace_id: string;
  readonly span_id: string;
  readonly example: string;
  /** Different end users whose spans or traces failed so; at least, where there are more than 1,000 traces. */
  readonly users: number;
  /** How many there were over time, in equal parts of the window. */
  readonly buckets: readonly number[];
}

/** Why a request was refused. */
export interface ErrorTold {
  /** A word for programs, such as `bad_query`. */
  readonly code: string;
  readonly message: string;
  /** Of a filter: where the mistake is, in characters. */
  readonly position: number | null;
}

export interface Errors {
  readonly groups: readonly ErrorGroup[];
  readonly spans_read: number;
  /** Whether all failed spans were read; else only the newest. */
  readonly complete: boolean;
  /** What the buckets share among them: the window, or where it is open the time from the first to the last. */
  readonly start_ns: string;
  readonly end_ns: string;
}

export interface EventRow {
  readonly time_ns: string;
  readonly name: string;
  readonly attributes: Readonly<Record<string, unknown>>;
}

export interface Facet {
  readonly field: string;
  readonly values: readonly FieldValue[];
  /** Whether there are further values. */
  readonly more: boolean;
  /** Spans without the field. */
  readonly missing: number | null;
}

export interface Facets {
  readonly facets: readonly Facet[];
}

export interface FieldValue {
  readonly value: string;
  /** Spans, multiplied by their weights; null where only the order is known. */
  readonly count: number | null;
}

export interface FieldValues {
  readonly values: readonly string[];
}

export interface Given {
  readonly score_id: string;
  readonly time_ns: string;
  /** `user:ann@example.org`, `key:7f3a`, or the service that sent it. */
  readonly source: string;
  readonly by_people: boolean;
  readonly value: number | null;
  readonly label: string | null;
  readonly comment: string;
}

export interface GroupPage {
  readonly items: readonly GroupRow[];
  readonly cursor: string | null;
}

/** A session or a user: its traces, and the start of the first and the last of them. */
export interface GroupRow {
  readonly key: string;
  readonly traces: number;
  readonly failed: number;
  readonly spans: number;
  readonly errors: number;
  readonly calls: number;
  readonly input_tokens: number;
  readonly output_tokens: number;
  readonly cost_usd: number | null;
  readonly unpriced_calls: number;
  readonly first_ns: string;
  readonly last_ns: string;
}

export interface Histogram {
  readonly step_ns: string;
  /** Starts of the buckets, all of them from the first to the last that has logs. */
  readonly times_ns: readonly string[];
  /** The levels that there are, the lowest first. */
  readonly levels: readonly LevelCounts[];
  readonly logs_read: number;
  /** Whether all logs of the window were read; else only the newest, back to `read_from_ns`. */
  readonly complete: boolean;
  readonly read_from_ns: string;
}

/** A key without its secret. */
export interface KeyShown {
  readonly id: string;
  readonly name: string;
  readonly grants: Readonly<Record<string, readonly string[]>>;
  readonly created_ns: string;
  readonly created_by: string;
  readonly expires_ns: string | null;
  readonly revoked_ns: string | null;
  /** Within ten minutes. */
  readonly used_ns: string | null;
}

export interface Keys {
  readonly keys: readonly KeyShown[];
}

export interface LevelCounts {
  /** trace, debug, info, warning, error, fatal. */
  readonly level: string;
  /** In each bucket of time. */
  readonly counts: readonly number[];
}

export interface LinkRow {
  readonly trace_id: string;
  readonly span_id: string;
  readonly attributes: Readonly<Record<string, unknown>>;
}

/** The data of a `batch` event: what is new or has changed and matches, as lists show it. */
export interface LiveBatch {
  readonly traces?: readonly TraceRow[];
  /** New, open and finished ones; `end_ns` tells which. */
  readonly spans?: readonly SpanRow[];
  readonly logs?: readonly LogRow[];
  /** Records that were not looked at because there were too many: ask the list. */
  readonly left_out?: number;
}

/** The data of a `lost` event: changes that came faster than they were read. */
export interface LiveLost {
  readonly changes: number;
}

export interface LogPage {
  readonly items: readonly LogRow[];
  readonly cursor: string | null;
}

/** A log record. */
export interface LogRow {
  readonly log_id: string;
  readonly time_ns: string;
  readonly severity: number;
  readonly event_name: string;
  readonly body: unknown;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly trace_id: string | null;
  readonly span_id: string | null;
  readonly service: string;
  /** Name of the logger. */
  readonly scope_name: string;
  readonly cut: boolean;
}

export interface Login {
  readonly user: string;
  readonly password: string;
}

export interface Made {
  readonly id: string;
  /** Told this one time. */
  readonly token: string;
}

/** Where the matching spans stand in the skeleton's columns. */
export interface Matching {
  readonly indices: readonly number[];
}

/** Who calls, and what the page may offer. */
export interface Me {
  /** `user:ann@example.org`, `key:7f3a`, `local`, or `anonymous`. */
  readonly name: string;
  /** Project, or `*` for every one -> scopes. */
  readonly grants: Readonly<Record<string, readonly string[]>>;
  /** Whether `/auth/oidc/start` leads to a login. */
  readonly oidc: boolean;
  readonly version: string;
  /** The project to begin with; empty for whoever may read none. */
  readonly default_project: string;
}

export interface Mistake {
  readonly message: string;
  readonly position: number | null;
}

/** A model that was called in the window, with what its calls cost when they were made. */
export interface ModelPrice {
  readonly provider: string | null;
  readonly model: string | null;
  readonly calls: number;
  /** null where no call has a known cost. */
  readonly cost_usd: number | null;
  /** Calls that used tokens and whose cost nobody knows. */
  readonly unpriced_calls: number;
  readonly price: PriceRow;
}

/** What a key is to be; with `replaces`, name and grants are by default those of the old one. */
export interface NewKey {
  readonly name?: string;
  readonly scopes?: readonly string[];
  /** By default the one that the request is about; `*` is every one. */
  readonly projects?: readonly string[];
  readonly expires_in_s?: number | null;
  /** Id of a key that ends when the overlap is over. */
  readonly replaces?: string;
  readonly overlap_s?: number;
}

export interface NewPassword {
  /** The one until now. */
  readonly password: string;
  readonly new: string;
}

/** A number, a yes or no (1 or 0), or a label, of a trace or one of its spans. */
export interface NewScore {
  readonly trace_id: string;
  readonly span_id?: string | null;
  readonly name: string;
  readonly value: number | boolean | string;
  readonly comment?: string;
}

export interface NewUser {
  readonly name: string;
  /** Without one, the user comes by the OpenID Connect issuer only. */
  readonly password?: string | null;
  /** Project, or `*` for every one -> viewer, member or admin. */
  readonly roles?: Readonly<Record<string, string>>;
}

/** What every dialect of LLM span says, in one form. */
export interface NormalForm {
  readonly kind?:
    | "agent"
    | "chain"
    | "embedding"
    | "evaluator"
    | "fetch"
    | "guardrail"
    | "llm"
    | "mcp"
    | "memory"
    | "prompt"
    | "rerank"
    | "retrieval"
    | "span"
    | "tool"
    | "workflow";
  readonly dialect?: string;
  readonly provider?: string | null;
  readonly request_model?: string | null;
  readonly response_model?: string | null;
  readonly response_id?: string | null;
  readonly usage?: Usage | null;
  readonly usage_role?: "duplicate" | "leaf" | "rollup";
  readonly cost?: Cost | null;
  readonly ttft_s?: number | null;
  readonly finish_reasons?: readonly string[];
  readonly session_id?: string | null;
  readonly user_id?: string | null;
  readonly agent_name?: string | null;
  readonly tool_name?: string | null;
  readonly tool_call_id?: string | null;
  readonly prompt_name?: string | null;
  readonly prompt_version?: string | null;
}

/** A price of one's own, from the file of the setting `prices`; null: whatever it is. */
export interface OwnPriceRow {
  /** A name, or a pattern with * and ?. */
  readonly model: string;
  readonly provider: string | null;
  /** The first and the last day, such as 2026-01-31; null is without bound. */
  readonly first: string | null;
  readonly last: string | null;
  readonly service_tier: string | null;
  readonly batch: boolean | null;
  /** Whether today is one of its days. */
  readonly in_force: boolean;
  readonly price: PriceRow;
}

export interface Password {
  readonly password: string;
}

export interface PointPage {
  readonly items: readonly PointRow[];
  readonly cursor: string | null;
}

/** A data point of a metric, as `record.Point`. */
export interface PointRow {
  readonly name: string;
  readonly kind: string;
  readonly time_ns: string;
  readonly start_ns: string;
  readonly value: number | null;
  readonly unit: string;
  readonly description: string;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly delta: boolean;
  readonly monotonic: boolean;
  readonly count: number | null;
  readonly sum: number | null;
  readonly min: number | null;
  readonly max: number | null;
  readonly bounds: readonly number[];
  readonly buckets: readonly number[];
  readonly scale: number;
  readonly zero_count: number;
  readonly offset: number;
  readonly negative_offset: number;
  readonly negative_buckets: readonly number[];
  readonly quantiles: readonly (readonly [number, number])[];
  readonly service: string;
}

/** What is kept of a project; 0 keeps everything. */
export interface Policy {
  /** Traces and logs that began longer ago are deleted. */
  readonly days: number;
  /** Above this many traces the oldest are deleted. */
  readonly traces: number;
  /** Filter of what nobody may delete, such as `session:s7 or tag:case-12`; `*` is all of the project. */
  readonly hold: string;
}

/** What is kept of a project; 0 keeps everything. */
export interface PolicyGiven {
  /** Traces and logs that began longer ago are deleted. */
  readonly days?: number;
  /** Above this many traces the oldest are deleted. */
  readonly traces?: number;
  /** Filter of what nobody may delete, such as `session:s7 or tag:case-12`; `*` is all of the project. */
  readonly hold?: string;
}

export interface PriceList {
  /** Name and version of the price table; empty where none is installed. */
  readonly table: string;
  /** In the order in which they are looked at, before the table. */
  readonly own: readonly OwnPriceRow[];
  /** The most expensive first, then the most called. */
  readonly models: readonly ModelPrice[];
  /** Models beyond those that are told. */
  readonly left_out: number;
}

/** What a model costs now; with `reason` set, why nobody knows. */
export interface PriceRow {
  /** Where it comes from: `genai-prices-VERSION/provider/model@date`, or `override:model`. */
  readonly price_id: string;
  readonly rates: readonly Rate[];
  readonly request_usd: number;
  readonly reason: string;
}

export interface Projects {
  readonly projects: readonly string[];
}

/** The price of one sort of token. */
export interface Rate {
  /** A field of `Usage`. */
  readonly unit: string;
  readonly usd_per_million: number;
  /** In calls with more input tokens than this; -1 is the price without such a condition. */
  readonly above: number;
}

/** What is kept, and what that has deleted so far. */
export interface RetentionState {
  readonly policy: Policy;
  readonly default: Policy;
  /** Whether the project has a policy of its own. */
  readonly own: boolean;
  readonly figures: Readonly<Record<string, number>>;
}

export interface Role {
  readonly user: string;
  /** viewer, member or admin; '' takes it away. */
  readonly role: string;
  /** By default the one that the request is about; `*` is every one. */
  readonly project: string;
}

export interface RoleGiven {
  readonly user: string;
  /** viewer, member or admin; '' takes it away. */
  readonly role: string;
  /** By default the one that the request is about; `*` is every one. */
  readonly project?: string;
}

export interface Roles {
  readonly roles: readonly Role[];
}

export interface RuleRow {
  readonly name: string;
  readonly kind: string;
  readonly on: boolean;
}

/** The text of a call as OpenTelemetry's message parts. */
export interface Said {
  readonly input: readonly unknown[];
  readonly output: readonly unknown[];
  readonly system: readonly unknown[];
  readonly tools: readonly unknown[];
}

export interface ScorePage {
  readonly items: readonly ScoreRow[];
  readonly cursor: string | null;
}

export interface ScoreRow {
  readonly score_id: string;
  readonly time_ns: string;
  readonly name: string;
  readonly value: number | null;
  readonly label: string | null;
  readonly comment: string;
  readonly trace_id: string | null;
  readonly span_id: string | null;
  /** Who gave it by `/api/scores`; empty where a program did. */
  readonly author: string;
}

/** The scores of one name. */
export interface ScoreTally {
  readonly name: string;
  readonly count: number;
  /** Given by somebody who was logged in; the rest by programs. */
  readonly by_people: number;
  readonly by_programs: number;
  readonly numbers: number;
  readonly mean: number | null;
  readonly min: number | null;
  readonly max: number | null;
  /** Numbers in ten equal parts between `min` and `max`; all of them in the first one where those are the same. */
  readonly bins: readonly number[];
  /** Labels, the most frequent first, at most 20. */
  readonly labels: readonly Counted[];
  /** Who gave them, the most frequent first, at most 20. */
  readonly sources: readonly Counted[];
  /** In each bucket of time. */
  readonly counts: readonly number[];
  readonly means: readonly (number | null)[];
}

export interface Scored {
  readonly score_id: string;
}

export interface Series {
  readonly by: readonly string[];
  readonly step_ns: string | null;
  /** Starts of the buckets, all of them from the first to the last that has spans. */
  readonly times_ns: readonly string[];
  readonly groups: readonly SeriesGroup[];
  /** Groups beyond those that were asked for. */
  readonly left_out: number;
}

export interface SeriesGroup {
  readonly keys: readonly (string | null)[];
  /** By measure: one figure for each time, or one in all. */
  readonly values: Readonly<Record<string, readonly (number | null)[]>>;
}

export interface SettingRow {
  readonly name: string;
  readonly value: string;
}

/** A span with all it says; what is larger than 256 kB is cut and named in `cut`. */
export interface SpanDetail {
  readonly span: SpanRow;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly resource: Readonly<Record<string, unknown>>;
  readonly scope_name: string;
  readonly scope_version: string;
  readonly trace_state: string;
  readonly status_message: string;
  readonly events: readonly EventRow[];
  readonly links: readonly LinkRow[];
  readonly normal: NormalForm;
  readonly messages: Said;
  /** Logs and scores of the span. */
  readonly logs: readonly LogRow[];
  readonly more_logs: boolean;
  readonly cut: readonly CutField[];
}

export interface SpanPage {
  readonly items: readonly SpanRow[];
  readonly cursor: string | null;
}

/** A span in a list. */
export interface SpanRow {
  readonly trace_id: string;
  readonly span_id: string;
  readonly parent_id: string | null;
  readonly name: string;
  /** What it is to an LLM application; `span_kind` is OpenTelemetry's. */
  readonly kind: string;
  readonly span_kind: string;
  readonly start_ns: string;
  readonly end_ns: string | null;
  readonly duration_ms: number | null;
  readonly status: string;
  readonly error_message: string | null;
  readonly service: string;
  readonly provider: string | null;
  readonly model: string | null;
  readonly input_tokens: number | null;
  readonly output_tokens: number | null;
  readonly cost_usd: number | null;
  readonly ttft_ms: number | null;
  readonly session_id: string | null;
  readonly user_id: string | null;
  readonly tool: string | null;
  readonly agent: string | null;
  /** Whether its tokens and cost count in sums. */
  readonly counted: boolean;
  readonly weight: number;
  readonly input_preview: string;
  readonly output_preview: string;
}

export interface Status {
  readonly version: string;
  /** Seconds since 1970. */
  readonly started_s: number;
  readonly now_s: number;
  /** What is in force; secrets show only that they are set. */
  readonly settings: readonly SettingRow[];
  /** Rows and bytes, where the storage knows them, and what is free on the disk of the data directory. */
  readonly storage: Readonly<Record<string, number>>;
  readonly counters: Readonly<Record<string, number>>;
  /** Counters that tell of something lost, refused or failed, in plain words; the largest first. */
  readonly troubles: readonly Trouble[];
  readonly redaction: readonly RuleRow[];
}

export interface Suggestion {
  /** What takes the place of the text from `start` to `end`. */
  readonly text: string;
  readonly kind: "field" | "operator" | "scope" | "value";
  /** The comparison that usually follows a field. */
  readonly then: string;
  /** Spans in the window that have this value. */
  readonly count: number | null;
}

export interface Tally {
  /** The most frequent first. */
  readonly names: readonly ScoreTally[];
  readonly step_ns: string | null;
  /** Starts of the buckets, all of them from the first to the last that has scores. */
  readonly times_ns: readonly string[];
  /** Of the newest scores first, at most 100. */
  readonly disagreements: readonly Disagreement[];
  /** How many there are in all. */
  readonly disagreeing: number;
  readonly scores_read: number;
  /** Scores that the same source has given anew since. */
  readonly replaced: number;
  /** Whether all scores of the window were read; else only the newest. */
  readonly complete: boolean;
}

/** An erasure as the API tells it. */
export interface Told {
  readonly project: string;
  /** Empty in the record of the past, which must not name whom it forgot. */
  readonly filter: string;
  /** By which those who know the filter find it again. */
  readonly filter_sha256: string;
  readonly by: string;
  readonly start_ns: string;
  readonly end_ns: string;
  readonly started_ns: string;
  readonly finished_ns: string;
  readonly traces: number;
  readonly spans: number;
  readonly logs: number;
  readonly points: number;
  readonly bodies: number;
  readonly words: number;
  readonly names: number;
  /** Records that waited to be sent on. */
  readonly spooled: number;
  /** Entries of the audit log that named it; they say now that something was erased. */
  readonly audit_entries: number;
  readonly bytes_freed: number;
  readonly steps: number;
  readonly longest_step_s: number;
  readonly probes: number;
  readonly copies: Readonly<Record<string, number>>;
  readonly arrived: number;
  readonly troubles: readonly string[];
  readonly clean: boolean;
  readonly dry_run: boolean;
}

export interface TracePage {
  readonly items: readonly TraceRow[];
  readonly cursor: string | null;
}

/** A trace in a list. */
export interface TraceRow {
  readonly trace_id: string;
  readonly name: string;
  readonly service: string;
  readonly start_ns: string;
  readonly end_ns: string | null;
  readonly duration_ms: number | null;
  readonly status: string;
  readonly error_message: string | null;
  readonly spans: number;
  readonly errors: number;
  readonly open_spans: number;
  readonly calls: number;
  readonly input_tokens: number;
  readonly output_tokens: number;
  readonly cached_tokens: number;
  readonly reasoning_tokens: number;
  readonly cost_usd: number | null;
  readonly unpriced_calls: number;
  readonly session_id: string | null;
  readonly user_id: string | null;
  readonly models: readonly string[];
  readonly weight: number;
  readonly input_preview: string;
  readonly output_preview: string;
}

/** A counter above 0 that tells of something lost, refused or failed. */
export interface Trouble {
  readonly name: string;
  readonly count: number;
  readonly meaning: string;
  readonly remedy: string;
}

/** One trace of a conversation. */
export interface Turn {
  readonly trace: TraceRow;
  /** The span whose messages these are: the root if it has some, else the first call that has; null without any. */
  readonly span_id: string | null;
  readonly kind: string;
  readonly messages: Said;
  /** The last call of a model, where that is another span: what it answered is what the trace came to. */
  readonly answer_span_id: string | null;
  readonly answer: readonly unknown[];
  /** What is larger than 256 kB is cut; the link leads to all of it. */
  readonly cut: readonly CutField[];
}

export interface TurnPage {
  readonly items: readonly Turn[];
  readonly cursor: string | null;
}

/** Tokens of one call. */
export interface Usage {
  readonly input?: number | null;
  readonly cache_read?: number | null;
  readonly cache_write?: number | null;
  readonly cache_write_1h?: number | null;
  readonly output?: number | null;
  readonly reasoning?: number | null;
  readonly audio_input?: number | null;
  readonly audio_output?: number | null;
  readonly image_input?: number | null;
  readonly image_output?: number | null;
}

export interface UserShown {
  readonly name: string;
  readonly roles: Readonly<Record<string, string>>;
  readonly password: boolean;
  /** Whether the user has come by the OpenID Connect issuer. */
  readonly linked: boolean;
  readonly created_ns: string;
}

export interface Users {
  readonly users: readonly UserShown[];
}

/** A trace with its spans by start, a page at a time, and its first logs by time. */
export interface WholeTrace {
  /** null where only logs are known of it. */
  readonly trace: TraceRow | null;
  readonly spans: readonly SpanRow[];
  readonly cursor: string | null;
  readonly logs: readonly LogRow[];
  readonly more_logs: boolean;
}

/** GET routes: what may be asked, and the answer. `project` is added by the client. */
export interface Gets {
  "/api/audit": {
    query: {
      principal?: string;
      action?: string;
      of_project?: string;
      object?: string;
      start_ns?: number;
      end_ns?: number;
      before?: number;
      limit?: number;
    };
    answer: Entries;
  };
  "/api/complete": {
    query: {
      q?: string;
      at?: number;
      start?: string;
      end?: string;
    };
    answer: Completion;
  };
  "/api/endusers": {
    query: {
      q?: string;
      start?: string;
      end?: string;
      order?: "newest" | "oldest" | "slowest";
      limit?: number;
      cursor?: string;
    };
    answer: GroupPage;
  };
  "/api/erasures": {
    query: {};
    answer: Erasures;
  };
  "/api/errors": {
    query: {
      q?: string;
      start?: string;
      end?: string;
      limit?: number;
    };
    answer: Errors;
  };
  "/api/facets": {
    query: {
      q?: string;
      start?: string;
      end?: string;
      fields?: string;
      limit?: number;
    };
    answer: Facets;
  };
  "/api/keys": {
    query: {};
    answer: Keys;
  };
  "/api/logs": {
    query: {
      q?: string;
      start?: string;
      end?: string;
      order?: "newest" | "oldest" | "slowest";
      limit?: number;
      cursor?: string;
    };
    answer: LogPage;
  };
  "/api/logs/histogram": {
    query: {
      q?: string;
      start?: string;
      end?: string;
      step?: string;
    };
    answer: Histogram;
  };
  "/api/me": {
    query: {};
    answer: Me;
  };
  "/api/points": {
    query: {
      q?: string;
      start?: string;
      end?: string;
      order?: "newest" | "oldest" | "slowest";
      limit?: number;
      cursor?: string;
    };
    answer: PointPage;
  };
  "/api/prices": {
    query: {
      q?: string;
      start?: string;
      end?: string;
    };
    answer: PriceList;
  };
  "/api/projects": {
    query: {};
    answer: Projects;
  };
  "/api/retention": {
    query: {};
    answer: RetentionState;
  };
  "/api/roles": {
    query: {};
    answer: Roles;
  };
  "/api/scores": {
    query: {
      q?: string;
      start?: string;
      end?: string;
      order?: "newest" | "oldest" | "slowest";
      limit?: number;
      cursor?: string;
      name?: string;
      trace_id?: string;
    };
    answer: ScorePage;
  };
  "/api/scores/summary": {
    query: {
      q?: string;
      start?: string;
      end?: string;
      name?: string;
      step?: string;
    };
    answer: Tally;
  };
  "/api/series": {
    query: {
      q?: string;
      start?: string;
      end?: string;
      measures?: string;
      by?: string;
      step?: string;
      groups?: number;
    };
    answer: Series;
  };
  "/api/sessions": {
    query: {
      q?: string;
      start?: string;
      end?: string;
      order?: "newest" | "oldest" | "slowest";
      limit?: number;
      cursor?: string;
    };
    answer: GroupPage;
  };
  "/api/spans": {
    query: {
      q?: string;
      start?: string;
      end?: string;
      order?: "newest" | "oldest" | "slowest";
      limit?: number;
      cursor?: string;
    };
    answer: SpanPage;
  };
  "/api/spans/{trace_id}/{span_id}": {
    query: {
      field?: string;
    };
    answer: SpanDetail;
  };
  "/api/status": {
    query: {};
    answer: Status;
  };
  "/api/traces": {
    query: {
      q?: string;
      start?: string;
      end?: string;
      order?: "newest" | "oldest" | "slowest";
      limit?: number;
      cursor?: string;
    };
    answer: TracePage;
  };
  "/api/traces/{trace_id}": {
    query: {
      limit?: number;
      cursor?: string;
    };
    answer: WholeTrace;
  };
  "/api/traces/{trace_id}/match": {
    query: {
      q?: string;
    };
    answer: Matching;
  };
  "/api/traces/{trace_id}/skeleton": {
    query: {};
    answer: Columns;
  };
  "/api/turns": {
    query: {
      session: string;
      limit?: number;
      cursor?: string;
    };
    answer: TurnPage;
  };
  "/api/users": {
    query: {};
    answer: Users;
  };
  "/api/values": {
    query: {
      q?: string;
      start?: string;
      end?: string;
      field: string;
      prefix?: string;
      limit?: number;
    };
    answer: FieldValues;
  };
}

/** Routes that change something, by method and path. */
export interface Sends {
  "POST /api/erase": {
    query: {};
    body: EraseBody;
    answer: Told;
  };
  "POST /api/keys": {
    query: {};
    body: NewKey;
    answer: Made;
  };
  "DELETE /api/keys/{key_id}": {
    query: {};
    body: undefined;
    answer: void;
  };
  "POST /api/login": {
    query: {};
    body: Login;
    answer: void;
  };
  "POST /api/logout": {
    query: {};
    body: undefined;
    answer: void;
  };
  "POST /api/password": {
    query: {};
    body: NewPassword;
    answer: void;
  };
  "PUT /api/retention": {
    query: {};
    body: PolicyGiven;
    answer: RetentionState;
  };
  "PUT /api/roles": {
    query: {};
    body: RoleGiven;
    answer: void;
  };
  "POST /api/scores": {
    query: {};
    body: NewScore;
    answer: Scored;
  };
  "DELETE /api/traces": {
    query: {
      q?: string;
      start?: string;
      end?: string;
      everything?: "" | "yes";
    };
    body: undefined;
    answer: Deleted;
  };
  "POST /api/users": {
    query: {};
    body: NewUser;
    answer: void;
  };
  "DELETE /api/users/{name}": {
    query: {};
    body: undefined;
    answer: void;
  };
  "PUT /api/users/{name}/password": {
    query: {};
    body: Password;
    answer: void;
  };
}

export type GetPath = keyof Gets;
export type QueryOf<P extends GetPath> = Gets[P]["query"];
export type AnswerOf<P extends GetPath> = Gets[P]["answer"];

export type SendKey = keyof Sends;
export type SentOf<K extends SendKey> = Sends[K]["body"];
export type ToldOf<K extends SendKey> = Sends[K]["answer"];
