// The buttons: each is asked about once more, then sent with the session's key.

import { $, put, show } from "./dom.js";
import { plain } from "./format.js";
import { key } from "./key.js";

const WORDS = {
  pause: ["Pause the bot?", "No new trades. Open trades go on to their end.", "Pause"],
  resume: ["Resume trading?", "New trades are allowed again.", "Resume"],
  flatten: ["Flatten now?", "Pauses, and closes every open trade now, at capped prices.", "Flatten now"],
  kill: ["Kill: close everything and latch?", "Closes every open trade now. Nothing is opened any more, restarts included, until somebody arms the bot.", "Kill"],
  arm: ["Arm the bot?", "Lifts the halt. Do this only after you have looked why it halted.", "Arm"],
};

let status = null;
let allowed = [];
let say = () => {};

export function setUp(commands, speak) {
  allowed = commands;
  say = speak;
  show($("buttons"), commands.length > 0);
  for (const button of $("buttons").children) button.addEventListener("click", () => ask(button.dataset.command));
  $("confirm-no").addEventListener("click", () => $("confirm").close());
}

export function update(bot) {
  status = bot.connected ? bot.status : null;
  const can = {
    pause: status?.state === "running",
    resume: status?.state === "paused",
    arm: Boolean(status?.halted) || status?.state === "disarmed",
    flatten: Boolean(status),
    kill: Boolean(status),
  };
  for (const button of $("buttons").children) {
    const command = button.dataset.command;
    const off = !can[command] || !allowed.includes(command);
    if (button.disabled !== off) button.disabled = off;
    if (command === "arm") show(button, can.arm);
  }
}

function ask(command) {
  const [title, text, yes] = WORDS[command];
  put($("confirm-h"), title);
  put($("confirm-t"), text);
  put($("confirm-now"), situation(command));
  const button = $("confirm-yes");
  put(button, yes);
  button.className = command === "kill" ? "danger" : command === "flatten" ? "caution" : "primary";
  button.onclick = () => {
    $("confirm").close();
    send(command);
  };
  $("confirm").showModal();
}

function situation(command) {
  if (!status) return "";
  const held = status.pairs.flatMap((pair) => Object.entries(pair.position).filter(([, size]) => Number(size)).map(([venue, size]) => `${pair.id} ${venue} ${plain(size)}`));
  const halted = command === "arm" && status.halted ? `Halted: ${status.halted}. ` : "";
  return `${halted}${status.simulated ? "Simulated venues." : status.mode === "live" ? "REAL MONEY." : `Mode ${status.mode}: no money.`} ${held.length ? `On now: ${held.join(", ")}.` : "Nothing is on."}`;
}

async function send(command) {
  say(`${command}: sent…`);
  try {
    const answer = await fetch("/api/command", {
      method: "POST",
      headers: { "content-type": "application/json", "x-deltawire-key": key() },
      body: JSON.stringify({ command, confirm: command }),
    });
    const told = await answer.json().catch(() => ({ error: `refused (${answer.status})` }));
    say(answer.ok ? `${command}: done, the bot is ${told.state}${told.halted ? `, halted: ${told.halted}` : ""}` : `${command} FAILED: ${told.error}`, !answer.ok);
  } catch {
    say(`${command} FAILED: the page's server does not answer; use \`deltawire ${command}\` on the machine`, true);
  }
}

