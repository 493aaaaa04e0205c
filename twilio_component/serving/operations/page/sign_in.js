// Signing in with the token that the server was started with.

import { post } from "./api.js";
import { button, byId, el } from "./dom.js";
import { field } from "./dialogs.js";
import { setConnection } from "./live.js";
import { complain } from "./notices.js";

/** Ask for the token; `onSignedIn` is called when it was the right one. */
export function signInView(onSignedIn) {
  setConnection("live");
  document.title = "Sign in · Operations";
  const token = el("input", { type: "password", id: "token", autocomplete: "current-password", required: true });
  const submit = button("Sign in", "", { class: "primary", type: "submit" });
  const signIn = async (event) => {
    event.preventDefault();
    submit.disabled = true;
    try {
      await post("session", { token: token.value });
      await onSignedIn();
    } catch (error) {
      complain(error);
      token.select();
    } finally {
      submit.disabled = false;
    }
  };
  const hint = "The token that this process was started with, in TWILIO_COMPONENT_OPERATIONS_TOKEN.";
  byId("main").replaceChildren(
    el("form", { class: "card sign-in", on: { submit: signIn } }, el("h2", {}, "Sign in"), field("Token", token, hint), submit),
  );
  token.focus();
}
