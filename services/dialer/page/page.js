// The page of figures: asks the services every two seconds and shows what they say. It builds elements and sets text,
// never HTML, so that a campaign's name is a name whatever is in it.
"use strict";

const EVERY_MS = 2000;
const WHY_EVERY_MS = 6000;
const PATIENCE_MS = 6000;
const REMEMBERED = 60;
const SERVICES = ["dialer", "crm", "notifier"];
const SVG = "http://www.w3.org/2000/svg";

const WORDS = {
  wrap_up: "wrapping up", no_answer: "no answer", not_reached: "not reached", retry_delay: "retry delay",
  callback: "callback", live_call: "in a call", consent_view: "view of consents", owner: "owner of the pool",
  state: "state of the campaign", stop: "emergency stop", carrier: "carrier", trunk: "trunk", budget: "budget",
  lines: "lines", operators: "operators", window: "hours", cap: "frequency", list: "do-not-call list",
  message: "message next", rule: "rule", restored: "called before a restore", network: "network failure",
};
const OPERATOR_KINDS = { talking: 1, ready: 3, reserved: 2, wrap_up: 4, paused: 5, lost: 6, offline: 5 };
const OPERATOR_ORDER = ["talking", "reserved", "ready", "wrap_up", "paused", "lost", "offline"];
const OUTCOME_KINDS = { answered: 1, abandoned: 6, machine: 4, busy: 2, no_answer: 3 };
const RESULT_KINDS = { reached: 1, not_reached: 5, refused: 6, invalid: 4, withdrawn: 2 };

const number = new Intl.NumberFormat("en");
const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
const clockWithSeconds = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const day = new Intl.DateTimeFormat("en-GB", { weekday: "short", hour: "2-digit", minute: "2-digit" });

const byId = (id) => document.getElementById(id);
const words = (name) => WORDS[name] || String(name).replaceAll("_", " ");

function element(tag, properties, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties || {})) {
    if (name === "class") made.className = value;
    else if (name === "width") made.style.width = value;
    else if (name === "grow") made.style.flexGrow = value;
    else made.setAttribute(name, value);
  }
  made.append(...children.filter((one) => one !== null && one !== undefined));
  return made;
}

function drawn(tag, attributes, ...children) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

// Replaces what a part shows only when it has changed, so that focus, selection and screen readers are left alone.
const shown = new Map();
function show(target, data, build) {
  const text = JSON.stringify(data);
  if (shown.get(target) === text) return;
  shown.set(target, text);
  const made = build(data);
  target.replaceChildren(...(Array.isArray(made) ? made : [made]));
}

function span(seconds) {
  if (seconds < 1) return "0 s";
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  return `${Math.round(seconds / 3600)} h`;
}

function when(instant) {
  const at = new Date(instant);
  return at - Date.now() < 20 * 3600 * 1000 ? clock.format(at) : day.format(at);
}

const percent = (part, whole) => `${whole > 0 ? Math.min(100, (100 * part) / whole) : 0}%`;

async function ask(path, options) {
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(), PATIENCE_MS);
  try {
    const answer = await fetch(path, { cache: "no-store", signal: stop.signal, ...options });
    const body = await answer.json().catch(() => ({}));
    if (!answer.ok) return { problem: body.detail || body.title || `it answers ${answer.status}` };
    return { body };
  } catch (error) {
    return { problem: error.name === "AbortError" ? "it does not answer in time" : "it does not answer", silent: true };
  } finally {
    clearTimeout(timer);
  }
}

// -- calls

const remembered = new Map();
function remember(name, value) {
  const values = remembered.get(name) || [];
  values.push(value);
  if (values.length > REMEMBERED) values.shift();
  remembered.set(name, values);
  return values;
}

function sparkline(values) {
  const top = Math.max(1, ...values);
  const points = values.map((value, index) => `${(index / (REMEMBERED - 1)) * 100},${23 - (value / top) * 22}`);
  const line = drawn("polyline", { points: points.join(" ") });
  return drawn("svg", { viewBox: "0 0 100 24", preserveAspectRatio: "none", "aria-hidden": "true" }, line);
}

