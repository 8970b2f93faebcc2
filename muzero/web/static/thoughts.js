// What the agent thinks of each move, as a table.
import { $, fill, make, many, nounOf, percent, signed, tone } from "./page.js";

const FEW = 10; // moves that are listed at first
let all = false;

export function showThoughts(thoughts, state, looked) {
  const table = $("table");
  if (!thoughts) {
    $("about-mind").textContent = looked
      ? "What it thought about this position is not kept."
      : state.over ? "It has not thought in this game."
      : "It has not thought about this position. Ask what it would play.";
    table.hidden = $("all").hidden = true;
    return;
  }
  $("about-mind").textContent = about(thoughts, state);
  table.hidden = thoughts.moves.length === 0;
  const shown = all ? thoughts.moves : thoughts.moves.slice(0, FEW);
  const searched = Math.max(1, thoughts.simulations);
  fill(table.tBodies[0], ...shown.map((move) => line(move, searched, thoughts.action)));
  $("all").hidden = thoughts.moves.length <= FEW;
  $("all").textContent = all ? "Show fewer moves" : `Show all ${thoughts.moves.length} moves`;
  $("all").onclick = () => {
    all = !all;
    showThoughts(thoughts, state, looked);
  };
}

function about(thoughts, state) {
  const { ply } = thoughts;
  const played = state.played[ply - state.from];
  const where = ply === 0 ? "at the start" : `after ${nounOf(state)} ${ply}`;
  const names = new Map(thoughts.moves.map((move) => [move.action, move.name]));
  const best = names.get(thoughts.action);
  const whose = state.players.length === 2 ? " for the player to move" : "";
  const parts = [ply === state.ply ? `Now, ${where}` : `The position ${where}${played ? `, where ${played} was played` : ""}`];
  parts.push(`value ${signed(thoughts.value)}${whose} (${signed(thoughts.network)} by the network alone)`);
  parts.push(thoughts.simulations ? many(thoughts.simulations, "simulation") : "no search: by the policy alone");
  const text = `${parts.join("; ")}.`;
  if (thoughts.line.length > 1) return `${text} It expects ${thoughts.line.join(" ")}.`;
  return best ? `${text} It would play ${best}.` : text;
}

function line(move, searched, chosen) {
  const bar = (kind, share, text) => make("td", { class: `bar ${kind}`, style: { "--w": percent(share) } }, text);
  return make(
    "tr",
    { class: move.action === chosen ? "chosen" : null },
    make("td", {}, move.name),
    bar("prior", move.prior, percent(move.prior)),
    bar("visits", move.visits / searched, move.visits.toLocaleString("en")),
    make("td", { class: "wide" }, percent(move.policy)),
    make("td", { class: tone(move.value) }, move.value === null ? "–" : signed(move.value)),
  );
}
