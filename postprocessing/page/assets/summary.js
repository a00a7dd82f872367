/* What came of the searches, at a glance. */
'use strict';

// Draws each search; of several, below its name.
hps.each = (element, data, draw) => data.searches.forEach((search, at) => {
  if (data.searches.length > 1) element.append(hps.el('h3', null, search.name));
  draw(element, search, at);
});

hps.stateTag = state => hps.el('span.tag', null, hps.el(`span.dot.state-${state}`, {'aria-hidden': 'true'}),
  state === 'oom' ? 'out of memory' : state);

hps.copyButton = (text, label = 'Copy') => {
  const button = hps.el('button.copy', {type: 'button', on: {click: async () => {
    try {
      await navigator.clipboard.writeText(text());
    } catch (error) { // pages that are files may not have it
      const area = hps.el('textarea', {value: text()});
      (document.querySelector('dialog[open]') || document.body).append(area);
      area.select();
      document.execCommand('copy');
      area.remove();
    }
    button.textContent = 'Copied';
    setTimeout(() => { button.textContent = label; }, 1500);
  }}}, label);
  return button;
};

hps.commandBox = text => hps.el('div.command', null, hps.el('pre', {tabIndex: 0}, text), hps.copyButton(() => text));

hps.runButton = (searchAt, run, text) => hps.el('button.link', {type: 'button', on: {
  click: () => hps.showRun(searchAt, run),
}}, text || hps.data.searches[searchAt].runs.name[run]);

// The options whose values differ between runs.
hps.varying = search => Object.keys(search.params).filter(name => new Set(search.params[name]).size > 1);

const stateBar = search => {
  const parts = search.states.map(state => ({state, count: search.counts[state] || 0}));
  parts[0].count += Math.max(0, (search.total || 0) - search.count);
  const shown = parts.filter(part => part.count);
  const order = ['finished', 'stopped', 'failed', 'interrupted', 'lost', 'unknown', 'running', 'claimed', 'submitted', 'planned'];
  shown.sort((one, other) => order.indexOf(one.state) - order.indexOf(other.state));
  const words = shown.map(({state, count}) => `${count} ${state}`).join(', ');
  return hps.el('div.states', null,
    hps.el('div.state-bar', {role: 'img', 'aria-label': words || 'no runs'}, shown.map(({state, count}) =>
      hps.el(`span.state-${state}`, {title: `${count} ${state}`, style: {'flex-grow': count}}))),
    hps.el('ul.legend', null, shown.map(({state, count}) =>
      hps.el('li', null, hps.el(`span.dot.state-${state}`), hps.el('b', null, count.toLocaleString('en-US')), ` ${state}`))));
};

const tile = (label, value, about, kind = '') =>
  hps.el(`div.tile${kind}`, null, hps.el('dt', null, label), hps.el(value.length > 14 ? 'dd.value.long' : 'dd.value', null, value),
    about ? hps.el('dd.about', null, about) : null);

const ended = search =>
  ['finished', 'failed', 'stopped', 'interrupted', 'lost'].reduce((sum, state) => sum + (search.counts[state] || 0), 0);

const sortedNumbers = values => values.filter(value => typeof value === 'number').sort((one, other) => one - other);

// While something works on it, as long as the rest takes if it goes on as so far.
const progressWords = search => {
  const [done, total] = [ended(search), Math.max(search.total || 0, search.count)];
  if (search.alive && done && total > done) return `about ${hps.duration(Math.round((search.now - search.begin) / done * (total - done)))} left`;
  if (search.alive) return 'under way';
  return search.open ? 'nothing works on it' : 'complete';
};

const gpuTime = seconds => seconds < 3600 ? hps.duration(seconds) : `${hps.number(seconds / 3600, 3)} h`;

