// Tabs: one panel at a time, with the arrow keys too.

import { $ } from "./dom.js";

/** Make the tabs of a list work; `shown` hears of the panel that is shown. */
export function tabs(list, shown) {
  const all = [...list.querySelectorAll("[role=tab]")];
  const shownTabs = () => all.filter((tab) => !tab.hidden);

  function show(tab) {
    for (const each of all) {
      const here = each === tab;
      each.setAttribute("aria-selected", here);
      each.tabIndex = here ? 0 : -1;
      $(each.getAttribute("aria-controls")).hidden = !here;
    }
    shown(tab.id.replace("tab-", ""));
  }

  for (const tab of all) tab.addEventListener("click", () => show(tab));
  list.addEventListener("keydown", (event) => {
    const there = shownTabs();
    const at = there.indexOf(document.activeElement);
    const next = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: there.length - 1 }[event.key];
    if (next === undefined) return;
    event.preventDefault();
    const tab = there.at(next % there.length);
    tab.focus();
    show(tab);
  });
  return (name) => show($(`tab-${name}`));
}
