// Trades the token, from the address's fragment or the form, for a session. The fragment never reaches a server's log.

import { keep } from "./key.js";

const form = document.getElementById("form");
const field = document.getElementById("token");
const said = document.getElementById("said");

async function open(token) {
  said.textContent = "…";
  let answer;
  try {
    answer = await fetch("/login", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ token }),
    });
  } catch {
    said.textContent = "The page's server does not answer. Is `deltawire dashboard` still running?";
    return;
  }
  if (answer.ok) {
    keep((await answer.json()).key);
    location.replace("/");
    return;
  }
  const told = await answer.json().catch(() => ({}));
  said.textContent = told.error ?? `refused (${answer.status})`;
  field.value = "";
  field.focus();
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  open(field.value.trim().replace(/^.*#token=/, ""));
});

document.getElementById("open").disabled = false; // before this, a click would send the form past this script

const token = new URLSearchParams(location.hash.slice(1)).get("token");
history.replaceState(null, "", location.pathname); // out of the address bar, the history and screenshots
if (token) open(token);
else field.focus();
