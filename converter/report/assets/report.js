"use strict";
(() => {
  const one = (selector, root = document) => root.querySelector(selector);
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const say = (text) => { one("#said").textContent = text; };

  // Copying: the clipboard where the browser allows it for a local file, else a selection.
  const fallback = (text) => {
    const area = document.createElement("textarea");
    area.value = text;
    area.className = "hidden-text";
    document.body.append(area);
    const before = document.activeElement;
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    if (before) before.focus();
    return done;
  };
  const copy = async (text) => {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      return fallback(text);
    }
  };
  for (const button of all("button.copy")) button.hidden = false;
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("button.copy");
    if (!button) return;
    const done = await copy(one("pre", button.parentElement).textContent);
    const label = button.firstChild;
    label.data = done ? "Copied" : "Not copied";
    say(done ? "Copied" : "Could not copy: select the text and copy it");
    setTimeout(() => { label.data = "Copy"; }, 2000);
  });

  // A link to a rule or to one of its cells opens it.
  const follow = () => {
    let name = "";
    try { name = decodeURIComponent(location.hash.slice(1)); } catch { return; }
    const target = name && document.getElementById(name);
    if (!target) return;
    for (let part = target; part; part = part.parentElement) if (part.matches("details")) part.open = true;
    target.scrollIntoView();
    const stop = target.matches("details") ? one("summary", target) : target;
    stop.focus({ preventScroll: true });
  };
  addEventListener("hashchange", follow);

  // A closed part is not printed.
  let opened = [];
  addEventListener("beforeprint", () => {
    opened = all("details.rule:not([open], [hidden])");
    for (const part of opened) part.open = true;
  });
  addEventListener("afterprint", () => { for (const part of opened) part.open = false; });

  const form = one("#filter");
  if (form) {
    form.hidden = false;
    const rows = all("tr[data-rule]").map((row) => ({
      row,
      part: document.getElementById(row.dataset.rule),
      cells: all("td[data-cell]", row),
    }));
    const find = one("#find");
    const keys = all("select[data-key]");
    const boxes = all("input[data-show]");
    const apply = () => {
      const words = find.value.toLowerCase().split(/\s+/).filter(Boolean);
      const wanted = Object.fromEntries(keys.map((key) => [key.dataset.key, key.value]));
      const shown = new Set(boxes.filter((box) => box.checked).map((box) => box.dataset.show));
      for (const part of all("[data-cell]")) part.hidden = !shown.has(part.dataset.cell);
      let count = 0;
      for (const { row, part, cells } of rows) {
        const data = row.dataset;
        // Fidelity and verification: some shown cell has both.
        const cell = (!wanted.fidelity && !wanted.verdict) || cells.some((each) =>
          shown.has(each.dataset.cell)
          && (!wanted.fidelity || each.dataset.fidelity === wanted.fidelity)
          && (!wanted.verdict || each.dataset.verdict === wanted.verdict));
        const fits = cell
          && words.every((word) => data.text.includes(word))
          && (!wanted.level || data.level === wanted.level)
          && (!wanted.status || data.status === wanted.status)
          && (!wanted.tactics || data.tactics.split(" ").includes(wanted.tactics));
        row.hidden = !fits;
        if (part) part.hidden = !fits;
        count += fits;
      }
      one("#count").textContent = `${count} of ${rows.length} rules`;
    };
    form.addEventListener("input", apply);
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("reset", () => setTimeout(apply));
    for (const button of all("button[data-find]")) {
      button.addEventListener("click", () => {
        form.reset();
        find.value = button.dataset.find;
        apply();
        find.focus({ preventScroll: true });
        one("#table").scrollIntoView();
      });
    }
    const setAll = (open) => () => { for (const part of all("details.rule")) part.open = open; };
    one("#open-all")?.addEventListener("click", setAll(true));
    one("#close-all")?.addEventListener("click", setAll(false));
    apply();
  }
  follow();
})();