function showCalls(status) {
  const free = status.operators.ready || 0;
  const waiting = status.progress.reduce((sum, one) => sum + (one.leads.waiting || 0), 0);
  const tiles = [
    ["talking", status.talking, "talking"],
    ["ringing", status.ringing, "ringing"],
    ["queue", status.waiting, "answered, waiting for an operator"],
    ["free", free, free === 1 ? "operator free" : "operators free"],
    ["leads", waiting, "leads waiting"],
  ];
  const values = tiles.map(([name, value]) => [...remember(name, value)]);
  show(byId("tiles"), [tiles, values], () =>
    tiles.map(([name, value, label], index) => {
      const bad = name === "queue" && value > 0 ? "warn" : "";
      const figure = element("b", { class: bad }, number.format(value));
      return element("div", { class: "tile" }, figure, element("span", {}, label), sparkline(values[index]));
    }));
}

function showOperators(operators) {
  show(byId("operators"), operators, () => {
    const present = OPERATOR_ORDER.filter((state) => operators[state]);
    const all = present.reduce((sum, state) => sum + operators[state], 0);
    if (all === 0) return element("p", { class: "quiet" }, "Nobody has signed in as an operator yet.");
    const stack = element("div", { class: "stack", "aria-hidden": "true" },
      ...present.map((state) => element("i", { class: `k${OPERATOR_KINDS[state]}`, grow: operators[state] })));
    return [stack, legend(present.map((state) => [state, operators[state], OPERATOR_KINDS[state]]))];
  });
}

function legend(entries) {
  return element("ul", { class: "legend" }, ...entries.map(([name, count, kind]) =>
    element("li", {}, element("i", { class: `k${kind}`, "aria-hidden": "true" }),
      element("span", {}, element("b", {}, number.format(count)), ` ${words(name)}`))));
}

function showOutcomes(outcomes) {
  show(byId("outcomes"), outcomes, () => {
    const rows = Object.entries(outcomes).sort((a, b) => b[1] - a[1]);
    if (rows.length === 0) return element("p", { class: "quiet" }, "No call has ended in the last five minutes.");
    const top = rows[0][1];
    return element("ul", { class: "bars" }, ...rows.map(([name, count]) =>
      element("li", {}, element("span", {}, words(name)),
        element("span", { class: "bar", "aria-hidden": "true" },
          element("i", { class: `k${OUTCOME_KINDS[name] || 5}`, width: percent(count, top) })),
        element("b", {}, number.format(count)))));
  });
}

// -- campaigns

const cards = new Map();
const reasons = new Map();

function showCampaigns(status) {
  const target = byId("campaigns");
  const ids = status.progress.map((one) => one.campaign_id);
  for (const id of [...cards.keys()].filter((one) => !ids.includes(one))) {
    cards.get(id).root.remove();
    cards.delete(id);
  }
  show(target, ids, () => ids.length === 0
    ? element("p", { class: "quiet" }, "No campaign is running. Launch one with ", element("code", {}, "galw campaigns launch"), ".")
    : ids.map((id, index) => card(id, index === 0).root));
  for (const one of status.progress) showCampaign(card(one.campaign_id), one, status);
}

function card(id, open) {
  if (cards.has(id)) return cards.get(id);
  const made = { id };
  made.name = element("h3", {});
  made.mode = element("span", { class: "quiet" });
  made.progress = element("div", {});
  made.answer = element("p", { class: "answer" }, "counting …");
  made.pacing = element("p", { class: "quiet" });
  made.obstacles = element("div", {});
  made.chart = element("div", {});
  made.ended = element("div", {});
  const title = element("div", { class: "title" }, made.name, made.mode);
  const first = element("section", {}, element("h4", {}, "What holds leads back now"), made.obstacles, made.ended);
  const second = element("section", {}, element("h4", {}, "Leads that may be called, next 24 hours"), made.chart);
  made.root = element("details", { class: "campaign" },
    element("summary", {}, title, made.progress),
    element("div", { class: "body" }, element("div", {}, made.answer, made.pacing),
      element("div", { class: "inside" }, first, second)));
  made.root.open = Boolean(open);
  made.root.addEventListener("toggle", () => { if (made.root.open) askWhy(); });
  cards.set(id, made);
  explained = 0;
  return made;
}

