/* The table of runs: only the rows in view are elements, so that it is quick with any number of them. */
'use strict';

const ROW_HEIGHT = 32;
const OVERSCAN = 10;
const SAMPLE = 300;
const MOST_COLUMNS = 14;
const PRINTED = 100;

/* Values: numbers before texts, what is missing last in either direction */

const asNumber = value => {
  if (typeof value === 'number') return value;
  if (/^-?\d{16,}$/.test(value)) return Number(value);  // it is shown in full, and ordered as far as numbers can be told apart
  return {inf: Infinity, '-inf': -Infinity, nan: NaN}[value];
};

const isMissing = value => value === null || value === undefined || value === '' || Number.isNaN(value);

const comparedBy = (of, direction) => (one, other) => {
  const [a, b] = [of(one), of(other)];
  const [gone, goneToo] = [isMissing(a), isMissing(b)];
  if (gone || goneToo) return gone === goneToo ? one - other : gone ? 1 : -1;
  const differ = typeof a === typeof b ? (a < b ? -1 : a > b ? 1 : 0) : (typeof a === 'number' ? -1 : 1);
  return differ ? differ * direction : one - other;
};

/* Filters: a text that occurs; of numbers also >1, <=2, =3, !=4, 1..5 */

const NUMBER = '([-+]?(?:\\d+\\.?\\d*|\\.\\d+)(?:e[-+]?\\d+)?)';
const COMPARISON = new RegExp(`^(<=|>=|!=|<|>|=)\\s*${NUMBER}$`, 'i');
const RANGE = new RegExp(`^${NUMBER}\\s*\\.\\.\\s*${NUMBER}$`, 'i');
const COMPARISONS = {
  '<': (a, b) => a < b, '>': (a, b) => a > b, '<=': (a, b) => a <= b, '>=': (a, b) => a >= b,
  '=': (a, b) => a === b, '!=': (a, b) => a !== b,
};

const testOf = (column, text) => {
  const wanted = text.trim().toLowerCase();
  const comparison = wanted.match(COMPARISON);
  const range = wanted.match(RANGE);
  if (comparison) {
    const holds = COMPARISONS[comparison[1]];
    return row => { const value = column.key(row); return typeof value === 'number' && holds(value, Number(comparison[2])); };
  }
  if (range) {
    const [low, high] = [Number(range[1]), Number(range[2])];
    return row => { const value = column.key(row); return typeof value === 'number' && low <= value && value <= high; };
  }
  if (column.choices) return row => column.text(row) === text;
  return row => column.text(row).toLowerCase().includes(wanted);
};

/* Columns */

// As many decimals as the values have, so that they stand below each other; values of very different size have none.
const decimalsOf = values => {
  let most = 0;
  for (let at = 0; at < values.length; at += Math.max(1, Math.floor(values.length / SAMPLE))) {
    if (typeof values[at] !== 'number') continue;
    const text = hps.value(values[at]);
    if (text.includes('e')) return null;
    most = Math.max(most, (text.split('.')[1] || '').length);
  }
  return most <= 6 ? most : null;
};

const aligned = values => {
  const decimals = decimalsOf(values);
  return each => decimals === null || typeof each !== 'number' || Math.abs(each) >= 1e7 ? hps.value(each) : each.toFixed(decimals);
};

const columnOf = (rows, id, title, value, options = {}) => {
  const values = rows.map(value);
  const key = options.key || (row => { const number = asNumber(values[row]); return number === undefined ? values[row] : number; });
  const show = options.show || aligned(values);
  return {
    id, title, key, text: row => show(values[row], rows[row]), node: options.node, choices: options.choices,
    isNumeric: values.every(each => each === null || each === undefined || asNumber(each) !== undefined),
    isEmpty: values.every(isMissing), isSame: !options.keep && new Set(options.kind === 'Parameter' ? values : values.filter(each => !isMissing(each))).size < 2, kind: options.kind || 'Run',
    about: options.about || title,
  };
};

const ofRuns = (name, places) => ({search, run}) => search[places][name] ? search[places][name][run] : null;

const keysOf = (data, places) => [...new Set(data.searches.flatMap(search => Object.keys(search[places])))];

