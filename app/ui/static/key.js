/** The dialog that asks for an API key; the key is kept as long as this tab. */

import { currentKey, useKey, whenKeyIsMissing } from "./api.js";
import { byId } from "./dom.js";

/** Ask for a key when the service does, and when the button is pressed. */
export function keyDialog() {
  const dialog = byId("key-dialog");
  const input = byId("key");
  /** @type {(key: string|null) => void} */
  let answered = () => {};

  const ask = () =>
    new Promise((/** @type {(key: string|null) => void} */ settle) => {
      answered = settle;
      byId("key-refused").hidden = currentKey() === null;
      input.value = "";
      dialog.returnValue = "";
      if (!dialog.open) dialog.showModal();
    });

  dialog.addEventListener("close", () => {
    const given = dialog.returnValue === "use" ? input.value.trim() : "";
    input.value = "";
    byId("key-button").hidden = false;
    answered(given || null);
  });
  byId("key-form").addEventListener("submit", (/** @type {Event} */ event) => {
    event.preventDefault();
    dialog.close("use");
  });
  byId("key-cancel").addEventListener("click", () => dialog.close());
  byId("key-button").addEventListener("click", async () => {
    useKey(null);
    const key = await ask();
    if (key) useKey(key);
    location.reload();
  });
  byId("key-button").hidden = currentKey() === null;
  whenKeyIsMissing(ask);
}
