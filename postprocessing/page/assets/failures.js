/* Why runs failed: those that failed alike together. */
'use strict';

const MOST_NAMED = 40;

const failureGroup = (search, searchAt, group) => {
  const named = group.runs.slice(0, MOST_NAMED);
  return hps.el('article.failure', null,
    hps.el('div.failure-head', null,
      hps.el('span.count', null, group.runs.length.toLocaleString('en-US')),
      hps.el('span', null, group.runs.length === 1 ? 'run' : 'runs', hps.el('span.muted', null, ' · for example '),
        hps.runButton(searchAt, group.runs[0]))),
    hps.el('pre', {tabIndex: 0}, group.words),
    group.runs.length > 1
      ? hps.el('details', null, hps.el('summary', null, 'Which runs'),
        hps.el('p.names', null, named.map(run => hps.runButton(searchAt, run)),
          group.runs.length > named.length ? hps.el('span.muted', null, ` and ${group.runs.length - named.length} more`) : null))
      : null);
};

hps.section('failures', 'Failures', (element, data) => {
  hps.each(element, data, (into, search, at) => {
    if (!search.failures.length) into.append(hps.el('p.muted', null, 'No run failed.'));
    into.append(...search.failures.map(group => failureGroup(search, at, group)));
  });
}, {order: 75, when: data => data.searches.some(search => search.failures.length)});