const tiles = search => {
  const total = Math.max(search.total || 0, search.count);
  const done = ended(search);
  const best = search.ranked[0];
  const objective = search.objectives[0];
  const took = sortedNumbers(search.runs.seconds);
  const seconds = search.begin === null || search.end === null ? null : search.end - search.begin;
  return hps.el('dl.tiles', null,
    objective && best !== undefined
      ? tile(`Best ${objective.key}`, hps.number(search.values[objective.key][best]), objective.maximize ? 'larger is better' : 'smaller is better', '.first')
      : null,
    tile('Runs', total ? `${done.toLocaleString('en-US')} of ${total.toLocaleString('en-US')}` : String(done), progressWords(search)),
    tile('Time', seconds === null ? 'not begun' : hps.duration(seconds), search.begin === null ? '' : `since ${hps.date(search.begin)}`),
    search.gpu_seconds ? tile('GPU time', gpuTime(search.gpu_seconds), 'over all attempts') : null,
    took.length
      ? tile('Median run', hps.duration(took[took.length >> 1]), `from ${hps.duration(took[0])} to ${hps.duration(took[took.length - 1])}`)
      : null);
};

// The Pareto front of several objectives, or the best means over seeds.
const bestTrials = (search, at) => {
  const names = hps.varying(search);
  const several = search.objectives.length > 1;
  const heads = [...search.objectives.map(each => each.key), 'Run', ...(search.leaders.some(each => each.runs > 1) ? ['Runs'] : []), ...names];
  const cells = leader => [
    ...leader.values.map(value => hps.number(value)), hps.runButton(at, leader.run),
    ...(heads.includes('Runs') ? [leader.runs] : []), ...names.map(name => hps.value(search.params[name][leader.run])),
  ];
  const directions = search.objectives.map(each => `${each.key} ${each.maximize ? 'large' : 'small'}`).join(', ');
  return hps.el('div.best', null,
    hps.el('h3', null, several ? 'Pareto front' : 'Best means over seeds'),
    hps.el('p.muted.small', null, several ? `What no other trial beats in one without being worse in another: ${directions}` : directions),
    hps.el('div.scrolls', {tabIndex: 0, role: 'region', 'aria-label': 'Best trials'}, hps.el('table.plain', null,
      hps.el('thead', null, hps.el('tr', null, heads.map(head => hps.el('th', {scope: 'col'}, head)))),
      hps.el('tbody', null, search.leaders.map(leader => hps.el('tr', null, cells(leader).map(cell => hps.el('td', null, cell))))))));
};

const bestRun = (search, at) => {
  if (search.leaders.length) return bestTrials(search, at);

  const best = search.ranked[0];
  if (best === undefined) {
    return hps.el('p.muted', null, search.objectives.length
      ? `No run has a value of ${search.objectives[0].key} so far.`
      : 'The configuration names no value by which runs are compared, so none is the best.');
  }
  const names = hps.varying(search);
  const others = Object.keys(search.params).length - names.length;
  return hps.el('div.best', null,
    hps.el('h3', null, 'Best run ', hps.runButton(at, best)),
    hps.el('dl.chips', null, names.filter(name => search.params[name][best] !== null).map(name =>
      hps.el('div', null, hps.el('dt', null, name), hps.el('dd', null, hps.value(search.params[name][best], 10))))),
    others > 0 ? hps.el('p.muted.small', null, `and ${hps.count(others, 'option')} that ${others === 1 ? 'is' : 'are'} the same in all runs`) : null,
    hps.commandBox(search.commandOf(best)));
};

hps.section('summary', 'Summary', (element, data) => {
  hps.each(element, data, (into, search, at) => into.append(
    hps.el('p.where', null, hps.el('span.mono', null, search.path),
      search.about.owner ? hps.el('span.muted', null, ` · ${search.about.owner}`) : null,
      search.about.created ? hps.el('span.muted', null, ` · created ${hps.moment(search.about.created)}`) : null),
    tiles(search), stateBar(search), bestRun(search, at)));
}, {order: 10});
