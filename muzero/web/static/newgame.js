// The dialog that begins a game: who plays, and how strong the agent is.
import { $, fill, make } from "./page.js";

export function askForGame(about, people, begin) {
  const dialog = $("dialog");
  const seats = about.twoPlayer
    ? [["0", "I move first"], ["1", "I move second"], ["", "The agent plays both sides; I watch"], ["01", "I play both sides"]]
    : [["", "The agent plays; I watch"], ["0", "I play"]];
  const now = people.join("");
  fill(
    $("seats"), make("legend", {}, "Who plays"),
    ...seats.filter(([value]) => value === "" || about.playable).map(([value, words]) =>
      make("label", {}, make("input", { type: "radio", name: "seat", value, checked: value === now }), ` ${words}`)),
  );
  const level = $("level");
  const field = $("simulations");
  const names = Object.entries(about.strengths);
  if (!level.options.length) {
    level.append(make("option", { value: "" }, "as started"), ...names.map(([name]) => make("option", { value: name }, name)));
    if (about.most) level.append(make("option", { value: "#" }, "another number of simulations"));
    field.max = about.most;
    field.value = about.trained;
  }
  level.onchange = () => {
    $("number").hidden = level.value !== "#";
    field.required = level.value === "#";
    $("about-strength").textContent = level.value === "#"
      ? `${about.trained} as trained, at most ${about.most.toLocaleString("en")}; 0 plays without search.`
      : `It ${about.strengths[level.value] ?? about.start}.`;
  };
  level.onchange();
  $("form").onsubmit = (event) => {
    if (event.submitter?.value !== "begin") return;
    const chosen = $("form").elements.seat.value;
    const strength = level.value === "#" ? { simulations: Number(field.value) } : level.value ? { strength: level.value } : {};
    begin([...chosen].map(Number), strength);
  };
  dialog.showModal();
}
