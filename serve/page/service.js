// Calls of the service: with the key, if it wants one, and with its problems as errors.

import { askKey, keyNow } from "./key.js";

/** What the service refuses, in its words; `errors` name fields. */
export class Problem extends Error {
  constructor(status, { title = "", detail = "", errors = null } = {}) {
    super(detail || title || `the service answered ${status}`);
    this.status = status;
    this.errors = errors ?? [];
  }
}

/** Where a path of the service is, wherever a proxy has put it. */
export const addressOf = (path) => new URL(path.replace(/^\//, ""), document.baseURI).href;

/** An answer that is no problem. */
export async function call(method, path, { body, headers = {}, signal } = {}) {
  const said = body === undefined ? {} : { "Content-Type": "application/json" };
  for (;;) {
    const key = keyNow();
    const answer = await asked(path, {
      method,
      signal,
      body: body === undefined ? undefined : JSON.stringify(body),
      headers: { ...said, ...headers, ...(key ? { Authorization: `Bearer ${key}` } : {}) },
    });
    if (answer.ok) return answer;
    if (answer.status !== 401) throw new Problem(answer.status, await problemOf(answer));
    await askKey(key);
  }
}

export const json = async (method, path, options) => (await call(method, path, options)).json();

/** Have the browser open a report or save a file, which it does by itself and without the key. */
export async function open(path) {
  const { url } = await json("POST", "v1/links", { body: { path } });
  location.assign(addressOf(url));
}

async function asked(path, options) {
  try {
    return await fetch(addressOf(path), { ...options, cache: "no-store" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(0, { detail: "The service does not answer: see that it runs, then try again." });
  }
}

async function problemOf(answer) {
  try {
    return await answer.json();
  } catch {
    return {};
  }
}
