/** The page: reads the menu, wires the parts to each other, and opens what its address asks for. */

import { read, Refusal } from "./api.js";
import { AskForm } from "./ask.js";
import { byId, element, pause } from "./dom.js";
import { Grid } from "./grid.js";
import { path } from "./jobs.js";
import { keyDialog } from "./key.js";
import { readLink, writeLink } from "./link.js";
import { Look } from "./look.js";
import { showOperations } from "./operations.js";
import { readPalettes } from "./paint.js";
import { showShelf } from "./shelf.js";
import { View } from "./view.js";

const REFRESH_MILLISECONDS = 5000;
const LINK_MILLISECONDS = 300;

/** Everything that is read before anything can be asked. */
async function readMenu() {
  const parts = ["methods", "metrics-catalogue", "models"].map((name) => read(`/api/v1/${name}`));
  const [{ methods }, { metrics }, { models }] = await Promise.all(parts);
  return { methods, metrics, models };
}

/** @param {any[]} methods */
async function makeGrid(methods) {
  const root = byId("grid");
  const look = new Look(root, await readPalettes());
  const view = new View(root);
  const titles = new Map(methods.map((card) => [card.name, card.title]));
  const grid = new Grid(root, look, view, { titles, changed: () => changed(grid) });
  look.onopacity = view.onmove = later(() => writeLink(grid));
  byId("compare").addEventListener("click", () =>
    grid.compare(byId("compare-first").value, byId("compare-second").value),
  );
  return grid;
}

/** @param {Grid} grid */
function changed(grid) {
  byId("empty").hidden = grid.panels.length > 0;
  offerMaps(grid);
  writeLink(grid);
}

/** @param {Grid} grid */
function offerMaps(grid) {
  const maps = [...grid.maps];
  for (const [place, id] of ["compare-first", "compare-second"].entries()) {
    const select = byId(id);
    const before = select.value;
    select.replaceChildren(
      ...maps.map(([key, panel]) => element("option", { value: key }, `${panel.title}: ${panel.subtitle}`)),
    );
    select.value = grid.maps.has(before) ? before : (maps[place]?.[0] ?? "");
  }
  byId("compare").disabled = maps.length < 2;
}

/**
 * Open what the address asks for.
 * @param {Grid} grid
 */
async function openLink(grid) {
  const { ids, pairs, view, look } = readLink(location.hash);
  grid.look.take(look);
  if (view) Object.assign(grid.view, { zoom: Math.min(16, Math.max(1, view[0])), x: view[1], y: view[2] });
  grid.view.apply();
  const found = await Promise.all(ids.map(readOne));
  await Promise.all(found.filter((document) => document !== null).map((document) => grid.open(document)));
  for (const [first, second] of pairs) {
    if (grid.maps.has(first) && grid.maps.has(second)) grid.compare(first, second);
  }
}

/**
 * The document of an id; null, with a notice, when there is none.
 * @param {string} id
 */
async function readOne(id) {
  try {
    return await read(path(id));
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    say(error.status === 404 ? "An explanation of this link is no longer there." : error.message);
    return null;
  }
}

/** @param {string} words */
function say(words) {
  byId("notice").textContent = words;
  byId("notice").hidden = !words;
}

/**
 * @param {Grid} grid
 * @param {() => void} decide opens the section about what decides a class
 */
function tabs(grid, decide) {
  const names = ["explain", "decide", "jobs", "operations"];
  const show = (/** @type {string} */ chosen) => {
    for (const name of names) {
      byId(name).hidden = name !== chosen;
      byId(`tab-${name}`).setAttribute("aria-current", name === chosen ? "page" : "false");
    }
    if (chosen === "decide") decide();
    if (chosen === "operations") keepFresh();
    if (chosen === "jobs")
      showShelf({
        show: (document) => (show("explain"), grid.open(document)),
        gone: (id) => grid.forget(id),
      });
  };
  for (const name of names) byId(`tab-${name}`).addEventListener("click", () => show(name));
  byId("refresh").addEventListener("click", showOperations);
}

/**
 * What opens the section about what decides a class; its scripts are loaded when it is opened first.
 * @param {any} menu
 * @param {Grid} grid
 * @param {AskForm} form
 */
function decideOpener(menu, grid, form) {
  /** @type {Promise<unknown>|null} */
  let loaded = null;
  const load = async () => {
    const { Decide } = await import("./decide.js");
    await Decide.open(byId("decide"), menu, {
      palettes: grid.look.palettes,
      explain: (document) => (byId("tab-explain").click(), grid.open(document)),
      modelsChanged: () => form.picker.take(menu.models),
    });
  };
  return () => {
    loaded ??= load().catch((error) => {
      loaded = null;
      say("This part of the page could not be loaded.");
      throw error;
    });
  };
}

async function keepFresh() {
  while (!byId("operations").hidden) {
    await showOperations();
    await pause(REFRESH_MILLISECONDS);
  }
}

/**
 * Do it once nothing has asked for it for a while.
 * @param {() => void} work
 */
function later(work) {
  let timer = 0;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(work, LINK_MILLISECONDS);
  };
}

async function start() {
  keyDialog();
  try {
    const menu = await readMenu();
    const grid = await makeGrid(menu.methods);
    const form = new AskForm(menu, (document) => grid.open(document));
    tabs(grid, decideOpener(menu, grid, form));
    document.body.dataset.ready = "true";
    await openLink(grid);
  } catch (error) {
    say(error instanceof Refusal ? error.message : "This page could not be started.");
    throw error;
  }
}

start();
