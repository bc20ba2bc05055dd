"use strict";
// Renders openapi.json with the DOM alone: text never becomes markup.
const el = (tag, props = {}, ...children) => {
  const node = Object.assign(document.createElement(tag), props);
  node.append(...children.filter((child) => child !== null));
  return node;
};
let api;
const deref = (schema) =>
  schema && schema.$ref ? schema.$ref.slice(2).split("/").reduce((at, part) => at[part], api) : schema || {};

function typeOf(schema) {
  const known = deref(schema);
  if (known.anyOf) return known.anyOf.map(typeOf).join(" or ");
  if (known.enum || known.const) return (known.enum || [known.const]).join(" | ");
  if (known.type === "array") return `list of ${typeOf(known.items)}`;
  return [known.type || "any", known.format].filter(Boolean).join(", ");
}

function fields(schema) {
  const known = deref(schema);
  if (!known.properties) return el("p", {}, typeOf(schema));
  const rows = Object.entries(known.properties).map(([name, field]) =>
    el("tr", {},
      el("td", {}, el("code", {}, name), (known.required || []).includes(name) ? " *" : ""),
      el("td", {}, typeOf(field)),
      el("td", {}, field.description || deref(field).description || "")));
  return el("table", {}, el("tr", {}, el("th", {}, "field"), el("th", {}, "type"), el("th", {}, "meaning")), ...rows);
}

function example(media) {
  if (!media) return null;
  const schema = deref(media.schema);
  const items = schema.properties && schema.properties.events && schema.properties.events.items;
  return media.example || schema.example || (items && items.example ? { events: [items.example] } : null);
}

function tryIt(method, path, operation, parameters, body) {
  const inputs = parameters.map((parameter) => [parameter, el("input", { placeholder: parameter.name })]);
  const text = body ? el("textarea", { value: JSON.stringify(body, null, 2) }) : null;
  const output = el("pre", { hidden: true });
  const send = async () => {
    let url = path;
    const query = new URLSearchParams();
    const headers = { Authorization: `Bearer ${document.getElementById("key").value}` };
    for (const [parameter, input] of inputs) {
      if (parameter.in === "path") url = url.replace(`{${parameter.name}}`, encodeURIComponent(input.value));
      else if (!input.value) continue;
      else if (parameter.in === "query") query.set(parameter.name, input.value);
      else headers[parameter.name] = input.value;
    }
    if (query.size) url += `?${query}`;
    if (text) headers["Content-Type"] = "application/json";
    const answer = await fetch(url, { method: method.toUpperCase(), headers, body: text ? text.value : undefined });
    const raw = await answer.text();
    let shown = raw;
    try { shown = JSON.stringify(JSON.parse(raw), null, 2); } catch { /* not JSON: shown as it is */ }
    output.hidden = false;
    output.textContent = `HTTP ${answer.status}\n${shown}`;
  };
  const rows = inputs.map(([parameter, input]) =>
    el("tr", {},
      el("td", {}, el("code", {}, parameter.name), ` (${parameter.in})`),
      el("td", {}, input),
      el("td", {}, [typeOf(parameter.schema), parameter.description].filter(Boolean).join(": "))));
  return el("div", {}, rows.length ? el("table", {}, ...rows) : null, text,
    el("p", {}, el("button", { onclick: send }, "Try it")), output);
}

function route(path, method, operation) {
  const media = operation.requestBody && operation.requestBody.content["application/json"];
  const body = example(media) || (media ? {} : null);
  const answers = Object.entries(operation.responses).map(([status, answer]) => {
    const content = answer.content && answer.content["application/json"];
    const links = Object.values(answer.links || {}).map((link) =>
      el("li", {}, el("code", {}, link.operationId), ` ${link.description}`));
    return el("details", {},
      el("summary", {}, `${status} ${answer.description || ""}`),
      el("div", {}, content && content.example
        ? el("pre", {}, JSON.stringify(content.example, null, 2)) : content ? fields(content.schema) : "no body"),
      links.length ? el("div", {}, "With what it holds can be asked:", el("ul", {}, ...links)) : null);
  });
  return el("details", {},
    el("summary", {}, el("span", { className: `method ${method}` }, method.toUpperCase()),
      el("code", {}, path), ` ${operation.summary || ""}`, el("small", {}, ` ${operation.operationId}`)),
    el("div", {},
      el("p", {}, operation.description || ""),
      media ? fields(media.schema) : null,
      tryIt(method, path, operation, operation.parameters || [], body),
      el("h4", {}, "Answers"), ...answers));
}

async function show() {
  api = await (await fetch("/openapi.json")).json();
  document.getElementById("about").textContent = api.info.description || "";
  const groups = new Map();
  for (const [path, methods] of Object.entries(api.paths))
    for (const [method, operation] of Object.entries(methods)) {
      const tag = (operation.tags || ["other"])[0];
      groups.set(tag, [...(groups.get(tag) || []), route(path, method, operation)]);
    }
  const toc = document.getElementById("toc");
  const routes = document.getElementById("routes");
  routes.textContent = "";
  for (const [tag, nodes] of groups) {
    toc.append(el("a", { href: `#${tag}` }, tag));
    routes.append(el("h2", { id: tag }, tag), ...nodes);
  }
}
show().catch((error) => { document.getElementById("routes").textContent = `openapi.json did not load: ${error}`; });