function showCampaign(made, progress, status) {
  const states = progress.leads;
  const all = Object.values(states).reduce((sum, count) => sum + count, 0);
  const name = progress.name || `Campaign ${progress.campaign_id.slice(-8)}`;
  show(made.name, name, () => document.createTextNode(name));
  show(made.mode, [progress.mode, all], () =>
    document.createTextNode(`${progress.mode} · ${number.format(all)} ${all === 1 ? "lead" : "leads"}`));
  show(made.progress, [progress.results, states], () => {
    const results = Object.entries(progress.results).sort((a, b) => b[1] - a[1]);
    const parts = results.map(([result, count]) => [result, count, RESULT_KINDS[result] || 5]);
    if (states.busy) parts.push(["being called", states.busy, 3]);
    const stack = element("div", { class: "stack", "aria-hidden": "true" },
      ...parts.map(([, count, kind]) => element("i", { class: `k${kind}`, width: percent(count, all) })));
    const rest = states.waiting ? `${number.format(states.waiting)} waiting` : "nobody waiting";
    const entries = legend(parts);
    entries.append(element("li", {}, element("span", { class: "quiet" }, rest)));
    return [stack, entries];
  });
  const pool = status.pools.find((one) => one.explain[progress.campaign_id]);
  const why = reasons.get(progress.campaign_id);
  const pacing = (pool && pool.explain[progress.campaign_id]) || (why && why.pacing);
  show(made.pacing, pacing || "", () => document.createTextNode(pacing ? `Pacing: ${pacing}.` : ""));
}

function askWhy() {
  for (const made of cards.values()) {
    if (!made.root.open) continue;
    look(`api/dialer/status/why/${made.id}`, ({ body, problem }) => {
      if (body) {
        reasons.set(made.id, body);
        showWhy(made, body);
      } else {
        show(made.answer, problem, () => document.createTextNode(`Not known at the moment: ${problem}`));
      }
    });
  }
}

function showWhy(made, why) {
  show(made.answer, why.answer, () => document.createTextNode(why.answer));
  show(made.obstacles, why.obstacles, () => {
    if (why.obstacles.length === 0) return element("p", { class: "quiet" }, "Nothing.");
    const whole = new Set(["state", "stop", "owner", "consent_view", "carrier", "budget", "trunk", "lines", "operators"]);
    return element("ul", { class: "obstacles" }, ...why.obstacles.map((one) => {
      const about = one.estimated ? "about " : "";
      const free = one.until
        ? `${about}${number.format(one.frees)} come free from ${when(one.until)}`
        : whole.has(one.filter) || one.filter === "message" ? "" : "nobody can say until when";
      const rule = one.rule && one.rule.includes(".") ? ` (${one.rule})` : "";
      return element("li", { class: whole.has(one.filter) ? "all" : "" },
        element("span", {}, words(one.filter)), element("b", {}, about + number.format(one.leads)),
        element("span", { class: "bar", "aria-hidden": "true" }, element("i", { width: percent(one.leads, why.waiting) })),
        element("small", {}, `${one.text}${rule}${free ? `; ${free}` : ""}`));
    }));
  });
  const ruled = why.done.filter((one) => one.ruled_out_by);
  show(made.ended, ruled, () => ruled.length === 0 ? [] : element("p", { class: "quiet" },
    `Ruled out for good: ${ruled.map((one) => `${number.format(one.leads)} by ${one.ruled_out_by}`).join(", ")}.`));
  show(made.chart, why.chart, () => chart(why));
}

function chart(why) {
  const points = why.chart;
  const top = Math.max(1, ...points.map((one) => one.due));
  const last = points.length - 1;
  const x = (index) => (index / last) * 480;
  const y = (value) => 120 - (value / top) * 112;
  // Steps, not slopes: what comes free at nine comes free at nine.
  const area = (key) => {
    let path = `M0,120 V${y(points[0][key])}`;
    for (let index = 1; index <= last; index += 1) path += ` H${x(index)} V${y(points[index][key])}`;
    return `${path} V120 Z`;
  };
  const cursor = drawn("line", { class: "cursor", y1: 0, y2: 120, x1: -9, x2: -9 });
  const most = points.reduce((best, one) => (one.callable > best.callable ? one : best), points[0]);
  const summary = most.callable === 0
    ? "No lead may be called in the next 24 hours."
    : `Now ${number.format(points[0].callable)} may be called; most at ${when(most.at)}: ${number.format(most.callable)}.`;
  const svg = drawn("svg", { viewBox: "0 0 480 120", preserveAspectRatio: "none", role: "img", "aria-label": summary },
    drawn("line", { class: "grid", x1: 0, x2: 480, y1: 8, y2: 8 }),
    drawn("path", { class: "due", d: area("due") }), drawn("path", { class: "may", d: area("callable") }), cursor);
  const rest = `${why.estimated ? "From a sample. " : ""}${summary}`;
  const readout = element("p", { class: "readout" }, rest);
  const point = (event) => {
    const box = svg.getBoundingClientRect();
    const index = Math.max(0, Math.min(last, Math.round(((event.clientX - box.left) / box.width) * last)));
    cursor.setAttribute("x1", x(index));
    cursor.setAttribute("x2", x(index));
    const one = points[index];
    readout.textContent = `${when(one.at)}: ${number.format(one.callable)} may be called, of ${number.format(one.due)} whose time has come`;
  };
  svg.addEventListener("pointermove", point);
  svg.addEventListener("pointerdown", point);
  svg.addEventListener("pointerleave", () => {
    cursor.setAttribute("x1", -9);
    cursor.setAttribute("x2", -9);
    readout.textContent = rest;
  });
  const ticks = [0, 1, 2, 3, 4].map((quarter) => {
    const at = new Date(points[Math.round((quarter / 4) * last)].at);
    return element("span", {}, quarter === 0 ? "now" : clock.format(at));
  });
  const keys = element("ul", { class: "legend" },
    element("li", {}, keySwatch("may"), "may be called"), element("li", {}, keySwatch("due"), "time has come"));
  return element("div", { class: "chart" }, element("span", { class: "top", "aria-hidden": "true" }, number.format(top)),
    svg, element("div", { class: "ticks", "aria-hidden": "true" }, ...ticks), readout, keys);
}

