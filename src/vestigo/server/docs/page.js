"use strict";
// Draws openapi.json. Everything that comes from the server becomes text nodes, never markup.

const byId = (id) => document.getElementById(id);

function make(tag, properties = {}, ...children) {
  const node = Object.assign(document.createElement(tag), properties);
  node.append(...children);
  return node;
}

function typeOf(schema) {
  if (!schema) return "";
  if (schema.$ref) return schema.$ref.split("/").pop();
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
  if (schema.anyOf) return schema.anyOf.map(typeOf).join(" | ");
  if (schema.type === "array") return `[${typeOf(schema.items)}]`;
  if (schema.type === "object" && schema.additionalProperties) return `{name: ${typeOf(schema.additionalProperties)}}`;
  return schema.type || "any";
}

function typeLink(schema) {
  const name = typeOf(schema).replace(/[^\w.]/g, "");
  const code = make("code", { textContent: typeOf(schema) });
  return byId(`schema-${name}`) ? make("a", { href: `#schema-${name}` }, code) : code;
}

function input(parameter) {
  const schema = parameter.schema;
  if (schema.enum) {
    const options = ["", ...schema.enum].map((value) => make("option", { value, textContent: value }));
    return make("select", { name: parameter.name }, ...options);
  }
  const hint = schema.default === undefined ? "" : String(schema.default);
  return make("input", { name: parameter.name, placeholder: hint, required: parameter.required, autocomplete: "off" });
}

async function ask(method, path, operation, form, shown) {
  let url = path;
  const query = new URLSearchParams();
  for (const parameter of operation.parameters) {
    const value = form.elements.namedItem(parameter.name).value;
    if (parameter.in === "path") url = url.replace(`{${parameter.name}}`, encodeURIComponent(value));
    else if (value !== "") query.set(parameter.name, value);
  }
  const headers = { "X-Vestigo": "1" };
  if (byId("key").value) headers.Authorization = `Bearer ${byId("key").value}`;
  const options = { method: method.toUpperCase(), headers };
  if (operation.requestBody) {
    headers["Content-Type"] = "application/json";
    options.body = form.elements.namedItem("body").value;
  }
  const address = url.slice(1) + (query.size ? `?${query}` : "");
  shown.className = "";
  shown.textContent = `${options.method} /${address}\n…`;
  try {
    const answer = await fetch(address, options);
    let text = await answer.text();
    try { text = JSON.stringify(JSON.parse(text), null, 2); } catch { /* not JSON: shown as it is */ }
    shown.className = answer.ok ? "" : "failed";
    const cut = text.length > 200000 ? `${text.slice(0, 200000)}\n… ${text.length} characters in all` : text;
    shown.textContent = `${options.method} /${address}\n${answer.status}\n\n${cut}`;
  } catch (error) {
    shown.className = "failed";
    shown.textContent = String(error);
  }
}

function example(schema, schemas, depth = 0) {
  if (schema.$ref) return example(schemas[schema.$ref.split("/").pop()], schemas, depth + 1);
  if (schema.anyOf) return example(schema.anyOf[0], schemas, depth + 1);
  if (schema.default !== undefined) return schema.default;
  if (schema.type === "object" && schema.properties && depth < 4) {
    return Object.fromEntries(Object.entries(schema.properties).map(([k, v]) => [k, example(v, schemas, depth + 1)]));
  }
  return { string: "", integer: 0, number: 0, boolean: false, array: [] }[schema.type] ?? null;
}

function route(method, path, operation, schemas) {
  const shown = make("pre", { textContent: "" });
  const form = make("form");
  const rows = operation.parameters.map((parameter) => make("tr", {},
    make("td", { textContent: parameter.name + (parameter.required ? " *" : "") }),
    make("td", {}, input(parameter)),
    make("td", { className: "muted" }, typeLink(parameter.schema), ` ${parameter.description || ""}`)));
  form.append(make("table", {}, ...rows));
  const body = operation.requestBody?.content["application/json"].schema;
  if (body) {
    const text = JSON.stringify(example(body, schemas), null, 2);
    form.append(make("p", {}, "Body: ", typeLink(body)), make("textarea", { name: "body", rows: 8, value: text }));
  }
  const answer = operation.responses["200"].content?.["application/json"]?.schema;
  if (answer) form.append(make("p", {}, "Answer: ", typeLink(answer)));
  if (!path.endsWith("/live")) {
    form.append(make("button", { textContent: "Try it" }), shown);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      ask(method, path, operation, form, shown);
    });
  }
  const title = make("summary", {},
    make("span", { className: "method", textContent: method.toUpperCase() }),
    make("code", { textContent: path }),
    make("span", { className: "muted", textContent: `  ${operation.summary}  (${operation["x-scope"]})` }));
  return make("details", { className: "route" }, title, make("div", { className: "body" }, form));
}

function schema(name, told) {
  const rows = Object.entries(told.properties || {}).map(([key, value]) => make("tr", {},
    make("td", { textContent: key + ((told.required || []).includes(key) ? " *" : "") }),
    make("td", { className: "muted" }, typeLink(value), ` ${value.description || ""}`)));
  const about = make("p", { className: "muted", textContent: told.description || "" });
  return [about, make("table", {}, ...rows)];
}

function find() {
  const wanted = byId("find").value.toLowerCase();
  for (const node of document.querySelectorAll(".route")) {
    node.hidden = !node.querySelector("summary").textContent.toLowerCase().includes(wanted);
  }
}

async function draw() {
  const told = await (await fetch("openapi.json")).json();
  byId("about").textContent = `${told.info.description} Version ${told.info.version}.`;
  const schemas = told.components.schemas;
  for (const name of Object.keys(schemas)) {
    const title = make("summary", {}, make("code", { textContent: name }));
    byId("schemas").append(make("details", { id: `schema-${name}` }, title));
  }
  for (const [name, one] of Object.entries(schemas)) byId(`schema-${name}`).append(...schema(name, one));
  const tags = new Map();
  for (const [path, operations] of Object.entries(told.paths)) {
    for (const [method, operation] of Object.entries(operations)) {
      const tag = operation.tags[0];
      if (!tags.has(tag)) tags.set(tag, []);
      tags.get(tag).push(route(method, path, operation, schemas));
    }
  }
  for (const [tag, nodes] of tags) byId("routes").append(make("h2", { textContent: tag }), ...nodes);
  byId("find").addEventListener("input", find);
  window.addEventListener("hashchange", () => { const node = byId(location.hash.slice(1)); if (node) node.open = true; });
}

draw().catch((error) => { byId("about").textContent = `cannot read openapi.json: ${error}`; });
