/* The frame of the page: its data, sections that are drawn when they come into view, and light and dark.
 *
 * hps.section(id, title, draw, options) adds a section. draw(element, data, theme) fills an empty element. It is called
 * when the section is about to be seen, and again when the theme, the data or the width has changed; what it returns, a
 * function or nothing, is called before that. Options:
 *   order   where it stands on the page
 *   when    a function of the data: whether the section is there at all
 *   nav     its name in the bar above, where the title is too long for it
 *   chart   it needs Plotly, and waits for it; without Plotly it is left out
 *
 * Text gets into the page by hps.el and textContent alone: nothing from a search is ever read as markup.
 */
'use strict';

const hps = {sections: [], data: null};
window.hps = hps;

/* Elements */

// Characters that are invisible, or change the direction of what follows, are shown as escapes.
const UNSEEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;

hps.text = value => String(value).replace(UNSEEN, character =>
  character.charCodeAt(0) < 256
    ? '\\x' + character.charCodeAt(0).toString(16).padStart(2, '0')
    : '\\u' + character.charCodeAt(0).toString(16).padStart(4, '0'));

// hps.el('p.note', {title: 'why'}, 'text', element …); a property "on" has listeners. Children that are null are left out.
hps.el = (kind, properties, ...children) => {
  const [tag, ...classes] = kind.split('.');
  const element = document.createElement(tag);
  if (classes.length) element.className = classes.join(' ');
  for (const [name, value] of Object.entries(properties || {})) {
    if (name === 'on') for (const [event, listener] of Object.entries(value)) element.addEventListener(event, listener);
    else if (name === 'style') for (const [key, each] of Object.entries(value)) element.style.setProperty(key, each);
    else if (name in element && !name.startsWith('aria')) element[name] = value;
    else if (value !== null && value !== false) element.setAttribute(name, value === true ? '' : hps.text(value));
  }
  element.append(...children.flat().filter(child => child !== null && child !== undefined && child !== false)
    .map(child => child instanceof Node ? child : document.createTextNode(hps.text(child))));
  return element;
};

/* Data */

// Numbers from their bytes: the first bytes of all of them, then the second ones, and so on.
const doubles = text => {
  const bytes = atob(text);
  const count = bytes.length / 8;
  const ordered = new Uint8Array(bytes.length);
  for (let part = 0, at = 0; part < 8; part++) {
    for (let number = 0; number < count; number++) ordered[8 * number + part] = bytes.charCodeAt(at++);
  }
  return Array.from(new Float64Array(ordered.buffer));
};

// The values of a column as they were before they were made small.
hps.column = column => {
  if (Array.isArray(column)) return column;
  if ('doubles' in column) return doubles(column.doubles);
  if ('of' in column) return column.at.map(place => column.of[place]);
  return new Array(column.count).fill(column.all);
};

hps.columns = columns => Object.fromEntries(Object.entries(columns).map(([name, column]) => [name, hps.column(column)]));

// A word of a command may end with the value of a parameter.
const wordOf = (search, run, word) => Array.isArray(word) ? word[0] + hps.digits(search.params[word[1]][run]) : word;

const unfold = data => {
  for (const search of data.searches) {
    for (const part of ['runs', 'params', 'values', 'metrics', 'attempts']) search[part] = hps.columns(search[part]);
    search.count = search.runs.name.length;
    search.stateOf = run => search.states[search.runs.state[run]];
    search.commandOf = run => search.commands.lines[run].map(place => wordOf(search, run, search.commands.words[place])).join(' ');
  }
  return data;
};

/* Theme */

const THEMES = ['system', 'light', 'dark'];
const prefersDark = window.matchMedia('(prefers-color-scheme: dark)');
let chosen = 'system';
try { chosen = localStorage.getItem('hpsearch-theme') || 'system'; } catch (error) { /* files have no storage everywhere */ }

hps.theme = () => {
  const style = getComputedStyle(document.documentElement);
  const color = name => style.getPropertyValue('--' + name).trim();
  return {
    dark: document.documentElement.dataset.theme === 'dark',
    text: color('text'), muted: color('muted'), line: color('line'), grid: color('grid'), page: color('page'),
    panel: color('panel'), accent: color('accent'), font: style.fontFamily,
    states: Object.fromEntries(
      ['planned', 'claimed', 'submitted', 'running', 'finished', 'failed', 'stopped', 'interrupted', 'lost', 'unknown', 'oom']
        .map(state => [state, color('state-' + state)])),
    palette: [1, 2, 3, 4, 5, 6, 7, 8].map(number => color('series-' + number)),
  };
};

const applyTheme = () => {
  const dark = chosen === 'dark' || (chosen === 'system' && prefersDark.matches);
  document.documentElement.dataset.theme = dark ? 'dark' : 'light';
  const button = document.getElementById('theme');
  button.textContent = {system: '◐ Auto', light: '☀ Light', dark: '☾ Dark'}[chosen];
  button.title = 'Colours: as the system has them, light, or dark';
  button.setAttribute('aria-label', `Colours: ${chosen}. Change.`);
};

