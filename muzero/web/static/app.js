// The page: what is shown of the game, and what buttons and keys do.
import { get, post } from "./api.js";
import { showScene } from "./board.js";
import { showChart } from "./chart.js";
import { holding, keyOf, takeMove, watchKeys } from "./keys.js";
import { askForGame } from "./newgame.js";
import { $, fill, make, many, nounOf } from "./page.js";
import { showThoughts } from "./thoughts.js";
import { showTree } from "./tree.js";

let about = null; // of the agent
let state = null; // of the game, as the server last said
let looked = null; // an earlier position that is looked at: { ply, board, text, last, thoughts }
let busy = false; // whether a request that changes the game is under way
let running = false; // whether the agent plays on by itself where nobody else plays
let timer = null;
const PACE = 60; // milliseconds between two steps while a key is held

const watching = () => state.people.length === 0;
const agentMoves = () => !state.over && !state.yours;
const always = () => $("always").checked;

function report(error) {
  if (error?.status === undefined) console.error(error);
  $("problem").textContent = error.message;
  $("problem").hidden = false;
}

// Ask the server for a change; while it thinks, the page stays as it is.
async function change(what, body = {}) {
  if (busy) return;
  busy = true;
  $("problem").hidden = true;
  render();
  try {
    accept(await post(`/tables/${state.table}${what}`, { revision: state.revision, ...body }));
  } catch (error) {
    running = false;
    report(error);
    if (error.status === 409) accept(await get(`/tables/${state.table}`).catch(() => state));
    else if (error.status === 404) sessionStorage.removeItem("table");
  } finally {
    busy = false;
  }
  follow();
}

function accept(found) {
  state = found;
  looked = null;
  sessionStorage.setItem("table", state.table);
}

// What happens by itself after a change: the agent moves, or thinks where that is always shown.
function follow() {
  clearTimeout(timer);
  render();
  if (busy || !$("problem").hidden) return;
  if (agentMoves() && !watching()) change("/moves");
  else if (agentMoves() && running) timer = setTimeout(() => change("/moves"), Number($("speed").value));
  else if (state.yours && always() && !state.kept.includes(state.ply)) change("/thoughts");
  else if (state.frame && state.yours) timer = setTimeout(playKeys, PACE);
  else if (state.over) running = false;
}

// In an environment the game waits for a key, and continues for as long as it is held.
function playKeys() {
  if (busy || !state.yours || looked || $("dialog").open) return;
  clearTimeout(timer);
  const action = takeMove(state.legal);
  if (action !== null) change("/moves", { action });
  else if (holding()) timer = setTimeout(playKeys, PACE);
}

async function begin(people, strength) {
  clearTimeout(timer);
  if (busy) return;
  busy = true;
  try {
    accept(await post("/tables", { people, ...strength, replaces: state?.table ?? null }));
    $("problem").hidden = true;
    running = false;
    if (state.frame) $("scene").focus(); // so that the keys are those of the game
  } catch (error) {
    report(error);
  } finally {
    busy = false;
  }
  if (state) follow();
}

async function visit(ply) {
  running = false;
  clearTimeout(timer);
  if (ply === state.ply) looked = null;
  else {
    try {
      looked = { ply, ...(await get(`/tables/${state.table}/positions/${ply}`)) };
    } catch (error) {
      report(error);
    }
  }
  render();
}

function statusWords() {
  const noun = nounOf(state);
  if (looked) return `Position after ${many(looked.ply, noun)}; the game is at ${noun} ${state.ply}.`;
  if (state.over) return state.words;
  const mover = state.players[state.toMove];
  if (busy && agentMoves()) return mover ? `The agent (${mover}) is thinking …` : "The agent is thinking …";
  if (busy) return "The agent is thinking …";
  const last = state.played.length ? `${state.played.at(-1)} was played. ` : "";
  if (!mover) return `Step ${state.ply.toLocaleString("en")}, score ${Number(state.score.toPrecision(6))}${state.yours ? ". Your move." : "."}`;
  if (!state.yours) return `${last}${mover} is to move: the agent.`;
  return `${last}${state.people.length === 1 ? `You are ${mover}. Your move.` : `${mover} is to move.`}`;
}

