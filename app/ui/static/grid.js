/** All panels: one for each explained class of each job, and the differences of two of them. */

import { call, Refusal } from "./api.js";
import { difference } from "./difference.js";
import { eachFrame } from "./dom.js";
import { factsOf } from "./facts.js";
import { erase, finished, follow, path } from "./jobs.js";
import { parseNpy } from "./npy.js";
import { Panel, readBase } from "./panel.js";

/**
 * @typedef {{id: string, document: any, panels: Panel[], closed: boolean}} Job
 */

export class Grid {
  /**
   * @param {HTMLElement} root
   * @param {import("./look.js").Look} look
   * @param {import("./view.js").View} view
   * @param {{titles: Map<string, string>, changed: () => void}} options titles of methods by their names
   */
  constructor(root, look, view, options) {
    this.root = root;
    this.look = look;
    this.view = view;
    this.options = options;
    /** @type {Map<string, Job>} */
    this.jobs = new Map();
    /** @type {{panel: Panel, of: [string, string]}[]} */
    this.differences = [];
    /** @type {Map<string, Promise<import("./panel.js").Base>>} */
    this.bases = new Map();
    this.repaint = eachFrame(() => this.panels.forEach((panel) => this.paint(panel)));
    look.onchange = () => {
      this.repaint();
      options.changed();
    };
    view.onread = (cursor) => this.panels.forEach((panel) => panel.read(cursor));
  }

  /** All panels, in the order in which they are shown. */
  get panels() {
    return [
      ...[...this.jobs.values()].flatMap((job) => job.panels),
      ...this.differences.map(({ panel }) => panel),
    ];
  }

  /** The panels of finished maps by `id.index`. */
  get maps() {
    const found = [...this.jobs.values()].flatMap((job) =>
      job.panels
        .filter((panel) => panel.root.dataset.state === "done" && panel.map)
        .map((panel) => /** @type {[string, Panel]} */ ([panel.root.dataset.key, panel])),
    );
    return new Map(found);
  }

  /**
   * Show an explanation and follow it to its end.
   * @param {any} document
   */
  async open(document) {
    if (this.jobs.has(document.id)) return;
    const job = { id: document.id, document, panels: /** @type {Panel[]} */ ([]), closed: false };
    this.jobs.set(job.id, job);
    this.addPanel(job).setProgress(document.state, document.progress);
    this.options.changed();
    try {
      const end = finished(document.state)
        ? document
        : await follow(path(job.id), (change) => this.goOn(job, change));
      await this.finish(job, end);
    } catch (error) {
      const gone = error instanceof Refusal && error.status === 404;
      this.fail(job, gone ? "It was erased." : /** @type {Error} */ (error).message);
      if (!(error instanceof Refusal)) throw error;
    }
  }

  /**
   * @param {Job} job
   * @param {any} change
   */
  goOn(job, change) {
    job.panels.forEach((panel) => panel.setProgress(change.state, change.progress));
    for (const draft of change.drafts ?? []) {
      this.showMap(job, draft).catch(() => {}); // nothing depends on a draft
    }
  }

  /**
   * @param {Job} job
   * @param {any} document null when it was erased
   */
  async finish(job, document) {
    if (job.closed) return;
    if (document === null) return this.fail(job, "It was cancelled.");
    job.document = document;
    if (document.error) {
      const wrong = document.error.errors.map(
        (/** @type {any} */ each) => ` ${each.field}: ${each.message}.`,
      );
      return this.fail(job, `${document.error.detail}${wrong.join("")}`);
    }
    await Promise.all(document.targets.map((/** @type {any} */ target) => this.showResult(job, target)));
    this.options.changed();
  }

  /**
   * @param {Job} job
   * @param {any} target
   */
  async showResult(job, target) {
    const panel = await this.showMap(job, target);
    panel.facts.replaceChildren(
      ...factsOf(job.document, target, { look: this.look, erase: () => this.erase(job) }),
    );
    panel.setEnd("done");
  }

  /**
   * @param {Job} job
   * @param {any} target of a draft or of a result
   */
  async showMap(job, target) {
    const panel = this.panelOf(job, target);
    const turn = (panel.newest += 1);
    const [base, buffer] = await Promise.all([
      this.base(job, target),
      call(`${target.links.heatmap}&format=npy`).then((response) => response.arrayBuffer()),
    ]);
    if (turn !== panel.newest) return panel;
    const { values, shape } = parseNpy(buffer);
    panel.setBase(base);
    panel.setMap({ values, height: shape[0], width: shape[1], box: target.map.box });
    this.paint(panel);
    return panel;
  }

  /**
   * The image of a job as the service shows it; one for all jobs of one image.
   * @param {Job} job
   * @param {any} target
   */
  base(job, target) {
    const key = job.document.provenance?.image ?? job.id;
    let known = this.bases.get(key);
    if (!known) this.bases.set(key, (known = readBase(`${target.links.overlay}&opacity=0&format=png`)));
    known.catch(() => this.bases.delete(key));
    return known;
  }

  /** @param {Panel} panel */
  paint(panel) {
    panel.paint(this.look, this.look.palettes);
  }

  /**
   * The panel of a class; the first one has the panel that stood there waiting.
   * @param {Job} job
   * @param {any} target
   */
  panelOf(job, target) {
    const key = `${job.id}.${target.index}`;
    const known = job.panels.find((panel) => panel.root.dataset.key === key);
    if (known) return known;
    const panel = job.panels.find((each) => !each.root.dataset.key) ?? this.addPanel(job);
    panel.root.dataset.key = key;
    panel.setSubtitle(target.label);
    return panel;
  }

  /** @param {Job} job */
  addPanel(job) {
    const { name } = job.document.method;
    const panel = new Panel(this.options.titles.get(name) ?? name, () => this.close(job));
    const last = job.panels.at(-1);
    if (last) last.root.after(panel.root);
    else this.root.append(panel.root);
    job.panels.push(panel);
    return panel;
  }

  /**
   * @param {Job} job
   * @param {string} words
   */
  fail(job, words) {
    job.panels.forEach((panel) => panel.setEnd("failed", words));
    this.options.changed();
  }

  /**
   * Take a job out of the page; one that is not finished is cancelled.
   * @param {Job} job
   */
  async close(job) {
    const runs = job.panels.some((panel) => ["queued", "running"].includes(panel.root.dataset.state));
    if (runs) return erase(path(job.id)).catch(() => {}); // it ended by itself; who follows it says how
    this.forget(job.id);
  }

  /** @param {Job} job */
  async erase(job) {
    await erase(path(job.id));
    this.forget(job.id);
  }

  /** @param {string} id */
  forget(id) {
    const job = this.jobs.get(id);
    if (!job) return;
    job.closed = true;
    job.panels.forEach((panel) => panel.root.remove());
    this.jobs.delete(id);
    this.options.changed();
  }

  /**
   * Show one map less another; both are maps of this page.
   * @param {string} first
   * @param {string} second
   */
  compare(first, second) {
    const [one, other] = [first, second].map((key) => /** @type {Panel} */ (this.maps.get(key)));
    const panel = difference(one, other, () => {
      this.differences = this.differences.filter((each) => each.panel !== panel);
      panel.root.remove();
      this.options.changed();
    });
    this.differences.push({ panel, of: [first, second] });
    this.root.append(panel.root);
    this.paint(panel);
    this.options.changed();
  }
}