const nextTheme = () => {
  chosen = THEMES[(THEMES.indexOf(chosen) + 1) % THEMES.length];
  try { localStorage.setItem('hpsearch-theme', chosen); } catch (error) { /* then it is as the system has it next time */ }
  applyTheme();
  hps.redraw();
};

// The text of an element that was compressed, so that the page of many runs stays small enough to be sent by mail.
const unpacked = async id => {
  const bytes = atob(document.getElementById(id).textContent);
  const packed = new Uint8Array(bytes.length);
  for (let at = 0; at < bytes.length; at++) packed[at] = bytes.charCodeAt(at);
  return new Response(new Blob([packed]).stream().pipeThrough(new DecompressionStream('gzip'))).text();
};

/* Sections */

hps.section = (id, title, draw, options = {}) => hps.sections.push({id, title, draw, order: 50, ...options});

const isShown = section =>
  (!section.chart || Object.keys(hps.data.figures).length > 0) && (!section.when || section.when(hps.data));

const undraw = section => {
  section.body.style.minHeight = `${section.body.offsetHeight}px`;  // what is below stays where it is
  if (section.undo) section.undo();
  section.undo = null;
  section.body.replaceChildren();
  section.drawn = false;
};

// Plotly is a text of the page at first: it takes a second to execute, in which nothing else would be seen.
let loading = false;
const loadCharts = async () => {
  if (loading) return;
  loading = true;
  const script = document.createElement('script');
  script.textContent = await unpacked('plotly');
  requestAnimationFrame(() => setTimeout(() => {
    document.head.append(script);
    seen.forEach(drawSection);
  }));
};

const drawSection = section => {
  if (section.drawn) return;
  if (section.chart && !window.Plotly) {
    loadCharts();
    return;
  }
  section.drawn = true;
  try {
    const undo = section.draw(section.body, hps.data, hps.theme());
    section.undo = typeof undo === 'function' ? undo : null;
    performance.mark(section.id);
  } catch (error) {
    section.body.replaceChildren(hps.el('p.note', null, `This section cannot be shown: ${error.message}`));
    console.error(error);
  }
  section.body.style.minHeight = '';
};

const seen = new Set();
const observer = new IntersectionObserver(entries => {
  for (const entry of entries) {
    const section = hps.sections.find(each => each.node === entry.target);
    if (entry.isIntersecting) seen.add(section); else seen.delete(section);
    if (entry.isIntersecting) drawSection(section);
  }
}, {rootMargin: '300px'});

const place = section => {
  section.body = hps.el('div.section-body');
  section.node = hps.el('section', {id: section.id, 'aria-labelledby': `${section.id}-title`},
    hps.el('h2', {id: `${section.id}-title`}, section.title,
      hps.el('a.anchor', {href: `#${section.id}`, 'aria-label': `Link to ${section.title}`}, '#')),
    section.body);
  document.getElementById('main').append(section.node);
  document.getElementById('nav').append(hps.el('a', {href: `#${section.id}`}, section.nav || section.title));
  observer.observe(section.node);
};

// Draws anew what is in view, and the others when they come into view.
hps.redraw = () => {
  for (const section of hps.sections.filter(each => each.node)) {
    undraw(section);
    if (seen.has(section)) drawSection(section);
  }
};

// Takes other data of the same form: a page that is kept fresh.
hps.update = data => {
  hps.data = unfold(data);
  hps.sections.sort((one, other) => one.order - other.order);
  const wanted = hps.sections.filter(isShown);
  const there = hps.sections.filter(section => section.node);
  if (wanted.length !== there.length || wanted.some((section, at) => section !== there[at])) {
    for (const section of there) { undraw(section); observer.unobserve(section.node); section.node.remove(); section.node = null; }
    document.getElementById('nav').replaceChildren();
    seen.clear();
    wanted.forEach(place);
  }
  hps.redraw();
};

hps.start = async () => {
  applyTheme();
  document.getElementById('theme').addEventListener('click', nextTheme);
  prefersDark.addEventListener('change', () => { applyTheme(); hps.redraw(); });
  const names = data => data.searches.map(search => search.name).join(', ');
  if (!window.DecompressionStream) {
    document.getElementById('main').append(hps.el('p.note', null, 'This page needs a browser of 2023 or later.'));
    return;
  }
  hps.update(JSON.parse(await unpacked('data')));
  document.getElementById('title').textContent = hps.text(names(hps.data));
  document.getElementById('footer').append(
    hps.el('span', null, `hpsearch ${hps.data.hpsearch} · read ${hps.date(hps.data.searches[0].now)}`),
    ...hps.data.notes.map(note => hps.el('p.note', null, note)));
  if (location.hash) document.getElementById(location.hash.slice(1))?.scrollIntoView();  // it was not there yet
  if (hps.data.live) hps.keepFresh();
};
