// The emulator's control API.

const PREFIX = "/_emulator";

/** Ask for something; `query` leaves out what is empty. */
export async function get(path, query = {}) {
  const given = Object.entries(query).filter(([, value]) => value !== "" && value !== null && value !== undefined);
  const search = new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString();
  return contentOf(await fetch(`${PREFIX}${path}${search && `?${search}`}`));
}

export async function post(path, body) {
  const headers = { "Content-Type": "application/json" };
  return contentOf(await fetch(PREFIX + path, { method: "POST", headers, body: JSON.stringify(body) }));
}

export async function remove(path) {
  return contentOf(await fetch(PREFIX + path, { method: "DELETE" }));
}

/** Where a file of a message is. */
export const mediaUrl = (sid) => `${PREFIX}/media/${encodeURIComponent(sid)}`;

async function contentOf(response) {
  const value = response.status === 204 ? null : await response.json();
  if (!response.ok) throw new Error(value?.error ?? value?.message ?? `HTTP ${response.status}`);
  return value;
}
