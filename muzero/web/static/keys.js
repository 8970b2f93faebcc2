// Keys that play an environment: arrows, Space and Enter where its actions have such names, or numbers in their order.
import { make } from "./page.js";

const WORDS = { ArrowUp: "up", ArrowDown: "down", ArrowLeft: "left", ArrowRight: "right", " ": "fire", Enter: "noop" };
const SIGNS = { up: "↑", down: "↓", left: "←", right: "→", fire: "Space", noop: "Enter" };
const FIRST = 250; // milliseconds after which a key that is held counts again

const held = new Map(); // keys that are down, and from when on they count
const tapped = new Set(); // keys that were released before they counted

export const holding = () => held.size > 0;

// The action to take for the keys: null if there is none, or none yet.
// Several keys are one action where it has such a name, as "uprightfire" of Atari has.
export function takeMove(legal) {
  const now = performance.now();
  if (!tapped.size && ![...held.values()].some((from) => from <= now)) return null;
  const keys = new Set([...held.keys(), ...tapped]);
  for (const [key, from] of held) if (from === 0) held.set(key, now + FIRST);
  tapped.clear();
  const words = [...keys].map((key) => WORDS[key]).filter(Boolean);
  const whole = Object.values(WORDS).filter((word) => words.includes(word)).join("");
  const found = [whole, ...words.reverse()].map((name) => legal.find((move) => move.name === name)).find(Boolean);
  const number = [...keys].map(Number).find((key) => key >= 1 && key <= legal.length);
  return (found ?? legal[number - 1])?.action ?? null;
}

// The key of an action, to stand beside its name; empty if it has none.
export function keyOf(action, name, legal) {
  const at = legal.findIndex((move) => move.action === action) + 1;
  const sign = SIGNS[name] ?? (at <= 9 ? String(at) : "");
  return sign && make("kbd", {}, sign);
}

// Follow the keys.  wanted: whether they play now; pressed: called when one goes down.
export function watchKeys(wanted, pressed) {
  document.addEventListener("keydown", (event) => {
    const known = event.key in WORDS || /^[1-9]$/.test(event.key);
    if (!known || event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || !wanted()) return;
    const used = event.key === " " || event.key === "Enter" ? "button, summary, input, select" : "input, select";
    if (event.target.closest(`#tree, ${used}`)) return;
    event.preventDefault();
    if (event.repeat) return;
    held.set(event.key, 0);
    pressed();
  });
  document.addEventListener("keyup", ({ key }) => {
    if (held.get(key) === 0) tapped.add(key);
    held.delete(key);
  });
  window.addEventListener("blur", () => held.clear());
}
