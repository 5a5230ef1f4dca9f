"use strict";
(() => {
  const byId = (id) => document.getElementById(id);
  let unpacked = null;

  // Inflates the long texts of the page, once: {lines: [...], texts: {name: [line, ...]}}.
  const texts = () => {
    unpacked ??= (async () => {
      const bytes = Uint8Array.from(atob(byId("texts").textContent.trim()), (c) => c.charCodeAt(0));
      const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
      return JSON.parse(await new Response(stream).text());
    })();
    return unpacked;
  };

  // Puts the texts into a folded part that was opened; as text, whatever they contain.
  const fill = async (details) => {
    for (const pre of details.querySelectorAll("pre[data-text]:empty")) {
      if (pre.closest("details") !== details) continue;
      const found = await texts();
      pre.textContent = (found.texts[pre.dataset.text] ?? []).map((line) => found.lines[line]).join("\n");
    }
  };
  document.addEventListener("toggle", (event) => { if (event.target.open) fill(event.target); }, true);

  // Opens what the address names, and the folded parts around it.
  const reveal = () => {
    const target = byId(decodeURIComponent(location.hash.slice(1)));
    for (let part = target?.closest("details"); part; part = part.parentElement.closest("details")) part.open = true;
    target?.scrollIntoView();
  };
  addEventListener("hashchange", reveal);

  const tools = document.querySelector(".tools");
  const turns = () => [...document.querySelectorAll(".turn")];
  const filter = () => {
    const kind = byId("filter").value;
    const words = byId("words").value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const turn of turns()) {
      const text = words.length ? `${turn.id} ${turn.querySelector("summary").textContent}`.toLowerCase() : "";
      turn.hidden = Boolean(kind && turn.dataset.right !== kind) || !words.every((word) => text.includes(word));
      shown += !turn.hidden;
    }
    byId("count").textContent = `${shown} of ${turns().length} shown`;
  };
  if (tools) {
    tools.hidden = false;
    tools.addEventListener("submit", (event) => event.preventDefault());
    byId("filter").addEventListener("change", filter);
    byId("words").addEventListener("input", filter);
    byId("open").addEventListener("click", () => { for (const turn of turns()) turn.open = !turn.hidden; });
    byId("close").addEventListener("click", () => { for (const turn of turns()) turn.open = false; });
    filter();
  }
  if (location.hash) reveal();

  // Follows a run: asks the server that sent the page whether something changed, and replaces the parts that did.
  const EVERY = 2000;
  const parts = (root) => [...root.querySelectorAll("[data-part]")];
  const asSent = new Map(parts(document).map((part) => [part.id, part.outerHTML]));

  const replace = (old, part) => {
    const open = [...old.querySelectorAll("details[open][id]"), ...(old.open ? [old] : [])].map((one) => one.id);
    const focused = old.contains(document.activeElement) ? document.activeElement.closest("[id]")?.id : null;
    old.replaceWith(part);
    for (const id of open) if (byId(id)) byId(id).open = true;
    if (focused) (byId(focused)?.querySelector("summary") ?? byId(focused))?.focus();
  };

  const renew = (sent) => {
    const fresh = parts(sent);
    const names = new Set(fresh.map((part) => part.id));
    for (const part of parts(document)) if (!names.has(part.id)) part.remove();
    let changed = 0;
    for (const part of fresh) {
      const html = part.outerHTML;
      if (asSent.get(part.id) === html && byId(part.id)) continue;
      asSent.set(part.id, html);
      changed += 1;
      const old = byId(part.id);
      if (old) { replace(old, document.importNode(part, true)); continue; }
      // A new part: into the place that its parent has here, or with its parent into the section above.
      let whole = part;
      while (whole.parentElement && !byId(whole.parentElement.id)) whole = whole.parentElement;
      byId(whole.parentElement.id).append(document.importNode(whole, true));
    }
    byId("texts").textContent = sent.getElementById("texts").textContent;
    unpacked = null;
    if (tools) filter();
    return changed;
  };

  const say = (text) => { if (byId("live").textContent !== text) byId("live").textContent = text; };
  const follow = async (seen) => {
    let state = seen;
    try {
      state = await (await fetch("state", { cache: "no-store" })).text();
      if (seen !== null && state !== seen) {
        const page = await (await fetch(location.pathname, { cache: "no-store" })).text();
        const sent = new DOMParser().parseFromString(page, "text/html");
        const changed = renew(sent);
        if (!("following" in sent.documentElement.dataset)) { say("The run is finished."); return; }
        say(`Following the run; ${changed} parts were renewed at ${new Date().toLocaleTimeString()}.`);
      }
    } catch {
      say("The server does not answer; this is the last that it said.");
    }
    setTimeout(follow, EVERY, state);
  };
  if ("following" in document.documentElement.dataset) { say("Following the run."); follow(null); }
})();
