/* What all charts have in common: colours, axes, controls, captions, and Plotly itself.
 *
 * Plotly reads markup in texts, so that every text from a search goes through hps.charts.plain. Its WebGL traces are not
 * used: they need what not every browser has, and what there is to be drawn is thinned where the data is made.
 */
'use strict';

hps.charts = {};
{
  const charts = hps.charts;

  // Okabe and Ito, Color Universal Design (2008): categories that everybody can tell apart. Yellow is hard to see on white.
  const LIGHT = ['#0072b2', '#e08a00', '#009e73', '#cc79a7', '#d55e00', '#3b9fd6', '#8c7a00', '#555f6b'];
  const DARK = ['#56b4e9', '#e69f00', '#2fc79a', '#dd8fbb', '#f0753a', '#8fd0f5', '#e5d84a', '#a8b3bf'];
  charts.palette = theme => theme.dark ? DARK : LIGHT;

  // Viridis from dark to bright; what is best stands out from the page.
  const VIRIDIS = ['#440154', '#482878', '#3e4989', '#31688e', '#26828e', '#1f9e89', '#35b779', '#6ece58', '#b5de2b', '#fde725'];
  charts.scale = (theme, maximize) => {
    const colors = theme.dark ? VIRIDIS.slice(2) : VIRIDIS.slice(0, 9);
    if (theme.dark !== maximize) colors.reverse();
    return colors.map((color, at) => [at / (colors.length - 1), color]);
  };
  charts.colorAt = (scale, share) => {
    const at = Math.min(Math.max(share, 0), 1) * (scale.length - 1);
    const low = Math.min(Math.floor(at), scale.length - 2);
    const [one, other] = [scale[low][1], scale[low + 1][1]].map(color => [1, 3, 5].map(i => parseInt(color.slice(i, i + 2), 16)));
    return `rgb(${one.map((part, i) => Math.round(part + (other[i] - part) * (at - low))).join(',')})`;
  };

  charts.plain = value => hps.text(value).replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;');
  charts.short = (value, length = 22) => {
    const characters = [...hps.text(value)];
    return charts.plain(characters.length > length ? characters.slice(0, length - 1).join('') + '…' : characters.join(''));
  };

  // A number in few characters, for the ticks of an axis.
  charts.brief = value => value !== 0 && (Math.abs(value) < 1e-3 || Math.abs(value) >= 1e5)
    ? value.toExponential(1).replace('e+', 'e').replace('.0e', 'e') : String(Number(value.toPrecision(3)));

  charts.extent = values => values.reduce(([low, high], value) => [Math.min(low, value), Math.max(high, value)], [Infinity, -Infinity]);
  charts.quantile = (sorted, share) => {
    const at = share * (sorted.length - 1);
    const low = Math.floor(at);
    return sorted[low] + ((sorted[low + 1] ?? sorted[low]) - sorted[low]) * (at - low);
  };

  // How results are drawn: on a logarithmic scale where they are positive and far apart, without the far end of what is
  // worst, which may be anywhere: {log, low, high}.
  charts.rangeOf = (values, maximize) => {
    const sorted = values.filter(value => value !== null).sort((one, other) => one - other);
    if (!sorted.length) return {log: false, low: 0, high: 1};
    const [low, high] = [sorted[0], sorted[sorted.length - 1]];
    const [first, last] = [charts.quantile(sorted, 0.05), charts.quantile(sorted, 0.95)];
    const log = low > 0 && last / first > 50;
    const spread = last - first || Math.abs(last) || 1;
    if (log) return {log, low, high};
    return {log, low: maximize ? Math.max(low, first - spread) : low, high: maximize ? high : Math.min(high, last + spread)};
  };
  charts.share = (range, value) => {
    const on = range.log ? Math.log : Number;
    const [low, high] = [on(range.low), on(range.high)];
    return high > low ? Math.min(Math.max((on(value) - low) / (high - low), 0), 1) : 0.5;
  };
  charts.plotlyRange = range => {
    const [low, high] = range.log ? [Math.log10(range.low), Math.log10(range.high)] : [range.low, range.high];
    const margin = (high - low || Math.abs(high) || 1) * 0.06;
    return [low - margin, high + margin];
  };

  const axis = theme => ({
    gridcolor: theme.grid, linecolor: theme.line, zeroline: false, showline: true, ticks: 'outside', tickcolor: theme.line, ticklen: 4,
    automargin: true, exponentformat: 'e', tickfont: {size: 12}, title: {font: {size: 13}, standoff: 8},
  });
  charts.layout = (theme, more) => {
    const {xaxis, yaxis, ...others} = more;
    return {
      paper_bgcolor: 'rgba(0,0,0,0)', plot_bgcolor: 'rgba(0,0,0,0)', font: {family: theme.font, size: 13, color: theme.text},
      margin: {l: 56, r: 14, t: 26, b: 44}, modebar: {bgcolor: 'rgba(0,0,0,0)', color: theme.line, activecolor: theme.muted}, hovermode: 'closest', dragmode: 'zoom', showlegend: false,
      hoverlabel: {bgcolor: theme.panel, bordercolor: theme.line, font: {color: theme.text, family: theme.font, size: 13}, align: 'left'},
      xaxis: {...axis(theme), ...xaxis}, yaxis: {...axis(theme), ...yaxis}, ...others,
    };
  };
  // A logarithmic axis with numbers that can be read by themselves: powers of ten, or 1, 2 and 5 times these.
  charts.logAxis = (low, high) => {
    const [first, last] = [Math.floor(Math.log10(low)), Math.ceil(Math.log10(high))];
    if (high / low < 5) return {type: 'log'};
    const [step, digits] = high / low > 300 ? [Math.ceil((last - first) / 7), [1]] : [1, [1, 2, 5]];
    const tickvals = [];
    for (let power = first; power <= last; power += step) tickvals.push(...digits.map(digit => Number(`${digit}e${power}`)));
    return {type: 'log', tickvals, ticktext: tickvals.map(charts.brief)};
  };
  charts.axisOf = range => ({...(range.log ? charts.logAxis(range.low, range.high) : {type: 'linear'}), range: charts.plotlyRange(range)});

  charts.title = (text, length = 40) => ({text: charts.short(text, length), font: {size: 13}, standoff: 8});

  // Plotly has more buttons, of which some would send data away.
  const CONFIG = {displaylogo: false, modeBarButtons: [['toImage', 'pan2d', 'zoom2d', 'resetScale2d']]};
  const resized = new ResizeObserver(entries => {
    for (const {target} of entries) {
      const layout = target.layout || {};
      if (target.isConnected && target.clientWidth && layout.width !== target.clientWidth) target.drawn = window.Plotly.relayout(target, {width: target.clientWidth});
    }
  });

  // Draws into an element; picked(point) is called for a point that is clicked.
  charts.plot = (element, traces, layout, picked) => {
    layout.width = element.clientWidth;
    element.drawn = window.Plotly.react(element, traces, layout, layout.height < 300 ? {...CONFIG, displayModeBar: false} : CONFIG);
    resized.observe(element);
    if (!picked) return;
    if (element.removeAllListeners) element.removeAllListeners('plotly_click');
    element.on('plotly_click', event => picked(event.points[0]));
  };
  charts.purge = root => root.querySelectorAll('.js-plotly-plot').forEach(each => {
    resized.unobserve(each);
    each.drawn.finally(() => window.Plotly.purge(each));  // it goes on drawing after it has returned
  });

  // Opens the details of a run by its name.
  charts.pick = name => {
    const run = hps.data.searches[0].runs.name.indexOf(name);
    if (run >= 0 && hps.showRun) hps.showRun(0, run);
  };

  charts.caption = text => hps.el('p.caption', null, text);
  charts.choice = (label, options, value, changed) => hps.el('label.choice', null, hps.el('span', null, label),
    hps.el('select', {on: {change: event => changed(event.target.value)}}, options.map(([key, text]) =>
      hps.el('option', {value: key, selected: key === value}, text))));

  const haveResults = objectives => objectives.some(each => !each.table.nothing);

  // A section of a figure that each objective has; draw(element, figures of the objective, theme, redraw). "when" is a
  // function of the objectives.
  charts.ofObjective = (id, title, figure, draw, {when = haveResults, ...options}) => {
    let chosen = 0;
    hps.section(id, title, (element, data, theme) => {
      const all = data.figures.objectives;
      chosen = Math.min(chosen, all.length - 1);
      const body = hps.el('div.figure');
      let undo = null;
      const clear = () => {
        if (undo) undo();
        charts.purge(body);
      };
      const redraw = () => {
        clear();
        body.replaceChildren();
        const found = all[chosen][figure];
        undo = null;
        if (found.nothing) body.append(hps.el('p.nothing', null, found.nothing));
        else undo = draw(body, all[chosen], theme, redraw);
      };
      if (all.length > 1) element.append(charts.choice('Objective', all.map((each, at) => [String(at), each.key]), String(chosen),
        value => { chosen = Number(value); redraw(); }));
      element.append(body);
      redraw();
      return clear;
    }, {...options, chart: true, when: data => {
      const objectives = (data.figures.objectives || []).filter(each => each[figure]);
      return objectives.length > 0 && when(objectives);
    }});
  };

  // A section of a figure that the search has once.
  charts.once = (id, title, figure, draw, options) => hps.section(id, title, (element, data, theme) => {
    const found = data.figures[figure];
    if (found.nothing) element.append(hps.el('p.nothing', null, found.nothing));
    else draw(element, found, theme);
    return () => charts.purge(element);
  }, {...options, chart: true, when: data => figure in data.figures});
}
