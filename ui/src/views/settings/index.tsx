// What the server keeps, hides, charges and lets whom do; a tab each. Reading and changing are asked for by scope: what
// somebody may not do is said, not hidden.
import type { VNode } from "preact";
import { useId } from "preact/hooks";
import { useKeys } from "../../keys";
import { place, setParams } from "../../url";
import { Tabs } from "../../widgets/Tabs";
import { AuditLog } from "./AuditLog";
import { Keys } from "./Keys";
import { Overview } from "./Overview";
import { People } from "./People";
import { Prices } from "./Prices";
import { Redaction } from "./Redaction";
import { Retention } from "./Retention";
import "./settings.css";

const TABS = [
  { id: "overview", label: "Overview", Shown: Overview },
  { id: "retention", label: "Retention", Shown: Retention },
  { id: "redaction", label: "Redaction", Shown: Redaction },
  { id: "prices", label: "Prices", Shown: Prices },
  { id: "keys", label: "Keys", Shown: Keys },
  { id: "people", label: "People", Shown: People },
  { id: "audit", label: "Audit log", Shown: AuditLog },
] as const;

export function Settings(): VNode {
  const { params, project } = place.value;
  const panel = useId();
  const chosen = TABS.find(({ id }) => id === params["tab"]) ?? TABS[0];
  const { Shown } = chosen;
  const choose = (id: string): void => {
    // what another tab has put into the address ends with it
    const rest = Object.fromEntries(Object.keys(params).map((name) => [name, null]));
    setParams({ ...rest, tab: id === TABS[0].id ? null : id });
  };
  const move = (by: number): void => choose(TABS[(TABS.indexOf(chosen) + by + TABS.length) % TABS.length]!.id);
  useKeys("detail", { nextTab: () => move(1), previousTab: () => move(-1) });
  return (
    <>
      <Tabs label="settings" tabs={TABS} chosen={chosen.id} panel={panel} onChoose={choose} />
      <div class="settings" id={panel} role="tabpanel" aria-label={chosen.label} tabIndex={-1}>
        <Shown key={project} />
      </div>
    </>
  );
}
