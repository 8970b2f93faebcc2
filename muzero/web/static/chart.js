// The value over the game, as a small chart whose points lead to their positions.
import { $, drawn, fill, nounOf, signed } from "./page.js";

const HEIGHT = 140, LEFT = 44, RIGHT = 12, TOP = 8, BOTTOM = 20;
const DOTS = 80; // more points are a line alone

export function showChart(state, ply, visit) {
  const points = state.values;
  $("chart-part").hidden = points.length < 2;
  if (points.length < 2) return;
  const WIDTH = Math.max(200, $("chart").clientWidth); // so that its text has the size of the page's
  const two = state.players.length === 2;
  $("about-chart").textContent = two
    ? `As the agent saw it, for ${state.players[0]}, who moves first.`
    : "The return that the agent expected from each position.";
  const seen = points.map(([, value]) => value);
  const low = two ? Math.min(-1, ...seen) : Math.min(0, ...seen);
  const high = two ? Math.max(1, ...seen) : Math.max(0.01, ...seen);
  const last = Math.max(1, state.ply);
  const x = (at) => LEFT + ((WIDTH - LEFT - RIGHT) * at) / last;
  const y = (value) => TOP + ((HEIGHT - TOP - BOTTOM) * (high - value)) / (high - low);
  const line = (kind, x1, y1, x2, y2) => drawn("line", { class: kind, x1, y1, x2, y2 });
  const text = (words, at, height, anchor) => {
    const made = drawn("text", { x: at, y: height, "text-anchor": anchor });
    made.textContent = words;
    return made;
  };
  const words = `Value over the game: ${signed(seen[0])} at first, ${signed(seen.at(-1))} last, ` +
    `between ${signed(Math.min(...seen))} and ${signed(Math.max(...seen))}.`;
  const picture = drawn("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": words });
  picture.append(
    line("zero", LEFT, y(0), WIDTH - RIGHT, y(0)), line("frame", LEFT, TOP, LEFT, HEIGHT - BOTTOM),
    text(signed(high), LEFT - 6, y(high) + 4, "end"), text(signed(low), LEFT - 6, y(low) + 4, "end"),
    text("0", LEFT, HEIGHT - 4, "middle"), text(`${state.ply}`, WIDTH - RIGHT, HEIGHT - 4, "middle"),
    line("now", x(ply), TOP, x(ply), HEIGHT - BOTTOM),
    drawn("polyline", { class: "curve", points: points.map(([at, value]) => `${x(at)},${y(value)}`).join(" ") }),
  );
  if (points.length <= DOTS) {
    for (const [at, value] of points) {
      const title = drawn("title");
      title.textContent = `after ${nounOf(state)} ${at}: ${signed(value)}`;
      const dot = drawn("circle", { cx: x(at), cy: y(value), r: 3.5 }, title);
      dot.addEventListener("click", () => visit(at));
      picture.append(dot);
    }
  }
  fill($("chart"), picture);
}
