// Dark or light: the system's wish, until the person says otherwise. Runs first, so that nothing flashes.

const NAME = "deltawire-theme";
const system = matchMedia("(prefers-color-scheme: light)");
const watchers = new Set();

export const theme = () => localStorage.getItem(NAME) ?? (system.matches ? "light" : "dark");
export const onTheme = (watcher) => watchers.add(watcher);

function apply() {
  document.documentElement.dataset.theme = theme();
  for (const watcher of watchers) watcher(theme());
}

export function toggle() {
  localStorage.setItem(NAME, theme() === "dark" ? "light" : "dark");
  apply();
}

system.addEventListener("change", apply);
apply();
