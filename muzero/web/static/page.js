// Making elements.  Whatever text comes from the server is set as text, never as HTML.

export const $ = (id) => document.getElementById(id);

export function make(tag, settings = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(settings)) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "class") element.className = value;
    else if (name === "on") for (const [event, handler] of Object.entries(value)) element.addEventListener(event, handler);
    else if (name === "style") for (const [key, each] of Object.entries(value)) element.style.setProperty(key, each);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

export function drawn(tag, settings = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(settings)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

export function fill(element, ...children) {
  element.replaceChildren(...children);
}

export const percent = (share) => (share > 0 && share < 0.001 ? "<0.1%" : `${(100 * share).toFixed(share < 0.0995 ? 1 : 0)}%`);

export function signed(value) {
  if (value === null) return "";
  const text = Math.abs(value) < 100 ? value.toFixed(2) : value.toFixed(0);
  return /^-0(\.0+)?$/.test(text) ? `+${text.slice(1)}` : value < 0 ? text.replace("-", "−") : `+${text}`;
}

export const tone = (value) => (value === null || Math.abs(value) < 0.005 ? "" : value > 0 ? "good" : "bad");

// What an action is called: a move of a board game, a step of an environment.
export const nounOf = (state) => (state.players.length === 2 ? "move" : "step");

export const many = (count, noun) => `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;
