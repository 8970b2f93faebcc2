// A board of squares that are clicked or chosen by keys; a frame; or a text.
import { fill, make, percent } from "./page.js";

// What was clicked of a move that takes several clicks; forgotten when the position changes.
let picked = [];
let pickedFor = "";
let cursor = null; // the square that the keys are on

export function showScene(scene, shown, options) {
  const key = `${options.table} ${options.revision} ${options.ply}`;
  if (key !== pickedFor) [picked, pickedFor] = [[], key];
  if (shown.board) showBoard(scene, shown, options);
  else if (options.frame) showFrame(scene, options);
  else fill(scene, make("pre", { "aria-label": "Position" }, shown.text ?? ""));
}

function showFrame(scene, { table, revision, words }) {
  const image = scene.querySelector("img") ?? make("img");
  image.alt = words;
  image.src = `/api/tables/${table}/frame?revision=${revision}`;
  if (scene.firstChild !== image || scene.childNodes.length > 1) fill(scene, image);
}

// What a square is called: "e4", but "row 0, column 3" where columns have numbers.
function called(row, column) {
  return /^[0-9]/.test(column) ? `row ${row}, column ${column}` : `${column}${row}`;
}

// The legal moves that begin with what is picked, as [action, clicks].
function fitting(board, clicks) {
  return Object.entries(board.taps)
    .map(([action, taps]) => [Number(action), taps])
    .filter(([, taps]) => taps.length >= clicks.length && clicks.every((square, at) => taps[at].includes(square)));
}

function nextSquares(board, clicks) {
  return new Set(fitting(board, clicks).flatMap(([, taps]) => taps[clicks.length] ?? []));
}

function shares(board, thoughts) {
  const found = new Map();
  for (const move of thoughts?.moves ?? []) {
    const taps = board.taps[move.action];
    if (taps?.length !== 1) continue;
    // Of a column the share stands where the piece would fall: on its lowest empty square.
    const square = taps[0].filter((each) => !board.cells[each]).at(-1);
    if (square !== undefined) found.set(square, [move.policy, move.action === thoughts.action]);
  }
  return found;
}

function showBoard(scene, shown, options) {
  const { board, last } = shown;
  const width = board.columns.length;
  const can = options.yours ? nextSquares(board, picked) : new Set();
  const share = shares(board, options.thoughts);
  const focused = scene.contains(document.activeElement);
  if (cursor === null || cursor >= board.cells.length) cursor = [...can][0] ?? 0;
  const grid = make("div", {
    class: `board ${board.shape}`, role: "grid", "aria-label": `Board, ${board.rows.length} rows, ${width} columns`,
    style: { "--columns": width, "--count": board.rows.length },
  });
  const head = make("div", { role: "presentation", class: "head" }, make("span", { class: "label" }));
  for (const column of board.columns) head.append(make("span", { class: "label" }, column));
  if (board.shape !== "hexagons") head.style.display = "contents";
  grid.append(head);
  board.rows.forEach((row, at) => {
    const line = make("div", { role: "row", style: { "--row": at } }, make("span", { class: "label", "aria-hidden": "true" }, row));
    board.columns.forEach((column, place) => {
      line.append(square(at * width + place, called(row, column), (at + place) % 2));
    });
    grid.append(line);
  });
  grid.addEventListener("keydown", (event) => travel(event, grid, width, board.cells.length));
  fill(scene, grid);
  if (focused) grid.querySelector(`[data-square="${cursor}"]`)?.focus();

  function square(number, name, odd) {
    const piece = board.cells[number];
    const [side, glyph, kind] = piece ?? [];
    const classes = ["square"];
    if (odd) classes.push("odd");
    if (can.has(number)) classes.push("can");
    if (picked.includes(number)) classes.push("picked");
    if (picked.length && can.has(number)) classes.push("target");
    if (last.includes(number)) classes.push("last");
    const [policy, best] = share.get(number) ?? [0, false];
    if (best) classes.push("best");
    const words = [`${name}, ${piece ? kind : "empty"}`];
    if (last.includes(number)) words.push("last move");
    if (can.has(number)) words.push("can be chosen");
    return make(
      "button",
      {
        type: "button", class: classes.join(" "), role: "gridcell", "data-square": number,
        tabindex: number === cursor ? "0" : "-1", "aria-label": words.join(", "),
        "aria-disabled": can.has(number) ? undefined : "true", on: { click: () => tap(number) },
      },
      piece ? make("span", { class: `piece ${side ? "b" : "a"}${glyph ? " glyph" : ""}` }, glyph) : "",
      policy >= 0.005 ? make("span", { class: "share" }, percent(policy)) : "",
    );
  }

  function tap(number) {
    cursor = number;
    if (!options.yours) return;
    if (picked.includes(number)) picked = picked.slice(0, picked.indexOf(number));
    else if (nextSquares(board, picked).has(number)) picked = [...picked, number];
    else picked = nextSquares(board, []).has(number) ? [number] : [];
    const found = picked.length ? fitting(board, picked) : [];
    const complete = found.filter(([, taps]) => taps.length === picked.length).map(([action]) => action);
    showBoard(scene, shown, options);
    if (complete.length && complete.length === found.length) {
      picked = [];
      options.choose(complete);
    }
  }
}

function travel(event, grid, width, count) {
  const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -width, ArrowDown: width };
  const step = steps[event.key];
  if (!step) return;
  event.preventDefault();
  const next = cursor + step;
  if (next < 0 || next >= count || (Math.abs(step) === 1 && Math.floor(next / width) !== Math.floor(cursor / width))) return;
  grid.querySelector(`[data-square="${cursor}"]`)?.setAttribute("tabindex", "-1");
  cursor = next;
  const square = grid.querySelector(`[data-square="${cursor}"]`);
  square?.setAttribute("tabindex", "0");
  square?.focus();
}
