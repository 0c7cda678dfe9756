// Small parts of the page of logs: a level with its sign and name, the choice of the least level, and what is said
// where there are none.
import type { VNode } from "preact";
import { LEVELS, levelIn, levelName, levelOf, levelSign, withLevel } from "../../model/logs";
import { place, root, setParams } from "../../url";
import { CodeBox, Empty } from "../../widgets/parts";

export function Level({ severity }: { severity: number }): VNode {
  return (
    <span class={`level level-${levelOf(severity)}`} title={severity > 0 ? `severity ${severity}` : "no severity"}>
      <span aria-hidden="true" class="sign">
        {levelSign(severity)}
      </span>
      {levelName(severity)}
    </span>
  );
}

const CHOICES = ["debug", "info", "warning", "error"] as const;

/** One click for the usual question: this level and above. */
export function LevelChips(): VNode {
  const q = place.value.params["q"] ?? "";
  const least = levelIn(q);
  const choose = (id: (typeof CHOICES)[number] | undefined): void => setParams({ q: withLevel(q, id) });
  return (
    <div class="levels" role="group" aria-label="least level">
      <button type="button" class="button" aria-pressed={least === undefined} onClick={() => choose(undefined)}>
        every level
      </button>
      {CHOICES.map((id) => {
        const level = LEVELS.find((one) => one.id === id)!;
        return (
          <button
            type="button"
            key={id}
            class="button"
            aria-pressed={least === id}
            title={`${id} and above`}
            onClick={() => choose(least === id ? undefined : id)}
          >
            <span class={`level level-${id}`}>
              <span aria-hidden="true" class="sign">
                {level.sign}
              </span>
              {level.name}
            </span>
            <span class="muted" aria-hidden="true">
              +
            </span>
            <span class="sr-only"> and above</span>
          </button>
        );
      })}
    </div>
  );
}

/** Where no log has ever come, or none that matches. */
export function NoLogs({ live }: { live: boolean }): VNode {
  const { params, project } = place.value;
  if (params["q"])
    return (
      <Empty title={live ? "Nothing that matches has come yet" : "No log matches"}>
        <p class="muted">
          <code>{params["q"]}</code> finds nothing in this time.
        </p>
        <p class="actions">
          <button type="button" class="button" onClick={() => setParams({ q: null })}>
            Clear the filter
          </button>
          {params["t"] !== "all" && (
            <button type="button" class="button" onClick={() => setParams({ t: "all" })}>
              Look at all of time
            </button>
          )}
        </p>
      </Empty>
    );
  const server = new URL(root, location.href).href.replace(/\/$/, "");
  const where = project === "" || project === "default" ? "" : `, project="${project}"`;
  return (
    <Empty title={live ? "No log has come yet" : params["t"] === "all" ? "No logs yet" : "No logs in this time"}>
      {params["t"] !== "all" && !live && (
        <p>
          <button type="button" class="button" onClick={() => setParams({ t: "all" })}>
            Look at all of time
          </button>
        </p>
      )}
      <p>What a Python program logs comes here by one handler; with its trace and span where there is one:</p>
      <CodeBox
        label="copy the program"
        text={`import logging

from vestigo import Tracer, VestigoHandler

# api_key="vst_..." besides, unless the program runs on the server's machine
tracer = Tracer("my-service", "${server}"${where})
root = logging.getLogger()
root.setLevel("INFO")
root.addHandler(VestigoHandler(tracer))

logging.getLogger("shop.orders").info("order %s placed", 4711, extra={"items": 3})
tracer.close()
`}
      />
      <p class="muted">
        Any other program sends them by OpenTelemetry:{" "}
        <code>OTEL_EXPORTER_OTLP_ENDPOINT={server} OTEL_LOGS_EXPORTER=otlp</code>
      </p>
    </Empty>
  );
}