function keySwatch(kind) {
  const box = drawn("svg", { viewBox: "0 0 12 12", "aria-hidden": "true", class: "swatch" });
  box.append(drawn("rect", { class: kind, width: 12, height: 12, rx: 3 }));
  return box;
}

// -- deliveries and services

function facts(target, entries) {
  show(target, entries, () => entries.map(([label, value, tone]) =>
    element("div", {}, element("dt", {}, label), element("dd", { class: tone || "" }, value))));
}

function showDeliveries({ body, problem }) {
  if (!body) {
    for (const id of ["webhooks", "messages"]) {
      show(byId(id), problem, () => element("div", { class: "why-away" },
        element("dt", {}, "not known"), element("dd", {}, problem)));
    }
    return;
  }
  const { webhooks, messages } = body;
  facts(byId("webhooks"), [
    ["delivered a minute", number.format(webhooks.delivered_per_minute)],
    ["in hand", number.format(webhooks.in_hand)],
    ["due now", number.format(webhooks.due)],
    ["behind", span(webhooks.lag_s), webhooks.lag_s > 10 ? "warn" : ""],
    ["wait for a retry", number.format(webhooks.waiting)],
    ["given up a minute", number.format(webhooks.exhausted_per_minute), webhooks.exhausted_per_minute ? "bad" : ""],
    ["endpoints off", number.format(webhooks.disabled_endpoints), webhooks.disabled_endpoints ? "warn" : ""],
  ]);
  facts(byId("messages"), [
    ["sent a minute", number.format(messages.settled_per_minute)],
    ["due now", number.format(messages.due)],
    ["behind", span(messages.lag_s), messages.lag_s > 10 ? "warn" : ""],
  ]);
}

function showServices(answers) {
  show(byId("services"), answers, () => SERVICES.map((name, index) => service(name, answers[index])));
}

function service(name, answer) {
  const { body, problem } = answer || { problem: "asking …" };
  const ready = body && body.ready;
  const badge = element("span", { class: `badge ${ready ? "good" : "bad"}` },
    element("span", { "aria-hidden": "true" }, ready ? "✓" : "✕"), ready ? "ready" : body ? "not ready" : answer ? "away" : "…");
  const parts = [element("header", {}, element("h3", {}, name), badge)];
  const complaints = body ? body.waiting_for.map((one) => `${one.name}: ${one.detail}`) : [problem];
  if (complaints.length) parts.push(element("p", { class: "why-away" }, complaints.join(" ")));
  if (body) {
    const late = body.outbox_oldest_s > 5 ? "warn" : "";
    const rows = [
      ["facts not sent yet", number.format(body.outbox_waiting), late],
      ["oldest of them", span(body.outbox_oldest_s), late],
      ["records not read yet", number.format(body.unread), body.unread > 1000 ? "warn" : ""],
      ["dead letters", number.format(body.dead_letters), body.dead_letters ? "bad" : ""],
      ["parked keys", number.format(body.parked_keys), body.parked_keys ? "bad" : ""],
    ];
    parts.push(element("dl", {}, ...rows.flatMap(([label, value, tone]) =>
      [element("dt", {}, label), element("dd", { class: tone }, value)])));
  }
  parts.push(element("p", { class: "links" }, element("a", { href: `api/${name}/docs` }, `${name} API`),
    element("a", { href: `api/${name}/openapi.json` }, "openapi.json")));
  return element("article", { class: "service" }, ...parts);
}

