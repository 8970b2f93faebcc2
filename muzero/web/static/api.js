// Requests to the server.  An error has a message in words.

export class Problem extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

async function ask(path, options) {
  let answer;
  try {
    answer = await fetch(`/api${path}`, { credentials: "same-origin", ...options });
  } catch {
    throw new Problem("muzero-serve does not answer. Does it still run in its terminal?", 0);
  }
  let found = null;
  try {
    found = await answer.json();
  } catch {
    throw new Problem("muzero-serve failed; its terminal says why.", answer.status);
  }
  if (!answer.ok) throw new Problem(found.error ?? "the request was refused", answer.status);
  return found;
}

export const get = (path) => ask(path, {});

export const post = (path, body) =>
  ask(path, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
