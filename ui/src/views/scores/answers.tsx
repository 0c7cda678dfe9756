// The bar under a conversation: the answers with their keys, a comment, what was answered before, and what could not be
// saved.
import type { Ref, VNode } from "preact";
import type { ScoreRow } from "../../api/types";
import { ago, plural } from "../../model/format";
import { type Choice, readAs } from "../../model/queue";
import { drop, sendAgain, type Sent, unsaved } from "./outbox";

export interface Draft {
  choice: Choice | undefined;
  comment: string;
}

export interface AnswerBarProps {
  choices: readonly Choice[];
  draft: Draft;
  /** What was answered since the page was opened. */
  before: Sent | undefined;
  /** The newest score that the reader gave earlier. */
  own: ScoreRow | undefined;
  others: readonly ScoreRow[];
  allowed: boolean;
  first: boolean;
  commentBox: Ref<HTMLTextAreaElement>;
  onLabel(choice: Choice): void;
  onComment(text: string): void;
  onSave(): void;
  onSkip(): void;
  onBack(): void;
}

export function AnswerBar(props: AnswerBarProps): VNode {
  const { choices, draft, allowed } = props;
  return (
    <footer class="queue-bar" aria-label="your answer">
      <Unsaved />
      <div class="queue-answers">
        <div class="queue-labels" role="group" aria-label="answers">
          {choices.map((choice) => (
            <button
              key={choice.key}
              type="button"
              class="button"
              disabled={!allowed}
              aria-pressed={draft.choice?.key === choice.key}
              onClick={() => props.onLabel(choice)}
            >
              <kbd>{choice.key}</kbd>
              {choice.label !== choice.key && <span class="one-line">{choice.label}</span>}
              {draft.choice?.key === choice.key && <span aria-hidden="true">✓</span>}
            </button>
          ))}
        </div>
        <textarea
          ref={props.commentBox}
          class="input"
          rows={1}
          maxLength={10_000}
          disabled={!allowed}
          aria-label="comment"
          placeholder="comment (i) · Enter saves, Esc leaves"
          value={draft.comment}
          onInput={(event) => props.onComment(event.currentTarget.value)}
          onKeyDown={(event) => {
            if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
              event.preventDefault();
              props.onSave();
            } else if (event.key === "Escape") {
              event.preventDefault();
              event.stopPropagation();
              event.currentTarget.blur();
            }
          }}
        />
        <div class="queue-moves">
          <button type="button" class="button" disabled={props.first} onClick={props.onBack}>
            <kbd>b</kbd> back
          </button>
          <button type="button" class="button" onClick={props.onSkip}>
            <kbd>n</kbd> skip
          </button>
          <button type="button" class="button first" disabled={!allowed || !draft.choice} onClick={props.onSave}>
            <kbd>s</kbd> save and next
          </button>
        </div>
      </div>
      <p class="queue-said muted">
        <Before {...props} />
        {props.others.length > 0 && (
          <details>
            <summary>{plural(props.others.length, "score")} by others</summary>{" "}
            {props.others.slice(0, 12).map((row) => (
              <span key={row.score_id} class="chip" title={row.comment}>
                {row.author === "" ? "a program" : who(row.author)}: <b>{readAs(choices, row.value, row.label)}</b>
              </span>
            ))}
          </details>
        )}
      </p>
    </footer>
  );
}

const who = (author: string): string => author.replace(/^\w+:/, "");

function Before({ before, own, choices }: AnswerBarProps): VNode {
  if (before?.state === "saved")
    return (
      <span>
        You answered <b>{before.label}</b>. Answer again to change it: the newest of yours counts.
      </span>
    );
  if (before?.state === "failed")
    return (
      <span class="error">
        ✕ Your answer <b>{before.label}</b> is not saved yet.
      </span>
    );
  if (before) return <span>Saving {before.label} …</span>;
  if (own)
    return (
      <span>
        You answered <b>{readAs(choices, own.value, own.label)}</b> {ago(own.time_ns)}. Answer again to change it: the
        newest of yours counts.
      </span>
    );
  return <span>The newest answer of each person counts; go back with b to change one.</span>;
}

/** What could not be saved, and what can be done about it. It is sent again by itself where that may help. */
function Unsaved(): VNode | null {
  const waiting = unsaved.value;
  const first = waiting[0];
  if (!first?.error) return null;
  const forGood = waiting.filter(
    ({ error }) => error && error.status >= 400 && error.status < 500 && error.status !== 429,
  );
  return (
    <div class="failure" role="alert">
      <b class="error">
        ✕ {plural(waiting.length, "answer is", "answers are")} not saved: {first.error.message}
      </b>{" "}
      <span class="muted">
        {forGood.length === waiting.length
          ? "It would fail again as it is."
          : "Kept here and sent again every few seconds; do not close the page."}
      </span>{" "}
      <button type="button" class="button" onClick={sendAgain}>
        Send again
      </button>{" "}
      {forGood.length > 0 && (
        <button type="button" class="button" onClick={() => forGood.forEach(drop)}>
          Give them up
        </button>
      )}
    </div>
  );
}
