// The search tree: rows that unfold; the children of a node are asked for when it is unfolded.
import { get } from "./api.js";
import { $, fill, make, many, percent, signed, tone } from "./page.js";

let shownFor = "";

export function showTree(table, state, thoughts, meanings, report) {
  const part = $("tree-part");
  part.hidden = !thoughts?.tree;
  if (part.hidden) {
    shownFor = "";
    return;
  }
  // The same search again, as after a move that was only looked at, stays unfolded as it is.
  const key = `${table} ${thoughts.ply} ${thoughts.value} ${state.played.slice(0, thoughts.ply - state.from).join(" ")}`;
  if (key === shownFor) return;
  shownFor = key;
  const grid = $("tree");
  const path = `/tables/${table}/positions/${thoughts.ply}/nodes/`;
  const two = state.players.length === 2;
  fill($("signs"), ...(two ? [sign(1), "moves of the player to move, ", sign(-1), "of the opponent. "] : []));
  fill(grid, heads(meanings));
  grid.onkeydown = (event) => steer(event, grid, toggle);
  $("unfold").onclick = () => unfoldExpected().catch(report);
  unfold(null).catch(report);

  async function unfold(row) {
    const found = await get(path + (row ? row.dataset.node : 0));
    if (key !== shownFor || (row && row.getAttribute("aria-expanded") === "true")) return;
    const depth = row ? Number(row.dataset.depth) + 1 : 0;
    const made = found.children.map((child, at) => rowOf(child, depth, at, found.children.length, two, toggle));
    const notes = rest(found);
    if (notes) made.push(make("div", { class: "rest", "data-depth": depth, style: { "--depth": depth } }, notes));
    if (row) {
      row.setAttribute("aria-expanded", "true");
      row.after(...made);
    } else {
      grid.append(...made);
      grid.querySelector(".row[data-node]")?.setAttribute("tabindex", "0");
    }
  }

  function toggle(row) {
    if (row.getAttribute("aria-expanded") === "false") unfold(row).catch(report);
    else if (row.hasAttribute("aria-expanded")) fold(row);
  }

  async function unfoldExpected() {
    for (let row = grid.querySelector(".expected"); row; row = nextExpected(row)) {
      if (row.getAttribute("aria-expanded") === "false") await unfold(row);
    }
  }

  function nextExpected(row) {
    const deeper = [...grid.querySelectorAll(".expected")].filter((each) => each.dataset.depth > row.dataset.depth * 1);
    return deeper.find((each) => Number(each.dataset.depth) === Number(row.dataset.depth) + 1);
  }
}

function heads(meanings) {
  const cell = (name, kind) => make("span", { role: "columnheader", class: kind, title: meanings[name] ?? meanings.action }, name);
  return make(
    "div", { class: "row head", role: "row", style: { "--depth": 0 } },
    cell("move"), cell("visits"), cell("share"), cell("q"), cell("prior", "wide"),
  );
}

function rowOf(child, depth, at, count, two, toggle) {
  const bar = (kind, share, extra) =>
    make("span", { role: "gridcell", class: `bar ${kind} ${extra}`, style: { "--w": percent(share) } }, percent(share));
  const row = make(
    "div",
    {
      class: `row${child.expected ? " expected" : ""}`, role: "row", tabindex: "-1", "data-node": child.node,
      "data-depth": depth, "aria-level": depth + 1, "aria-posinset": at + 1, "aria-setsize": count,
      "aria-expanded": child.children ? "false" : undefined, style: { "--depth": depth },
      title: `value ${signed(child.value)}, network ${signed(child.network)}, reward ${signed(child.reward)}, discount ${child.discount.toFixed(2)}`,
      on: { click: (event) => { focus(event.currentTarget); toggle(event.currentTarget); } },
    },
    make("span", { role: "gridcell" }, make("span", { class: "fold" }), two ? sign(child.turn) : "", child.name,
      child.over ? make("span", { class: "end", title: "by its discount, the game ends with this action" }, "end") : ""),
    make("span", { role: "gridcell" }, child.visits.toLocaleString("en")),
    bar("visits", child.share, ""),
    make("span", { role: "gridcell", class: tone(child.q) }, signed(child.q)),
    bar("prior", child.prior, "wide"),
  );
  return row;
}

function sign(turn) {
  const [kind, text, words] = turn > 0 ? ["", "+", "player to move:"] : turn < 0 ? ["them", "−", "opponent:"] : ["gone", "·", "after the end:"];
  return make("span", { class: `sign ${kind}`, role: "img", "aria-label": words }, text);
}

function rest({ more, untried }) {
  const notes = [];
  if (more) notes.push(`${many(more, "action")} with fewer visits left out`);
  if (untried.count) {
    const names = untried.names.join(", ") + (untried.allowed > untried.names.length ? ", …" : "");
    const forbidden = untried.count - untried.allowed;
    const illegal = !forbidden ? "" : untried.allowed ? `, ${forbidden} of them not legal` : ", not legal";
    notes.push(`${untried.count} never tried${illegal}, prior ${percent(untried.prior)}${names && `: ${names}`}`);
  }
  return notes.join("; ");
}

function fold(row) {
  row.setAttribute("aria-expanded", "false");
  const depth = Number(row.dataset.depth);
  while (row.nextElementSibling && Number(row.nextElementSibling.dataset.depth) > depth) row.nextElementSibling.remove();
}

function focus(row) {
  for (const each of row.parentElement.querySelectorAll('[tabindex="0"]')) each.setAttribute("tabindex", "-1");
  row.setAttribute("tabindex", "0");
  row.focus();
}

function steer(event, grid, toggle) {
  const row = document.activeElement?.closest(".row[data-node]");
  if (!row || event.ctrlKey || event.metaKey || event.altKey) return;
  const rows = [...grid.querySelectorAll(".row[data-node]")];
  const at = rows.indexOf(row);
  const open = row.getAttribute("aria-expanded");
  const above = rows.slice(0, at).findLast((each) => Number(each.dataset.depth) < Number(row.dataset.depth));
  const moves = { ArrowDown: rows[at + 1], ArrowUp: rows[at - 1], Home: rows[0], End: rows.at(-1) };
  if (event.key === "ArrowRight") open === "false" ? toggle(row) : rows[at + 1] && focus(rows[at + 1]);
  else if (event.key === "ArrowLeft") open === "true" ? toggle(row) : above && focus(above);
  else if (event.key === "Enter" || event.key === " ") toggle(row);
  else if (event.key in moves) moves[event.key] && focus(moves[event.key]);
  else return;
  event.preventDefault();
}
