// The table of views: where each comes from, and what its title is. The only place that knows them all.
import type { ComponentType } from "preact";
import type { View } from "../url";
import { Traces } from "../views/traces";

type Load = () => Promise<ComponentType>;

export const VIEWS: Readonly<Record<View, { title: string; shown?: ComponentType; load: Load }>> = {
  // in the first script: it is what one sees first, and what it is made of the others need too
  traces: { title: "Traces", shown: Traces, load: async () => Traces },
  trace: { title: "Trace", load: async () => (await import("../views/trace")).Trace },
  sessions: { title: "Sessions", load: async () => (await import("../views/sessions")).Sessions },
  session: { title: "Session", load: async () => (await import("../views/sessions/session")).Session },
  logs: { title: "Logs", load: async () => (await import("../views/logs")).Logs },
  dash: { title: "Dashboards", load: async () => (await import("../views/dash")).Dash },
  errors: { title: "Errors", load: async () => (await import("../views/errors")).Errors },
  scores: { title: "Scores", load: async () => (await import("../views/scores")).Scores },
  queue: { title: "Annotate", load: async () => (await import("../views/scores/queue")).Queue },
  compare: { title: "Compare", load: async () => (await import("../views/compare")).Compare },
  settings: { title: "Settings", load: async () => (await import("../views/settings")).Settings },
  login: { title: "Log in", load: async () => (await import("../views/login")).Login },
};
