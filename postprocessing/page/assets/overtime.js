/* The best value over time, and learning curves. */
'use strict';

{
  const charts = hps.charts;
  const state = {by: 'hours', metric: 0, log: false};

  const bestTraces = (figure, theme) => {
    const [color, accent] = [theme.muted, charts.palette(theme)[0]];
    const hover = part => part.runs.map((run, at) =>
      `${charts.plain(run)}<br>${charts.plain(figure.key)} ${hps.number(part.values[at])}<br>after ${hps.duration(3600 * part[state.by][at])}`);
    const {results, best, end} = figure;
    const scaled = hours => hours.map(each => each * figure.axes[state.by].factor);
    const [x, y] = [scaled([...best[state.by], end[state.by]]), [...best.values, best.values[best.values.length - 1]]];
    return [
      {x: scaled(results[state.by]), y: results.values, customdata: results.runs, hovertext: hover(results), hoverinfo: 'text', mode: 'markers',
        marker: {color, size: results.values.length > 400 ? 4 : 6, opacity: 0.45}},
      {x, y, mode: 'lines', line: {color: accent, width: 2.5, shape: 'hv'}, hoverinfo: 'skip'},
      {x: x.slice(0, -1), y: best.values, customdata: best.runs, hovertext: hover(best), hoverinfo: 'text', mode: 'markers',
        marker: {color: accent, size: 8}},
    ];
  };

  charts.ofObjective('best', 'Best over time', 'progress', (element, {progress}, theme, redraw) => {
    const chart = hps.el('div.chart');
    const range = charts.rangeOf([...progress.results.values, ...progress.best.values], progress.maximize);
    element.append(
      hps.el('div.controls', null, charts.choice('Over', [['hours', 'time'], ['used', `${progress.counted} time`]], state.by,
        value => { state.by = value; redraw(); })),
      chart, charts.caption(progress.caption));
    charts.plot(chart, bestTraces(progress, theme), charts.layout(theme, {
      height: 380,
      xaxis: {title: charts.title(progress.axes[state.by].title), rangemode: 'tozero'},
      yaxis: {title: charts.title(progress.key), ...charts.axisOf(range)},
    }), point => charts.pick(point.customdata));
  }, {order: 30, nav: 'Best', when: () => true});

  // The best curve is drawn last and strongest; curves of runs without a result are dashed.
  const curveTraces = (figure, theme) => {
    const ranked = figure.curves.filter(each => each.rank !== null).map(each => each.rank);
    const worst = Math.max(...ranked, 2);
    const scale = charts.scale(theme, true);
    return [...figure.curves].sort((one, other) => (other.rank ?? Infinity) - (one.rank ?? Infinity)).map(each => {
      const values = each.values[state.metric];
      const share = each.rank === null ? 0 : 1 - Math.log(each.rank) / Math.log(worst);
      const said = each.rank === null ? each.state : `rank ${each.rank}`;
      return {
        x: each.steps, y: values, customdata: each.steps.map(() => each.run), connectgaps: true,
        mode: values.length > 1 ? 'lines' : 'markers',
        hovertext: values.map((value, at) => `${charts.plain(each.run)} (${said})<br>step ${hps.number(each.steps[at])}: ${hps.number(value)}`),
        hoverinfo: 'text', opacity: each.rank === 1 ? 1 : 0.7,
        line: {
          color: each.rank === null ? theme.muted : charts.colorAt(scale, share), width: each.rank === 1 ? 3 : 1.3,
          dash: each.rank === null ? 'dot' : 'solid',
        },
      };
    });
  };

  charts.once('curves', 'Learning curves', 'curves', (element, figure, theme) => {
    state.metric = Math.min(state.metric, figure.metrics.length - 1);
    const chart = hps.el('div.chart');
    const draw = () => {
      const values = figure.curves.flatMap(each => each.values[state.metric]);
      const range = charts.rangeOf(values, figure.maximize);
      const [first, last] = charts.extent(figure.curves.flatMap(each => each.steps));
      charts.plot(chart, curveTraces(figure, theme), charts.layout(theme, {
        height: 420,
        xaxis: {title: charts.title('step'), ...(state.log ? charts.logAxis(Math.max(1, first), last) : {type: 'linear'})},
        yaxis: {title: charts.title(figure.metrics[state.metric]), ...charts.axisOf(range)},
      }), point => charts.pick(point.customdata));
    };
    element.append(
      hps.el('div.controls', null,
        charts.choice('Metric', figure.metrics.map((name, at) => [String(at), name]), String(state.metric),
          value => { state.metric = Number(value); draw(); }),
        charts.choice('Steps', [['linear', 'linear'], ['log', 'logarithmic']], state.log ? 'log' : 'linear',
          value => { state.log = value === 'log'; draw(); })),
      chart, charts.caption(`${figure.caption} The better a run has ended, the stronger its colour; dotted: without a result.`));
    draw();
  }, {order: 55, nav: 'Curves'});
}