const ranksOf = search => {
  const ranks = new Array(search.count).fill(null);
  search.ranked.forEach((run, at) => { ranks[run] = at + 1; });
  return ranks;
};

const lastAttempt = name => ({search, run}) => {
  const attempts = attemptsOf(search, run);
  return attempts.length ? search.attempts[name][attempts[attempts.length - 1]] : null;
};

const runColumns = (data, rows) => {
  const ranks = new Map(data.searches.map(search => [search, ranksOf(search)]));
  const add = (...words) => columnOf(rows, ...words);
  const objectives = [...new Set(data.searches.flatMap(search => search.objectives.map(each => each.key)))];
  const states = [...new Set(rows.map(({search, run}) => search.stateOf(run)))];
  const values = keysOf(data, 'values').filter(key => !objectives.includes(key));
  return [
    add('rank', 'Rank', ({search, run}) => ranks.get(search)[run], {
      about: `Rank by ${objectives[0] || 'the objective'}, the largest budget first`,
    }),
    ...(data.searches.length > 1 ? [add('search', 'Search', ({search}) => search.name, {keep: true})] : []),
    add('name', 'Run', ({search, run}) => search.runs.name[run], {
      keep: true,
      key: row => rows[row].search.runs.number[rows[row].run],
      node: ({at, run}, text) => hps.runButton(at, run, text),
    }),
    add('state', 'State', ({search, run}) => search.stateOf(run), {
      keep: true, choices: states, node: ({search, run}) => hps.stateTag(search.stateOf(run)),
    }),
    ...objectives.map(key => add(`value:${key}`, key, ofRuns(key, 'values'), {kind: 'Result', keep: true})),
    ...keysOf(data, 'params').map(key => add(`param:${key}`, key, ofRuns(key, 'params'), {kind: 'Parameter', show: each => hps.value(each)})),
    ...values.map(key => add(`value:${key}`, key, ofRuns(key, 'values'), {kind: 'Result'})),
    ...keysOf(data, 'metrics').map(key => add(`metric:${key}`, `${key} (last)`, ofRuns(key, 'metrics'), {kind: 'Metric'})),
    add('seconds', 'Time', ({search, run}) => search.runs.seconds[run], {show: each => hps.duration(each), keep: true}),
    add('budget', 'Budget', ({search, run}) => search.runs.budget[run]),
    add('attempts', 'Attempts', ({search, run}) => search.runs.attempts[run]),
    add('gpu_memory', 'GPU memory', lastAttempt('gpu_memory'), {show: hps.memory}),
    add('host', 'Host', lastAttempt('host')),
    add('gpus', 'GPU', lastAttempt('gpus'), {show: each => each || ''}),
    add('trial', 'Trial', ({search, run}) => search.runs.trial[run]),
    add('gpu_seconds', 'GPU time', ({search, run}) => search.runs.gpu_seconds[run], {show: each => hps.duration(each)}),
    add('reason', 'Reason', ({search, run}) => search.runs.reason[run], {show: each => each.replace(/\s+/g, ' ')}),
  ].filter(column => !column.isEmpty || column.id === 'name');
};

// What is shown at first: what differs between runs, as far as there is room.
const firstColumns = columns => {
  const hidden = new Set(['trial', 'gpu_seconds', 'gpu_memory', 'host', 'gpus', 'reason']);
  const wanted = columns.filter(column => !column.isSame && !hidden.has(column.id));
  const last = wanted.filter(column => column.id === 'seconds');
  const shown = wanted.filter(column => column.id !== 'seconds').slice(0, MOST_COLUMNS - last.length).concat(last);
  const reason = columns.filter(column => column.id === 'reason' && shown.length < MOST_COLUMNS);
  return new Set([...shown, ...reason].map(column => column.id));
};

const pen = document.createElement('canvas').getContext('2d');
const widest = (texts, weight) => {
  pen.font = `${weight} 14px ${getComputedStyle(document.body).fontFamily}`;
  return texts.reduce((most, text) => Math.max(most, pen.measureText(hps.text(text.slice(0, 80))).width), 0);
};

