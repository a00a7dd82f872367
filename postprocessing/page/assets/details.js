/* Everything about one run, in a window over the page. */
'use strict';

const pairs = (columns, run) => Object.entries(columns).filter(([, values]) => values[run] !== null)
  .map(([name, values]) => [name, hps.value(values[run], 17)]);

const pairTable = (title, rows) => rows.length
  ? hps.el('div', null, hps.el('h3', null, title),
    hps.el('table.pairs', null, hps.el('tbody', null, rows.map(([name, value]) =>
      hps.el('tr', null, hps.el('th', {scope: 'row'}, name), hps.el('td', null, value))))))
  : null;

const attemptsOf = (search, run) => {
  if (!search.attemptsByRun) {
    search.attemptsByRun = new Map();
    search.attempts.run.forEach((of, at) => {
      if (!search.attemptsByRun.has(of)) search.attemptsByRun.set(of, []);
      search.attemptsByRun.get(of).push(at);
    });
  }
  return search.attemptsByRun.get(run) || [];
};

const placeOf = (attempts, at) => [
  attempts.host[at],
  attempts.gpus[at] ? `GPU ${attempts.gpus[at]}` : '',
  attempts.queue[at] ? `${attempts.queue[at]} job ${attempts.job[at] || '?'}` : '',
].filter(Boolean).join(', ');

const ATTEMPT_COLUMNS = [
  ['No.', (search, at) => search.attempts.number[at]],
  ['State', (search, at) => hps.stateTag(search.attempts.cause[at] === 'oom' ? 'oom' : search.states[search.attempts.state[at]])],
  ['Began', (search, at) => search.attempts.start[at] === null ? '' : hps.date(search.begin + search.attempts.start[at])],
  ['Took', (search, at) => hps.duration(search.attempts.seconds[at])],
  ['Where', (search, at) => placeOf(search.attempts, at)],
  ['Reason', (search, at) => hps.el('span.reason', null, search.attempts.reason[at])],
  ['GPU memory', (search, at) => hps.memory(search.attempts.gpu_memory[at])],
  ['Host memory', (search, at) => hps.memory(search.attempts.host_memory[at])],
  ['Cores', (search, at) => hps.number(search.attempts.cpu[at], 3)],
  ['Code', (search, at) => search.attempts.code_id[at]],
];

const attemptTable = (search, run) => {
  const attempts = attemptsOf(search, run);
  if (!attempts.length) return hps.el('p.muted', null, 'It has not been started.');
  const columns = ATTEMPT_COLUMNS.map(([title, cell]) => [title, attempts.map(at => cell(search, at))])
    .filter(([, cells]) => cells.some(cell => cell instanceof Node ? cell.textContent : cell !== ''));
  return hps.el('div.scrolls', {tabIndex: 0, role: 'region', 'aria-label': 'Attempts'}, hps.el('table.plain', null,
    hps.el('thead', null, hps.el('tr', null, columns.map(([title]) => hps.el('th', {scope: 'col'}, title)))),
    hps.el('tbody', null, attempts.map((at, row) => hps.el('tr', null, columns.map(([, cells]) => hps.el('td', null, cells[row])))))));
};

hps.showRun = (searchAt, run) => {
  const search = hps.data.searches[searchAt];
  const name = search.runs.name[run];
  const rank = search.ranked.indexOf(run);
  const close = () => dialog.close();
  const dialog = hps.el('dialog.details', {'aria-labelledby': 'details-title', on: {
    close: () => dialog.remove(),
    click: event => { if (event.target === dialog) close(); },
  }},
  hps.el('div.details-body', null,
    hps.el('div.details-head', null,
      hps.el('h2', {id: 'details-title'}, name),
      hps.stateTag(search.stateOf(run)),
      rank >= 0 ? hps.el('span.muted', null, rank === 0 ? 'the best' : `rank ${(rank + 1).toLocaleString('en-US')} of ${search.ranked.length.toLocaleString('en-US')}`) : null,
      hps.el('button.quiet.close', {type: 'button', 'aria-label': 'Close', on: {click: close}}, '✕')),
    search.runs.reason[run] ? hps.el('p.reason', null, search.runs.reason[run]) : null,
    hps.el('div.beside', null,
      pairTable('Parameters', pairs(search.params, run)),
      pairTable('Result', pairs(search.values, run)),
      pairTable('Last reported', pairs(search.metrics, run))),
    hps.el('h3', null, 'Attempts'), attemptTable(search, run),
    hps.el('h3', null, 'Command'), hps.commandBox(search.commandOf(run)),
    hps.el('h3', null, 'Logs'), hps.commandBox(`hpsearch logs ${search.about.quoted} ${name}`)));
  document.body.append(dialog);
  dialog.showModal();
};
