// The annotation queue: what is labelled with which name and labels, or, where the address does not say so, the form
// that asks. All of it is in the address, so that a link gives somebody else the same work.
import type { VNode } from "preact";
import { mistakeIn } from "../../model/queue";
import { place } from "../../url";
import { Labelling } from "./labelling";
import { Setup } from "./setup";
import "./scores.css";

export function Queue(): VNode {
  const { params, project } = place.value;
  const name = params["name"] ?? "";
  const labels = params["labels"] ?? "";
  if (params["setup"] === "1" || mistakeIn(name, labels) !== "") return <Setup key={project} />;
  return <Labelling key={`${project} ${name}`} />;
}