// With room for margins, the arrow of a heading, and the mark of a state.
const widthOf = (column, count) => {
  const step = Math.max(1, Math.floor(count / SAMPLE));
  const texts = [];
  for (let row = 0; row < count; row += step) texts.push(column.text(row));
  const needed = Math.max(widest([column.title], 600) + 40, widest(texts, 400) + (column.id === 'state' ? 46 : 24));
  return Math.min(column.id === 'reason' ? 420 : 260, Math.max(76, Math.ceil(needed)));
};

/* The table: what was chosen survives a redraw */

const view = {sort: null, direction: 1, filters: {}, search: '', shown: null, top: 0};

class RunTable {
  constructor(element, data) {
    this.rows = data.searches.flatMap((search, at) => Array.from({length: search.count}, (_, run) => ({search, at, run})));
    this.columns = runColumns(data, this.rows);
    view.shown = view.shown || firstColumns(this.columns);
    view.sort = view.sort || (this.columns.some(column => column.id === 'rank') ? 'rank' : 'name');
    this.count = hps.el('span.muted', {role: 'status', 'aria-live': 'polite'});
    this.head = hps.el('thead');
    this.body = hps.el('tbody');
    this.group = hps.el('colgroup');
    this.table = hps.el('table.grid', {'aria-labelledby': 'runs-title'}, this.group, this.head, this.body);
    this.scroller = hps.el('div.grid-scroll', {tabIndex: 0, role: 'region', 'aria-labelledby': 'runs-title', on: {
      scroll: () => { view.top = this.scroller.scrollTop; this.later(); },
    }}, this.table);
    element.append(this.tools(), this.scroller);
    this.layOut();
    this.choose();
    this.scroller.scrollTop = view.top;
  }

  tools() {
    const search = hps.el('input.search', {
      type: 'search', placeholder: 'Filter runs', 'aria-label': 'Filter runs by a text in any column', value: view.search,
      on: {input: event => { view.search = event.target.value; this.choose(); }},
    });
    const clear = hps.el('button.quiet', {type: 'button', on: {click: () => {
      Object.assign(view, {filters: {}, search: '', top: 0});
      search.value = '';
      this.layOut();
      this.choose();
    }}}, 'Clear');
    return hps.el('div.tools', null, search, this.count, clear, this.chooser());
  }

  chooser() {
    const kinds = [...new Set(this.columns.map(column => column.kind))];
    const box = column => hps.el('label', null, hps.el('input', {
      type: 'checkbox', checked: view.shown.has(column.id), on: {change: event => {
        if (event.target.checked) view.shown.add(column.id);
        else view.shown.delete(column.id);
        if (!event.target.checked) delete view.filters[column.id];
        this.layOut();
        this.choose();
      }},
    }), ' ', column.title);
    return hps.el('details.chooser', null, hps.el('summary', null, 'Columns'), hps.el('div.choices', null, kinds.map(kind =>
      hps.el('fieldset', null, hps.el('legend', null, kind), this.columns.filter(column => column.kind === kind).map(box)))));
  }

  layOut() {
    this.visible = this.columns.filter(column => view.shown.has(column.id));
    const widths = this.visible.map(column => column.width || (column.width = widthOf(column, this.rows.length)));
    this.table.style.width = `max(100%, ${widths.reduce((sum, width) => sum + width, 0)}px)`;
    this.group.replaceChildren(...widths.map(width => hps.el('col', {style: {width: `${width}px`}})));
    this.table.setAttribute('aria-colcount', this.visible.length);
    this.head.replaceChildren(
      hps.el('tr', null, this.visible.map(column => this.heading(column))),
      hps.el('tr.filters', null, this.visible.map(column => hps.el('td', null, this.filter(column)))));
  }

  heading(column) {
    const sorted = view.sort === column.id ? (view.direction > 0 ? 'ascending' : 'descending') : 'none';
    const sort = () => {
      view.direction = view.sort === column.id ? -view.direction : 1;
      view.sort = column.id;
      view.top = this.scroller.scrollTop = 0;
      this.layOut();
      this.choose();
      this.head.querySelector(`[data-column="${CSS.escape(column.id)}"] button`).focus();
    };
    return hps.el(column.isNumeric ? 'th.number' : 'th', {scope: 'col', 'aria-sort': sorted, 'data-column': column.id},
      hps.el('button', {type: 'button', title: `${column.about}: sort`, on: {click: sort}}, column.title,
        hps.el('span.arrow', {'aria-hidden': 'true'}, {ascending: '▲', descending: '▼', none: ''}[sorted])));
  }

