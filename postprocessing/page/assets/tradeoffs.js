/* The Pareto front of several objectives, and the schedules of a population. */
'use strict';

{
  const charts = hps.charts;
  const state = {x: 0, y: 1};

  const frontTraces = (figure, theme) => {
    const {objectives, front, others} = figure;
    const hover = part => part.runs.map((run, at) =>
      [charts.plain(run), ...objectives.map((each, i) => `${charts.plain(each.key)} ${hps.number(part.values[at][i])}`)].join('<br>'));
    const color = charts.palette(theme)[0];
    const order = front.values.map((_, at) => at).sort((one, other) => front.values[one][state.x] - front.values[other][state.x]);
    const along = axis => order.map(at => front.values[at][axis]);
    const traces = [
      {x: others.values.map(each => each[state.x]), y: others.values.map(each => each[state.y]), customdata: others.runs, hovertext: hover(others),
        hoverinfo: 'text', mode: 'markers', name: 'others', marker: {color: theme.muted, size: 6, opacity: 0.45}},
      {x: along(state.x), y: along(state.y), customdata: order.map(at => front.runs[at]), hovertext: order.map(at => hover(front)[at]),
        hoverinfo: 'text', mode: 'markers', name: 'front', marker: {color, size: 9, symbol: 'diamond'}},
    ];
    // Between two results of a front nothing is known: the corner is the worse of both. The larger of x is the better one if it is sought.
    const shape = objectives[state.x].maximize ? 'vh' : 'hv';
    if (objectives.length === 2) traces.splice(1, 0, {x: along(state.x), y: along(state.y), mode: 'lines', line: {color, width: 1.5, shape}, hoverinfo: 'skip', showlegend: false});
    return traces;
  };

  charts.once('tradeoffs', 'Pareto front', 'tradeoffs', (element, figure, theme) => {
    const chart = hps.el('div.chart');
    const names = figure.objectives.map((each, at) => [String(at), each.key]);
    const axisOf = at => {
      const {key, maximize} = figure.objectives[at];
      const range = charts.rangeOf([...figure.front.values, ...figure.others.values].map(each => each[at]), maximize);
      return {title: charts.title(`${key} (${maximize ? 'larger' : 'smaller'} is better)`), ...charts.axisOf(range)};
    };
    const draw = () => charts.plot(chart, frontTraces(figure, theme),
      charts.layout(theme, {height: 440, showlegend: true, xaxis: axisOf(state.x), yaxis: axisOf(state.y), legend: {orientation: 'h', y: 1.08}}),
      point => charts.pick(point.customdata));
    const choose = (label, key) => charts.choice(label, names, String(state[key]), value => { state[key] = Number(value); draw(); });
    if (names.length > 2) element.append(hps.el('div.controls', null, choose('Across', 'x'), choose('Up', 'y')));
    element.append(chart, charts.caption(figure.caption));
    draw();
  }, {order: 60, nav: 'Pareto'});

  // All stages, and lines to them: from their own member, or dashed from the one that they took over from.
  const memberTraces = (figure, pick, theme) => {
    const best = charts.palette(theme)[1];
    const all = figure.members.flatMap(({member, stages}) => stages.map(stage => ({...stage, member})));
    const byName = new Map(all.map(stage => [stage.run, stage]));
    const lines = (taken, dash) => {
      const pairs = all.filter(stage => byName.has(stage.parent) && (stage.from !== null) === taken).map(stage => [byName.get(stage.parent), stage]);
      return {
        x: pairs.flatMap(([one, other]) => [one.budget, other.budget, null]), y: pairs.flatMap(([one, other]) => [pick(one), pick(other), null]),
        mode: 'lines', line: {color: theme.muted, width: 1, dash}, opacity: 0.6, hoverinfo: 'skip',
      };
    };
    const marked = (stages, style) => ({
      x: stages.map(each => each.budget), y: stages.map(pick), customdata: stages.map(each => each.run), hoverinfo: 'text',
      hovertext: stages.map(each => `${charts.plain(each.run)}, member ${each.member}`
        + (each.from === null ? '' : `, went on from member ${each.from}`)
        + `<br>${charts.plain(figure.fidelity)} ${hps.number(each.budget)}: ${hps.number(pick(each))}`), ...style,
    });
    const way = all.filter(stage => stage.best).sort((one, other) => one.budget - other.budget);
    return [
      lines(false, 'solid'), lines(true, 'dash'), marked(all, {mode: 'markers', marker: {color: theme.muted, size: 5}, opacity: 0.7}),
      marked(way, {mode: 'lines+markers', line: {color: best, width: 3}, marker: {color: best, size: 7}}),
    ];
  };

  charts.once('schedules', 'Schedules of the population', 'schedules', (element, figure, theme) => {
    const grid = hps.el('div.panels.wide');
    element.append(grid);
    const panel = (title, pick, axis) => {
      const chart = hps.el('div.chart', {'aria-label': `Schedule of ${title}`});
      grid.append(chart);
      charts.plot(chart, memberTraces(figure, pick, theme), charts.layout(theme, {
        height: 280, xaxis: {title: charts.title(figure.fidelity)}, yaxis: {title: charts.title(title), ...axis},
      }), point => charts.pick(point.customdata));
    };
    const stages = figure.members.flatMap(member => member.stages);
    const range = charts.rangeOf(stages.map(each => each.score), figure.maximize);
    panel(figure.key, stage => stage.score, {...charts.axisOf(range)});
    figure.options.forEach((option, at) => {
      const values = [...new Set(stages.map(stage => stage.values[at]).filter(value => value !== null))];
      if (option.number) panel(option.name, stage => stage.values[at], option.log ? charts.logAxis(...charts.extent(values)) : {type: 'linear'});
      else if (values.length > 1) panel(option.name, stage => values.indexOf(stage.values[at]), {tickvals: values.map((_, i) => i), ticktext: values.map(each => charts.short(each, 14))});
    });
    element.append(charts.caption(figure.caption));
  }, {order: 65, nav: 'Schedules'});
}
