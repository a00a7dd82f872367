/* Several searches: the best value of each over time, and over what it has used. */
'use strict';

{
  const charts = hps.charts;

  const traces = (figure, by, theme) => figure.lines.map((line, at) => ({
    x: line[by].map(each => each * figure.axes[by].factor), y: line.values, name: charts.short(line.name, 40), mode: 'lines+markers',
    line: {color: charts.palette(theme)[at % 8], width: 2.5, shape: 'hv', dash: at < 8 ? 'solid' : 'dot'},
    marker: {size: line.values.map((_, place) => place < line.values.length - 1 ? 6 : 0)},
    hovertext: line.values.map((value, place) =>
      `${charts.plain(line.name)}<br>${charts.plain(figure.key)} ${hps.number(value)}<br>after ${hps.duration(3600 * line[by][place])}`),
    hoverinfo: 'text',
  }));

  charts.ofObjective('compared', 'Best of each search', 'compared', (element, {compared: figure}, theme) => {
    const range = charts.rangeOf(figure.lines.flatMap(line => line.values), figure.maximize);
    const panels = hps.el('div.panels.wide');
    element.append(panels, charts.caption(figure.caption));
    for (const by of ['hours', 'used']) {
      const chart = hps.el('div.chart');
      panels.append(chart);
      charts.plot(chart, traces(figure, by, theme), charts.layout(theme, {
        height: 380, showlegend: true, legend: {orientation: 'h', y: -0.22, yanchor: 'top'},
        xaxis: {title: charts.title(figure.axes[by].title), rangemode: 'tozero'},
        yaxis: {title: charts.title(figure.key), ...charts.axisOf(range)},
      }));
    }
  }, {order: 15, nav: 'Best', when: () => true});
}
