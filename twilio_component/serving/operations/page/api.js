// What this page asks its server for.

let csrf = "";

export class SignedOutError extends Error {}

/** Ask for something; `query` leaves out what is empty. */
export async function get(path, query = {}) {
  const given = Object.entries(query).filter(([, value]) => value !== "" && value !== null && value !== undefined);
  const search = new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString();
  return contentOf(await fetch(`/api/${path}${search && `?${search}`}`));
}

/** Let the server do something. */
export async function post(path, body) {
  const headers = { "Content-Type": "application/json", "X-CSRF-Token": csrf };
  return contentOf(await fetch(`/api/${path}`, { method: "POST", headers, body: JSON.stringify(body) }));
}

/** Who we are to the server; what it needs to believe us is kept for `post`. */
export async function session() {
  const found = await get("session");
  csrf = found.csrf ?? "";
  return found;
}

export async function signOut() {
  await contentOf(await fetch("/api/session", { method: "DELETE", headers: { "X-CSRF-Token": csrf } }));
}

async function contentOf(response) {
  const value = await response.json();
  if (response.status === 401) throw new SignedOutError(value.error);
  if (!response.ok) throw new Error(value.error ?? `HTTP ${response.status}`);
  return value;
}
