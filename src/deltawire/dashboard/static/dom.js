// Small tools over the DOM: make, set only what changed, keep a list's nodes by key. Text is always text, never markup.

export const $ = (id) => document.getElementById(id);

export function el(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "class") node.className = value;
    else if (name === "data") Object.assign(node.dataset, value);
    else if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

export function put(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

export function level(node, value) {
  if (node.dataset.level !== value) node.dataset.level = value ?? "";
}

export function show(node, on) {
  if (node.hidden === on) node.hidden = !on;
}

// Keep one child of `parent` for each item, in order; make(item) for new keys, update(node, item) for all.
export function keyed(parent, items, key, make, update) {
  const old = new Map([...parent.children].map((node) => [node.dataset.key, node]));
  let at = parent.firstElementChild;
  for (const item of items) {
    const name = String(key(item));
    let node = old.get(name);
    old.delete(name);
    if (!node) {
      node = make(item);
      node.dataset.key = name;
    }
    if (node !== at) parent.insertBefore(node, at);
    else at = at.nextElementSibling;
    update(node, item);
  }
  for (const node of old.values()) node.remove();
}

// The same as fixed cells of a row or pairs of a list: cells[i] is a text or {text, level, title}.
export function cells(nodes, values) {
  values.forEach((value, i) => {
    const told = typeof value === "object" && value !== null ? value : { text: value };
    put(nodes[i], told.text ?? "–");
    level(nodes[i], told.level);
    if (told.title !== undefined && nodes[i].title !== told.title) nodes[i].title = told.title;
  });
}
