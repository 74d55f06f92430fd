// The key: asked for when the service wants one, and kept in this tab's session only.

import { $ } from "./dom.js";

const NAME = "gtcoder-key";
let asking = null;

export const keyNow = () => sessionStorage.getItem(NAME);

/** Ask for a key, once for all calls that wait for one; `refused` is the one that did not open. */
export function askKey(refused) {
  if (refused !== keyNow()) return Promise.resolve(); // another call has brought one meanwhile
  asking ??= dialog(refused).finally(() => { asking = null; });
  return asking;
}

/** Show whether there is one, and let it be forgotten. */
export function watchKey() {
  const button = $("forget");
  button.hidden = !keyNow();
  button.addEventListener("click", () => {
    sessionStorage.removeItem(NAME);
    location.reload();
  });
}

function dialog(refused) {
  const [box, form, input, error] = [$("key-dialog"), $("key-form"), $("key"), $("key-error")];
  sessionStorage.removeItem(NAME);
  input.value = "";
  say(input, error, refused ? "That key does not open this service." : "");
  box.showModal();
  input.focus();
  return new Promise((resolve, reject) => {
    const ended = new AbortController();
    const { signal } = ended;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const key = input.value.trim();
      if (!/^[\x21-\x7e]+$/.test(key)) {
        say(input, error, "Enter the key as you were given it.");
        return;
      }
      sessionStorage.setItem(NAME, key);
      $("forget").hidden = false;
      ended.abort();
      box.close();
      resolve();
    }, { signal });
    $("key-cancel").addEventListener("click", () => box.close(), { signal });
    box.addEventListener("close", () => {
      ended.abort();
      reject(new Error("The service needs a key: load the page again to enter one."));
    }, { signal });
  });
}

function say(input, error, text) {
  error.textContent = text;
  input.setAttribute("aria-invalid", Boolean(text));
}
