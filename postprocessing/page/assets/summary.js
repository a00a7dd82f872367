/* What came of the searches, at a glance. */
'use strict';

const stateBar = search => {
  const total = Math.max(search.count, search.total || 0);
  const parts = Object.entries(search.counts).map(([state, count]) => ({state, count}));
  const unstarted = total - search.count;
  if (unstarted > 0) parts.push({state: 'planned', count: unstarted});
  const words = parts.map(({state, count}) => `${count} ${state}`).join(', ');
  return hps.el('div', null,
    hps.el('div.state-bar', {role: 'img', 'aria-label': words}, parts.map(({state, count}) =>
      hps.el(`span.state-${state}`, {title: `${count} ${state}`, style: {'flex-grow': count}}))),
    hps.el('ul.legend', null, parts.map(({state, count}) =>
      hps.el('li', null, hps.el(`span.dot.state-${state}`), `${count.toLocaleString('en-US')} ${state}`))));
};

hps.section('summary', 'Summary', (element, data) => {
  for (const search of data.searches) element.append(stateBar(search));
}, {order: 10});
