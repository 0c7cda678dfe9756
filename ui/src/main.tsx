// Mounts the page: theme, keys, links, and the table of views, each loaded when it is first shown.
import { effect } from "@preact/signals";
import { render } from "preact";
import { learn } from "./api/session";
import { listen } from "./keys";
import { App } from "./shell/App";
import { theme } from "./shell/theme";
import { followLinks } from "./url";
import "./theme.css";

effect(() => {
  if (theme.value === "system") delete document.documentElement.dataset["theme"];
  else document.documentElement.dataset["theme"] = theme.value;
});
listen();
followLinks();
void learn();
render(<App />, document.getElementById("page")!);
