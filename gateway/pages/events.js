"use strict";
// Renders asyncapi.json with the DOM alone: text never becomes markup.
const el = (tag, props = {}, ...children) => {
  const node = Object.assign(document.createElement(tag), props);
  node.append(...children.filter((child) => child !== null));
  return node;
};

function typeOf(type) {
  if (Array.isArray(type)) return type.map(typeOf).join(" or ");
  if (typeof type === "string") return type.split(".").pop();
  if (type.type === "array") return `list of ${typeOf(type.items)}`;
  if (type.type === "map") return `map of ${typeOf(type.values)}`;
  if (type.type === "enum") return type.symbols.join(" | ");
  if (type.type === "record") return type.name;
  return type.logicalType || typeOf(type.type);
}

// The records within a field's type, to be shown below it.
function records(type) {
  if (Array.isArray(type)) return type.flatMap(records);
  if (typeof type !== "object") return [];
  if (type.type === "record") return [type];
  return [type.items, type.values].filter(Boolean).flatMap(records);
}

function fields(record) {
  const rows = record.fields.flatMap((field) => {
    const inner = records(field.type);
    const row = el("tr", {},
      el("td", {}, el("code", {}, field.name)),
      el("td", {}, typeOf(field.type)),
      el("td", {}, field.doc || ""));
    return [row, ...inner.map((one) => el("tr", {}, el("td", { colSpan: 3, className: "inner" },
      el("details", {}, el("summary", {}, one.name), el("div", {}, fields(one))))))];
  });
  return el("table", {}, el("tr", {}, el("th", {}, "field"), el("th", {}, "type"), el("th", {}, "meaning")), ...rows);
}

function topic(name, channel, message, action) {
  const kafka = channel.bindings.kafka;
  const kept = kafka.topicConfiguration["retention.ms"];
  const held = kept ? `kept ${kept / 3600000} hours` : "compacted: the newest message of each key is kept";
  return el("section", {},
    el("h2", { id: name, className: "name" }, name),
    el("p", {}, action === "receive" ? "You produce, we read. " : "We produce, you read. ", message.summary),
    el("p", {}, `${channel.description} ${kafka.partitions} partitions, ${held}.`),
    el("details", { open: true }, el("summary", {}, message.name), el("div", {}, fields(message.payload.schema))),
    el("details", {}, el("summary", {}, "Example"),
      el("div", {}, el("pre", {}, JSON.stringify(message.examples[0].payload, null, 2)))));
}

async function show() {
  const api = await (await fetch("/asyncapi.json")).json();
  document.getElementById("about").textContent = api.info.description;
  const toc = document.getElementById("toc");
  const shown = document.getElementById("topics");
  shown.textContent = "";
  for (const operation of Object.values(api.operations)) {
    const name = operation.channel.$ref.split("/").pop();
    const [kind] = Object.keys(api.channels[name].messages);
    toc.append(el("a", { href: `#${name}` }, name));
    shown.append(topic(name, api.channels[name], api.components.messages[kind], operation.action));
  }
}
show().catch((error) => { document.getElementById("topics").textContent = `asyncapi.json did not load: ${error}`; });