function render() {
  if (!state) return;
  const shown = looked ?? state;
  const ply = looked ? looked.ply : state.ply;
  const here = looked ? looked.thoughts : state.thoughts?.ply === ply ? state.thoughts : null;
  const thoughts = looked ? looked.thoughts : state.thoughts;
  $("agent").textContent = `${about.title}, step ${about.step.toLocaleString("en")}; it ${state.strength}`;
  const words = statusWords();
  if ($("status").textContent !== words) $("status").textContent = words;
  $("status").classList.toggle("thinking", busy);
  $("status").setAttribute("aria-busy", busy);
  const yours = state.yours && !looked && !busy;
  showScene($("scene"), shown, {
    table: state.table, revision: state.revision, ply, yours, frame: state.frame, words, thoughts: here, choose,
  });
  for (const [id, off] of [["new", busy], ["back", busy || !state.ply], ["hint", busy || state.over || looked], ["step", busy || state.over], ["run", state.over]]) {
    $(id).disabled = Boolean(off);
  }
  for (const id of ["run", "step", "pace"]) $(id).hidden = !watching();
  $("run").textContent = running ? "Pause" : "Play";
  $("moves").hidden = !state.legal.length || watching();
  $("moves").open ||= !shown.board;
  fill($("legal"), ...state.legal.map(({ action, name }) =>
    make("button", { type: "button", disabled: !yours, on: { click: () => change("/moves", { action }) } },
      name, state.frame ? keyOf(action, name, state.legal) : "")));
  $("choice").hidden = true;
  $("played-title").textContent = nounOf(state) === "move" ? "Moves" : "Steps";
  showPlayed(ply);
  showThoughts(thoughts, state, looked !== null);
  showTree(state.table, state, thoughts, about.columns, report);
  showChart(state, ply, visit);
}

function showPlayed(ply) {
  const button = (at, ...words) =>
    make("li", {}, make("button", { type: "button", "aria-current": at === ply ? "true" : null, on: { click: () => visit(at) } }, ...words));
  const canLook = !state.frame;
  const names = state.played.map((name, at) => {
    const number = state.from + at + 1;
    const words = [make("span", { class: "count" }, `${number}.`), name];
    return canLook ? button(number, ...words) : make("li", {}, ...words);
  });
  fill($("played"), ...(canLook ? [button(0, "start")] : []), ...names);
  $("played").querySelector("[aria-current]")?.scrollIntoView({ block: "nearest" });
}

// Several moves can have the same squares, as promotions have: ask which.
function choose(actions) {
  if (actions.length === 1) return change("/moves", { action: actions[0] });
  const names = new Map(state.legal.map(({ action, name }) => [action, name]));
  fill($("choice"), make("span", {}, "Which? "), ...actions.map((action) =>
    make("button", { type: "button", on: { click: () => change("/moves", { action }) } }, names.get(action))));
  $("choice").hidden = false;
  $("choice").querySelector("button").focus();
}

function hint() {
  if (state.kept.includes(state.ply)) visit(state.ply);
  else change("/thoughts");
}

function play() {
  running = !running;
  follow();
}

const DO = {
  new: () => askForGame(about, state?.people ?? [], begin),
  back: () => { running = false; change("/back"); },
  hint,
  run: play,
  step: () => { running = false; change("/moves"); },
};

function keys(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || $("dialog").open || event.target.closest("input, select")) return;
  const button = document.querySelector(`button[aria-keyshortcuts="${CSS.escape(event.key)}"]`);
  if (!button || button.disabled || button.hidden) return;
  event.preventDefault();
  button.click();
}

async function start() {
  // The key of the address has done its work: it need not stand in the address bar and the history.
  history.replaceState(null, "", "/");
  about = await get("/about");
  document.title = `${about.title} – muzero`;
  $("game").textContent = about.game.replace(/^[^/]*\//, "").replaceAll("_", " ").replaceAll("=", " ")
    .replace(/\((.*)\)$/, ", $1").replace(/,\b/g, ", ");
  for (const [id, action] of Object.entries(DO)) $(id).addEventListener("click", action);
  $("always").addEventListener("change", () => { if (!busy) follow(); });
  document.addEventListener("keydown", keys);
  watchKeys(() => state?.frame && state.yours && !looked && !$("dialog").open, playKeys);
  const kept = sessionStorage.getItem("table");
  if (kept) {
    try {
      accept(await get(`/tables/${encodeURIComponent(kept)}`));
    } catch {
      sessionStorage.removeItem("table");
    }
  }
  if (!state) await begin(about.twoPlayer && about.playable ? [0] : [], {});
  else follow();
}

start().catch(report);