  filter(column) {
    const change = event => { view.filters[column.id] = event.target.value; this.choose(); };
    const label = `Filter by ${column.title}`;
    if (column.choices) {
      return hps.el('select', {'aria-label': label, on: {change}}, ['', ...column.choices].map(each =>
        hps.el('option', {value: each, selected: each === (view.filters[column.id] || '')}, each || 'all')));
    }
    return hps.el('input', {
      type: 'text', 'aria-label': label, value: view.filters[column.id] || '', title: column.isNumeric ? 'A number: >0.1, <=3, 1..5, !=2; or what it contains' : 'What it contains', placeholder: 'filter',
      spellcheck: false, on: {input: change},
    });
  }

  // Which rows are there, and in which order.
  choose() {
    const tests = this.columns.filter(column => view.filters[column.id]).map(column => testOf(column, view.filters[column.id]));
    const wanted = view.search.trim().toLowerCase();
    if (wanted) tests.push(row => this.visible.some(column => column.text(row).toLowerCase().includes(wanted)));
    const sorter = this.columns.find(column => column.id === view.sort) || this.columns[0];
    this.order = this.rows.map((_, row) => row).filter(row => tests.every(test => test(row)))
      .sort(comparedBy(sorter.key, view.direction));
    const all = hps.count(this.rows.length, 'run');
    this.count.textContent = this.order.length === this.rows.length
      ? all : `${this.order.length.toLocaleString('en-US')} of ${all}`;
    this.table.setAttribute('aria-rowcount', this.order.length + 1);
    this.draw();
  }

  later() {
    if (this.waiting) return;
    this.waiting = true;
    requestAnimationFrame(() => { this.waiting = false; this.draw(); });
  }

  // Paper does not scroll: it gets the first rows.
  draw(printed = 0) {
    const seen = printed || Math.ceil((this.scroller.clientHeight || 600) / ROW_HEIGHT);
    const first = printed ? 0 : Math.max(0, Math.min(Math.floor(this.scroller.scrollTop / ROW_HEIGHT), this.order.length - seen) - OVERSCAN);
    const last = Math.min(this.order.length, first + seen + 2 * OVERSCAN);
    this.body.replaceChildren(
      this.space(first),
      ...this.order.slice(first, last).map((row, at) => this.row(row, first + at)),
      this.space(this.order.length - last),
      ...(this.order.length ? [] : [hps.el('tr', null, hps.el('td.nothing', {colSpan: this.visible.length || 1}, 'No run matches.'))]));
  }

  space(rows) {
    return hps.el('tr.space', {'aria-hidden': 'true', style: {height: `${rows * ROW_HEIGHT}px`}});
  }

  row(row, at) {
    const entry = this.rows[row];
    const cells = this.visible.map(column => {
      const text = column.text(row);
      const cut = text.length > 300 ? text.slice(0, 300) + '…' : text;
      return hps.el(column.isNumeric ? 'td.number' : 'td', {title: cut.length > 24 ? hps.text(cut) : ''},
        column.node ? column.node(entry, cut) : cut);
    });
    return hps.el('tr', {
      'aria-rowindex': at + 2, className: at % 2 ? 'odd' : '',
      on: {click: event => { if (!event.target.closest('button')) hps.showRun(entry.at, entry.run); }},
    }, cells);
  }
}

hps.section('runs', 'Runs', (element, data) => {
  const table = new RunTable(element, data);
  const observer = new ResizeObserver(() => table.later());
  observer.observe(table.scroller);
  const [before, after] = [() => table.draw(PRINTED), () => table.draw()];
  window.addEventListener('beforeprint', before);
  window.addEventListener('afterprint', after);
  return () => {
    observer.disconnect();
    window.removeEventListener('beforeprint', before);
    window.removeEventListener('afterprint', after);
  };
}, {order: 20});