// -- the demo

function showDemo({ body }) {
  byId("demo").hidden = !body;
  if (!body) return;
  const button = byId("operators-switch");
  button.setAttribute("aria-checked", String(body.operators_on));
  const count = body.operators;
  const doing = body.operators_on ? `${count} ${count === 1 ? "is" : "are"} at work; they take calls by the same API as everybody.` : "They are at home; nobody takes calls unless you do.";
  const verified = `The demo's partner has verified ${number.format(body.webhooks.good)} webhooks.`;
  show(byId("demo-words"), [doing, verified], () => document.createTextNode(`${doing} ${verified}`));
  show(byId("sign-ins"), [body.sign_ins, body.password], () => {
    const caption = element("caption", {}, "Sign in with the password ", element("code", {}, body.password),
      ", which works on this machine only.");
    const head = element("thead", {}, element("tr", {}, ...["E-mail", "Role", "Name"].map((title) => element("th", { scope: "col" }, title))));
    const rows = byRole(body.sign_ins).map(([role, some]) => element("tr", {},
      element("td", {}, ...range(some.map((one) => element("code", {}, ...address(one.email))))),
      element("td", {}, role), element("td", {}, ...range(some.map((one) => one.name)))));
    return element("table", {}, caption, head, element("tbody", {}, ...rows));
  });
}

function byRole(accounts) {
  const roles = new Map();
  for (const one of accounts) roles.set(one.role, [...(roles.get(one.role) || []), one]);
  return [...roles];
}

// Where there is no room for the whole, an address breaks behind its sign.
const address = (email) => email.split(/(?<=@)/).flatMap((part, index) => (index ? [element("wbr"), part] : [part]));

// Many of a kind are told as the first … the last.
const range = (some) => (some.length > 2 ? [some[0], " … ", some[some.length - 1]] : some);

byId("operators-switch").addEventListener("click", async (event) => {
  const button = event.currentTarget;
  button.disabled = true;
  const on = button.getAttribute("aria-checked") !== "true";
  const answer = await ask("api/dialer/demo/operators", {
    method: "PUT", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ on }),
  });
  button.disabled = false;
  button.focus();
  if (answer.body) showDemo(answer);
});

// -- the loop

function pulse(ok, text) {
  const line = byId("pulse");
  const state = ok ? "pulse live" : "pulse lost";
  if (line.className !== state) line.className = state;
  line.setAttribute("aria-live", ok ? "off" : "polite");
  if (byId("pulse-text").textContent !== text) byId("pulse-text").textContent = text;
}

// Every address is asked for itself, and never twice at once: a service that hangs delays nobody else's figures.
const asking = new Set();
async function look(path, use) {
  if (asking.has(path)) return;
  asking.add(path);
  try {
    use(await ask(path));
    tell();
  } finally {
    asking.delete(path);
  }
}

let dialer = null;
const health = new Map(SERVICES.map((name) => [name, null]));

function lookAtAll() {
  look("api/dialer/status", (answer) => {
    dialer = answer;
    if (!answer.body) return;
    showCalls(answer.body);
    showOperators(answer.body.operators);
    showOutcomes(answer.body.outcomes);
    showCampaigns(answer.body);
  });
  look("api/notifier/status", showDeliveries);
  for (const name of SERVICES) {
    look(`api/${name}/health`, (answer) => {
      health.set(name, answer);
      showServices([...health.values()]);
    });
  }
  if (dialer && dialer.body && dialer.body.demo) look("api/dialer/demo", showDemo);
}

function tell() {
  const known = [dialer, ...health.values()].filter((one) => one !== null);
  const away = SERVICES.filter((name) => health.get(name) && !(health.get(name).body && health.get(name).body.ready));
  if (known.every((one) => one.silent)) pulse(false, "Galw does not answer; trying again");
  else if (dialer && !dialer.body) pulse(false, `The dialer is away: ${dialer.problem}`);
  else if (away.length) pulse(false, `Not ready: ${away.join(", ")}`);
  else pulse(true, `live · ${clockWithSeconds.format(new Date())}`);
}

let explained = 0;
function run() {
  if (!document.hidden) {
    lookAtAll();
    if (Date.now() - explained > WHY_EVERY_MS) {
      explained = Date.now();
      askWhy();
    }
  }
  setTimeout(run, EVERY_MS);
}

document.addEventListener("visibilitychange", () => { if (!document.hidden) lookAtAll(); });
run();
