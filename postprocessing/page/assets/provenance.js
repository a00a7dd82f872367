/* Where the results come from, and what could not be read. */
'use strict';

const factRows = facts => facts.filter(([, value]) => value !== '' && value !== null && value !== undefined)
  .map(([name, value]) => hps.el('tr', null, hps.el('th', {scope: 'row'}, name), hps.el('td', null, value)));

const factTable = facts => hps.el('table.pairs.wide', null, hps.el('tbody', null, factRows(facts)));

const codeWords = code => [
  code.id, code.runs ? ` · ${hps.count(code.runs, 'run')}` : '',
  code.commit ? ` · commit ${code.commit.slice(0, 12)}` : '', code.branch ? ` on ${code.branch}` : '',
  code.dirty ? ' with uncommitted changes' : '',
].join('');

hps.section('provenance', 'Provenance', (element, data) => {
  hps.each(element, data, (into, search) => {
    const about = search.about;
    into.append(
      about.command ? hps.commandBox(about.command) : '',
      factTable([
        ['Configuration', about.source], ['Script', about.script], ['Working directory', about.cwd],
        ['Search', about.sampler], ['Created', hps.moment(about.created)], ['By', about.owner], ['With', about.hpsearch],
        ['Worked on by', about.writers.join(', ')],
        ...about.codes.flatMap((code, at) => [
          [about.codes.length > 1 ? `Code ${at + 1}` : 'Code', codeWords(code)],
          [code.diff ? 'Changes' : '', code.diff],
          [code.untracked ? 'Not in git' : '', code.untracked],
        ]).filter(([name]) => name),
        ...about.environments.map(each => ['Environment', each]),
        ['Packages', about.packages],
      ]),
      ...about.problems.map(text => hps.el('p.note', null, text)));
  });
}, {order: 80});

hps.section('notes', 'Notes', (element, data) => {
  hps.each(element, data, (into, search) => into.append(hps.el('ul.notes', null, search.notes.map(note => hps.el('li', null, note)))));
}, {order: 85, when: data => data.searches.some(search => search.notes.length)});
