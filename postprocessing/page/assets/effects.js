/* What parameters do: their importance, their effects one by one, and two at a time. */
'use strict';

{
  const charts = hps.charts;
  const AT_ONCE = 12;
  const state = {all: false, line: '', x: '', y: '', of: 'mean', as: 'cells'};

  // By importance where it is known, otherwise as the configuration has them.
  const ordered = objective => {
    const ranked = (objective.importance.parameters || []).map(each => each.name);
    const place = name => ranked.indexOf(name) < 0 ? ranked.length : ranked.indexOf(name);
    return [...objective.effects.parameters].sort((one, other) => place(one.name) - place(other.name));
  };

  charts.ofObjective('importance', 'Importance of parameters', 'importance', (element, {importance}, theme) => {
    const shown = [...importance.parameters].slice(0, 30).reverse();
    const chart = hps.el('div.chart');
    const hidden = importance.parameters.length - shown.length;
    element.append(chart, charts.caption(importance.caption + (hidden ? ` ${hps.count(hidden, 'parameter that matters less is', 'parameters that matter less are')} not shown.` : '')));
    const at = shown.map((_, place) => place);
    charts.plot(chart, [{
      type: 'bar', orientation: 'h', y: at, x: shown.map(each => Math.max(0, each.mean)), marker: {color: charts.palette(theme)[0]},
      error_x: {type: 'data', array: shown.map(each => each.std), color: theme.text, thickness: 1.3, width: 4},
      hovertext: shown.map(each => `${charts.plain(each.name)}: ${hps.number(each.mean, 2)} ± ${hps.number(each.std, 2)}`), hoverinfo: 'text',
      textposition: 'none',
    }], charts.layout(theme, {
      height: 80 + 26 * shown.length, bargap: 0.35,
      xaxis: {title: charts.title('share of the differences'), rangemode: 'tozero'},
      yaxis: {tickvals: at, ticktext: shown.map(each => charts.short(each.name, element.clientWidth < 500 ? 12 : 22)), ticks: '', showgrid: false, range: [-0.6, shown.length - 0.4]},
    }));
  }, {order: 35, nav: 'Importance'});

  const xOf = parameter => parameter.number ? parameter.levels.map(level => level.centre) : parameter.levels.map((_, at) => at);

  // Axis of a parameter: numbers on their scale, categories one after another.
  const parameterAxis = (parameter, labels, centres, length) => {
    const title = charts.title(parameter.name, length);
    if (!parameter.number) {
      return {title, tickvals: labels.map((_, at) => at), ticktext: labels.map(each => charts.short(each, 14)), range: [-0.5, labels.length - 0.5]};
    }
    const scale = parameter.log ? charts.logAxis(centres[0], centres[centres.length - 1]) : {type: 'linear', nticks: 6};
    return labels.length <= 6 && labels.every(each => !each.includes('–'))
      ? {title, type: scale.type, tickvals: centres, ticktext: labels.map(each => charts.plain(each))}
      : {title, ...scale};
  };

  // Where some results are far out, means say little.
  const areFarOut = values => {
    const sorted = values.filter(value => value !== null).sort((one, other) => one - other);
    const mean = sorted.reduce((sum, value) => sum + value, 0) / sorted.length;
    const variance = sorted.reduce((sum, value) => sum + (value - mean) ** 2, 0) / sorted.length;
    return Math.sqrt(variance) > 3 * (charts.quantile(sorted, 0.75) - charts.quantile(sorted, 0.25));
  };

  const effectTraces = (parameter, line, theme) => {
    const x = xOf(parameter);
    const {levels} = parameter;
    const color = charts.palette(theme)[0];
    const hover = levels.map(level => `${charts.plain(parameter.name)} ${charts.plain(level.label)}<br>mean ${hps.number(level.mean)}`
      + (level.std === null ? '' : ` ± ${hps.number(level.std, 2)}`) + `<br>median ${hps.number(level.quartiles[1])}, best ${hps.number(level.best)}`
      + `<br>n = ${level.n}`);
    return [
      {x: x.flatMap(each => [each, each, null]), y: levels.flatMap(level => [level.quartiles[0], level.quartiles[2], null]), mode: 'lines',
        line: {color, width: 12}, opacity: 0.25, hoverinfo: 'skip'},
      {x, y: levels.map(level => line === 'mean' ? level.mean : level.quartiles[1]), mode: parameter.number ? 'lines+markers' : 'markers', line: {color, width: 2},
        marker: {color, size: 7}, hovertext: hover, hoverinfo: 'text',
        error_y: {visible: line === 'mean', type: 'data', array: levels.map(level => level.std || 0), color, thickness: 1.2, width: 3}},
      {x, y: levels.map(level => level.best), mode: 'markers', marker: {color: charts.palette(theme)[1], size: 6, symbol: 'diamond'},
        hovertext: hover, hoverinfo: 'text'},
    ];
  };

  charts.ofObjective('effects', 'Effects of parameters', 'effects', (element, objective, theme, redraw) => {
    const all = ordered(objective);
    const shown = state.all ? all : all.slice(0, AT_ONCE);
    const levels = all.flatMap(each => each.levels);
    const results = levels.flatMap(level => [level.best, ...level.quartiles]);
    const line = state.line || (areFarOut(objective.table.values) ? 'median' : 'mean');
    // A bar that would end below zero is no reason against a logarithmic scale.
    const bars = line === 'mean' ? levels.flatMap(level => [level.mean - level.std, level.mean + level.std]) : [];
    const shownBars = bars.every(each => each > 0) || results.some(each => each <= 0) ? bars : [];
    const range = charts.rangeOf([...results, ...shownBars], objective.maximize);
    const grid = hps.el('div.panels');
    element.append(hps.el('div.controls', null, charts.choice('Line', [['mean', 'mean ± standard deviation'], ['median', 'median']], line,
      value => { state.line = value; redraw(); })), grid);
    for (const parameter of shown) {
      const chart = hps.el('div.chart', {'aria-label': `Effect of ${parameter.name}`});
      grid.append(chart);
      charts.plot(chart, effectTraces(parameter, line, theme), charts.layout(theme, {
        height: 240, margin: {l: 50, r: 8, t: 8, b: 44},
        xaxis: parameterAxis(parameter, parameter.levels.map(level => level.label), xOf(parameter), 26),
        yaxis: {...charts.axisOf(range), nticks: 6},
      }));
    }
    if (all.length > shown.length) element.append(hps.el('button', {type: 'button', on: {click: () => { state.all = true; redraw(); }}},
      `Show ${hps.count(all.length - shown.length, 'other parameter')}`));
    const lacking = all.filter(each => each.missing).map(each => `${each.name} (${each.missing.toLocaleString('en-US')})`);
    element.append(charts.caption(`${objective.effects.caption} Diamonds: the best. All panels have the same scale.`
      + (lacking.length ? ` Points without the parameter, or with one of its rarer values, are left out: ${lacking.join(', ')}.` : '')));
  }, {order: 40, nav: 'Effects'});

  // What is in each pair of levels: {n, sum, best, run}.
  const cellsOf = (table, one, other) => {
    const cells = new Map();
    table.values.forEach((value, at) => {
      const [x, y] = [one.codes[at], other.codes[at]];
      if (x < 0 || y < 0 || value === null) return;
      const key = y * one.labels.length + x;
      const cell = cells.get(key) || {n: 0, sum: 0, best: null, run: ''};
      cell.n += 1;
      cell.sum += value;
      if (cell.best === null || (table.maximize ? value > cell.best : value < cell.best)) [cell.best, cell.run] = [value, table.runs[at]];
      cells.set(key, cell);
    });
    return (x, y) => cells.get(y * one.labels.length + x);
  };

  const VALUES = {mean: cell => cell.sum / cell.n, best: cell => cell.best, n: cell => cell.n};

  const heatMap = (chart, table, one, other, theme) => {
    const cell = cellsOf(table, one, other);
    const grid = (pick, none = '') => other.labels.map((_, y) => one.labels.map((_, x) => cell(x, y) ? pick(cell(x, y)) : none));
    const z = grid(VALUES[state.of], null);
    const range = charts.rangeOf(z.flat(), state.of === 'n' || table.maximize);
    const lacks = value => value === null || (range.log && value <= 0);
    const onScale = value => lacks(value) ? null : range.log ? Math.log10(value) : value;
    const few = one.labels.length * other.labels.length <= 150;
    const [zmin, zmax] = [onScale(range.low), onScale(range.high)];
    const ticks = [0, 0.25, 0.5, 0.75, 1].map(share => zmin + (zmax - zmin) * share);
    const name = state.of === 'n' ? 'points' : charts.short(table.key, 18);
    charts.plot(chart, [{
      type: 'heatmap', z: z.map(row => row.map(onScale)), hoverongaps: false, zmin, zmax, xgap: 1, ygap: 1,
      colorscale: charts.scale(theme, state.of === 'n' || table.maximize),
      customdata: grid(each => each.run),
      hovertext: grid(each => `mean ${hps.number(each.sum / each.n)}<br>best ${hps.number(each.best)} (${charts.plain(each.run)})<br>n = ${each.n}`),
      hoverinfo: 'text', text: grid(each => hps.number(VALUES[state.of](each), 3)), texttemplate: few ? '%{text}' : '',
      colorbar: {title: {text: `${name}<br>\u00a0`, font: {size: 12}}, thickness: 12, outlinewidth: 0, tickvals: ticks,
        ticktext: ticks.map(value => hps.number(range.log ? 10 ** value : value, 3))},
    }], charts.layout(theme, {
      height: Math.max(320, Math.min(620, 120 + 34 * other.labels.length)),
      xaxis: {...levelAxis(one), showgrid: false}, yaxis: {...levelAxis(other), showgrid: false},
    }), point => charts.pick(point.customdata));
  };

  // Values have their labels in the middle of cells, bins theirs between them.
  const levelAxis = parameter => {
    const title = charts.title(parameter.name);
    return parameter.edges.length
      ? {title, tickvals: parameter.edges.map((_, at) => at - 0.5), ticktext: parameter.edges.map(charts.brief)}
      : {title, tickvals: parameter.labels.map((_, at) => at), ticktext: parameter.labels.map(each => charts.short(each, 18))};
  };

  const lines = (chart, table, one, other, theme) => {
    const cell = cellsOf(table, one, other);
    const x = one.number ? one.centres : one.labels.map((_, at) => at);
    const scale = charts.scale(theme, true);
    const colors = charts.palette(theme);
    const traces = other.labels.map((label, y) => {
      const color = other.number ? charts.colorAt(scale, (y + 0.5) / other.labels.length) : colors[y % colors.length];
      const found = one.labels.map((_, at) => cell(at, y));
      return {
        x, y: found.map(each => each ? VALUES[state.of](each) : null), mode: 'lines+markers', connectgaps: true, name: charts.short(label, 18),
        line: {color, width: 2, dash: other.number ? 'solid' : ['solid', 'dash', 'dot', 'dashdot'][y % 4]}, marker: {color, size: 7},
        customdata: found.map(each => each ? each.run : ''), hoverinfo: 'text', hovertext: found.map((each, at) => each
          ? `${charts.plain(one.name)} ${charts.plain(one.labels[at])}, ${charts.plain(other.name)} ${charts.plain(label)}<br>mean ${hps.number(each.sum / each.n)}, best ${hps.number(each.best)}<br>n = ${each.n}` : ''),
      };
    });
    const range = charts.rangeOf(traces.flatMap(each => each.y), state.of === 'n' || table.maximize);
    charts.plot(chart, traces, charts.layout(theme, {
      height: 420, showlegend: true, legend: {title: {text: charts.short(other.name)}, font: {size: 12}},
      xaxis: parameterAxis(one, one.labels, x),
      yaxis: {title: charts.title(state.of === 'n' ? 'points' : table.key), ...charts.axisOf(range)},
    }), point => charts.pick(point.customdata));
  };

  const pairWords = interactions => {
    const strong = interactions.filter(each => each.certain && each.share >= 0.01).slice(0, 3);
    if (!interactions.length) return ' There are too few points to tell which parameters act together.';
    if (!strong.length) return ' No two parameters act together beyond the sum of their effects, as far as can be told.';
    return ' Beyond the sum of their effects, two parameters together explain: '
      + strong.map(each => `${each.names.join(' and ')} ${Math.round(100 * each.share)} %`).join(', ') + ' of the variance.';
  };

  charts.ofObjective('pairs', 'Two parameters', 'table', (element, {table, interactions, importance}, theme, redraw) => {
    if (table.parameters.length < 2) {
      element.append(hps.el('p.nothing', null, 'Less than two parameters differ between runs that have a result.'));
      return;
    }
    const byName = new Map(table.parameters.map(each => [each.name, each]));
    if (!byName.has(state.x) || !byName.has(state.y) || state.x === state.y) {
      const certain = interactions.find(each => each.certain);
      [state.x, state.y] = certain ? certain.names : ordered({importance, effects: {parameters: table.parameters}}).slice(0, 2).map(each => each.name);
    }
    const names = table.parameters.map(each => [each.name, each.name]);
    const set = key => value => {
      const other = {x: 'y', y: 'x'}[key];
      if (other && state[other] === value) state[other] = state[key];
      state[key] = value;
      redraw();
    };
    const chart = hps.el('div.chart');
    element.append(hps.el('div.controls', null,
      charts.choice('Across', names, state.x, set('x')), charts.choice('Up', names, state.y, set('y')),
      charts.choice('Show', [['mean', 'mean'], ['best', 'best'], ['n', 'number of points']], state.of, set('of')),
      charts.choice('As', [['cells', 'heat map'], ['lines', 'lines']], state.as, set('as'))), chart,
    charts.caption(`${{mean: `Mean of ${table.key}`, best: `Best ${table.key}`, n: 'Number of points'}[state.of]} for each pair of values, `
      + `or of bins. Empty: nothing there. ${state.as === 'lines' ? 'Where lines are not parallel, the two act together. ' : ''}${table.caption}${pairWords(interactions)}`));
    (state.as === 'cells' ? heatMap : lines)(chart, table, byName.get(state.x), byName.get(state.y), theme);
  }, {order: 45, nav: 'Pairs'});
}
