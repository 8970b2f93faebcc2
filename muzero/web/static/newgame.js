// The dialog that begins a game: who plays, and how strong the agent is.
import { $, fill, make } from "./page.js";

export function askForGame(about, people, simulations, begin) {
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
  const field = $("simulations");
  $("strength").hidden = about.most === 0;
  field.max = about.most;
  field.value = simulations ?? about.trained;
  $("about-strength").textContent =
    `${about.trained} as trained, at most ${about.most.toLocaleString("en")}; 0 plays by the policy alone, without search.`;
  const choices = [...new Set([0, 4, about.trained, 4 * about.trained, 16 * about.trained])];
  fill($("presets"), ...choices.filter((count) => count <= about.most).sort((a, b) => a - b).map((count) =>
    make("button", { type: "button", on: { click: () => { field.value = count; } } },
      count === 0 ? "0: no search" : count === about.trained ? `${count}: as trained` : count.toLocaleString("en"))));
  $("form").onsubmit = (event) => {
    if (event.submitter?.value !== "begin") return;
    const chosen = $("form").elements.seat.value;
    begin([...chosen].map(Number), about.most === 0 || field.value === "" ? null : Number(field.value));
  };
  dialog.showModal();
}
