/** Helpers that build elements and write texts. */

/** Make an element with attributes and children. */
export function element(tag, attributes = {}, children = []) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

/** Set a text only if it changed, so that a screen reader announces changes only. */
export function write(target, text) {
  if (target.textContent !== text) target.textContent = text;
}
