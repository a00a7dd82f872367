/* Parallel coordinates on a canvas: one line for each point, one axis for each parameter, the result last.
 *
 * Dragging along an axis selects; clicking on its name lets go of it again. Plotly has such a chart, which needs WebGL.
 */
'use strict';

{
  const charts = hps.charts;
  const MOST_AXES = 10;
  const [TOP, BOTTOM, SIDE, NARROWEST] = [46, 46, 60, 92];
  const COLORS = 32;
  const state = {names: null, brushes: new Map()};

  // An axis: its name, where a point is on it (0 below to 1 above; null: it has no value), and what is written beside it.
  const numberAxis = (name, values, log, ticks) => {
    const found = values.filter(value => value !== null);
    const [low, high] = charts.extent(found);
    const range = {log, low, high};
    return {name, at: values.map(value => value === null ? null : charts.share(range, value)), ticks: ticks || numberTicks(range)};
  };
  const numberTicks = range => [0, 0.25, 0.5, 0.75, 1].map(at => [at, charts.brief(range.log
    ? Math.exp(Math.log(range.low) + at * (Math.log(range.high) - Math.log(range.low))) : range.low + at * (range.high - range.low))]);

  const axisOf = parameter => {
    const levels = parameter.labels.length;
    if (parameter.values) return numberAxis(parameter.name, parameter.values, parameter.log);
    if (parameter.number) {
      const values = parameter.codes.map(code => code < 0 ? null : parameter.centres[code]);
      const axis = numberAxis(parameter.name, values, parameter.log);
      const range = {log: parameter.log, low: parameter.centres[0], high: parameter.centres[levels - 1]};
      return {...axis, ticks: parameter.centres.map((centre, level) => [charts.share(range, centre), parameter.labels[level]])};
    }
    const place = level => levels > 1 ? (level + 0.5) / levels : 0.5;
    return {name: parameter.name, at: parameter.codes.map(code => code < 0 ? null : place(code)), ticks: parameter.labels.map((label, at) => [place(at), label])};
  };

  const valueAxis = table => {
    const range = charts.rangeOf([...table.values], table.maximize);
    return {name: table.key, at: table.values.map(value => charts.share(range, value)), ticks: numberTicks(range)};
  };

  const axesOf = (table, names) => [...table.parameters.filter(each => names.has(each.name))
    .sort((one, other) => [...names].indexOf(one.name) - [...names].indexOf(other.name)).map(axisOf), valueAxis(table)];

  class Parallel {
    constructor(element, table, names, theme, told) {
      this.table = table;
      this.theme = theme;
      this.told = told;
      this.axes = axesOf(table, names);
      this.scale = charts.scale(theme, table.maximize);
      this.canvas = hps.el('canvas', {role: 'img', 'aria-label': `Parallel coordinates of ${this.axes.map(each => each.name).join(', ')}`});
      this.over = hps.el('canvas.over', {tabIndex: -1, 'aria-hidden': 'true'});
      this.tip = hps.el('div.tip', {hidden: true});
      this.box = hps.el('div.parallel', null, this.canvas, this.over, this.tip);
      element.append(hps.el('div.scrolls', {tabIndex: 0, role: 'region', 'aria-label': 'Parallel coordinates'}, this.box));
      this.outer = this.box.parentElement;
      this.over.addEventListener('pointerdown', event => this.down(event));
      this.over.addEventListener('pointermove', event => this.move(event));
      this.over.addEventListener('pointerup', event => this.up(event));
      this.over.addEventListener('pointerleave', () => this.hover(null));
      this.observer = new ResizeObserver(() => { if (this.outer.clientWidth !== this.seen) this.resize(); });
      this.observer.observe(this.outer);
      this.resize();
    }

    stop() { this.observer.disconnect(); }

    resize() {
      this.seen = this.outer.clientWidth;
      this.width = Math.max(this.seen, 2 * SIDE + NARROWEST * (this.axes.length - 1));
      this.height = 420;
      for (const canvas of [this.canvas, this.over]) {
        const ratio = window.devicePixelRatio || 1;
        [canvas.width, canvas.height] = [Math.round(this.width * ratio), Math.round(this.height * ratio)];
        canvas.style.width = `${this.width}px`;
        canvas.style.height = `${this.height}px`;
        canvas.getContext('2d').setTransform(ratio, 0, 0, ratio, 0, 0);
      }
      this.box.style.width = `${this.width}px`;
      this.draw();
    }

    x(axis) { return SIDE + axis * (this.width - 2 * SIDE) / Math.max(1, this.axes.length - 1); }

    // What has no value is below the axis.
    y(share) { return share === null ? this.height - 14 : TOP + (1 - share) * (this.height - TOP - BOTTOM); }

    isChosen(point) {
      for (const axis of this.axes) {
        const brush = state.brushes.get(axis.name);
        if (brush && (axis.at[point] === null || axis.at[point] < brush[0] || axis.at[point] > brush[1])) return false;
      }
      return true;
    }

    draw() {
      const context = this.canvas.getContext('2d');
      context.clearRect(0, 0, this.width, this.height);
      const value = this.axes[this.axes.length - 1].at;
      const good = this.table.values.map((_, point) => this.table.maximize ? value[point] : 1 - value[point]);
      const order = good.map((_, point) => point).sort((one, other) => good[one] - good[other]);
      this.chosen = order.filter(point => this.isChosen(point));
      if (this.chosen.length < order.length) {
        const taken = new Set(this.chosen);
        this.strokes(context, order.filter(point => !taken.has(point)), this.theme.muted, 0.06);
      }
      const alpha = Math.min(0.9, Math.max(0.18, 30 / Math.sqrt(this.chosen.length + 1) / 3));
      for (let at = 0, begin = 0; begin < this.chosen.length; begin = at) {
        const color = Math.round(value[this.chosen[begin]] * (COLORS - 1));
        while (at < this.chosen.length && Math.round(value[this.chosen[at]] * (COLORS - 1)) === color) at += 1;
        this.strokes(context, this.chosen.slice(begin, at), charts.colorAt(this.scale, color / (COLORS - 1)), alpha);
      }
      this.axes.forEach((axis, at) => this.drawAxis(context, axis, at));
      this.told(this.chosen);
      this.hover(null);
    }

    strokes(context, points, color, alpha, width = 1.2) {
      [context.strokeStyle, context.globalAlpha, context.lineWidth] = [color, alpha, width];
      context.beginPath();
      for (const point of points) {
        this.axes.forEach((axis, at) => context[at ? 'lineTo' : 'moveTo'](this.x(at), this.y(axis.at[point])));
        if (this.axes.length === 1) context.lineTo(this.x(0) + 6, this.y(this.axes[0].at[point]));
      }
      context.stroke();
      context.globalAlpha = 1;
    }

    drawAxis(context, axis, at) {
      const x = this.x(at);
      [context.strokeStyle, context.lineWidth] = [this.theme.text, 1];
      context.beginPath();
      context.moveTo(x, this.y(1));
      context.lineTo(x, this.y(0));
      context.stroke();
      const room = at ? this.x(at) - this.x(at - 1) : SIDE;
      context.font = `600 13px ${this.theme.font}`;
      context.textAlign = at === 0 ? 'left' : at === this.axes.length - 1 ? 'right' : 'center';
      const edge = at === 0 ? x - SIDE + 6 : at === this.axes.length - 1 ? x + SIDE - 6 : x;
      this.write(context, axis.name, edge, 22, Math.max(room - 8, 2 * SIDE - 12));
      context.font = `12px ${this.theme.font}`;
      context.textAlign = 'right';
      let last = Infinity;
      for (const [share, label] of axis.ticks) {
        const y = this.y(share);
        if (last - y < 15) continue;
        last = y;
        this.write(context, label, x - 5, y + 4, (at ? Math.min(room * 0.6, 90) : SIDE - 8));
      }
      if (axis.at.includes(null)) this.write(context, 'none', x - 5, this.y(null) + 4, 60);
      const brush = state.brushes.get(axis.name);
      if (!brush) return;
      [context.fillStyle, context.strokeStyle] = [this.theme.accent, this.theme.accent];
      context.globalAlpha = 0.25;
      context.fillRect(x - 8, this.y(brush[1]), 16, this.y(brush[0]) - this.y(brush[1]));
      context.globalAlpha = 1;
      context.strokeRect(x - 8, this.y(brush[1]), 16, this.y(brush[0]) - this.y(brush[1]));
    }

    // A text with a border in the colour of the page, so that lines behind it do not matter.
    write(context, value, x, y, room) {
      const whole = hps.text(value);
      let text = whole.length > 80 ? `${whole.slice(0, 80)}…` : whole;  // it is measured letter by letter
      while (text.length > 1 && context.measureText(text).width > room) text = `${text.slice(0, -2)}…`;
      [context.strokeStyle, context.lineWidth, context.lineJoin, context.fillStyle] = [this.theme.panel, 4, 'round', this.theme.text];
      context.strokeText(text, x, y);
      context.fillText(text, x, y);
    }

    place(event) {
      const box = this.over.getBoundingClientRect();
      const [x, y] = [event.clientX - box.left, event.clientY - box.top];
      const axis = this.axes.findIndex((_, at) => Math.abs(this.x(at) - x) < 14);
      const share = 1 - (y - TOP) / (this.height - TOP - BOTTOM);
      return {x, y, axis, share: Math.min(Math.max(share, 0), 1)};
    }

    down(event) {
      const {axis, share, y, x} = this.place(event);
      this.from = axis >= 0 ? {name: this.axes[axis].name, share, y} : null;
      if (axis >= 0) this.over.setPointerCapture(event.pointerId);
      else if (this.nearest(x, y) !== null) charts.pick(this.table.runs[this.nearest(x, y)]);
    }

    move(event) {
      const {x, y, axis, share} = this.place(event);
      this.over.style.cursor = axis >= 0 || this.from ? 'ns-resize' : 'default';
      if (!this.from) { this.hover(this.nearest(x, y), x, y); return; }
      if (Math.abs(y - this.from.y) < 4) return;
      state.brushes.set(this.from.name, [Math.min(share, this.from.share), Math.max(share, this.from.share)]);
      window.cancelAnimationFrame(this.frame);
      this.frame = window.requestAnimationFrame(() => this.draw());
    }

    up(event) {
      if (this.from && Math.abs(this.place(event).y - this.from.y) < 4) {
        state.brushes.delete(this.from.name);
        this.draw();
      }
      this.from = null;
    }

    // The chosen point whose line is nearest, the best of equals; null: none is near.
    nearest(x, y) {
      const step = (this.width - 2 * SIDE) / Math.max(1, this.axes.length - 1);
      const left = Math.min(Math.max(Math.floor((x - SIDE) / step), 0), Math.max(0, this.axes.length - 2));
      const right = Math.min(left + 1, this.axes.length - 1);
      const along = Math.min(Math.max((x - this.x(left)) / step, 0), 1);
      let [found, least] = [null, 8];
      for (const point of this.chosen) {
        const [one, other] = [this.y(this.axes[left].at[point]), this.y(this.axes[right].at[point])];
        const away = Math.abs(one + (other - one) * along - y);
        if (away <= least) [found, least] = [point, away];
      }
      return found;
    }

    hover(point, x = 0, y = 0) {
      const context = this.over.getContext('2d');
      context.clearRect(0, 0, this.width, this.height);
      this.tip.hidden = point === null;
      if (point === null) return;
      this.strokes(context, [point], this.theme.accent, 1, 3);
      const repeats = this.table.repeats[point];
      this.tip.replaceChildren(
        hps.el('b', null, this.table.runs[point]), repeats > 1 ? ` (mean of ${repeats} runs)` : '',
        hps.el('div', null, `${this.table.key} ${hps.number(this.table.values[point])}`));
      this.tip.style.left = `${Math.min(x + 14, this.width - 240)}px`;
      this.tip.style.top = `${Math.min(y + 14, this.height - 60)}px`;
    }
  }

  const axisBoxes = (table, names, changed) => hps.el('details.axes', null,
    hps.el('summary', null, `Axes: ${names.size} of ${hps.count(table.parameters.length, 'parameter')}`),
    hps.el('div.boxes', null, table.parameters.map(each => hps.el('label', null, hps.el('input', {
      type: 'checkbox', checked: names.has(each.name),
      on: {change: event => { if (event.target.checked) names.add(each.name); else names.delete(each.name); changed(); }},
    }), each.name))));

  charts.ofObjective('parallel', 'Parallel coordinates', 'table', (element, {table, importance}, theme, redraw) => {
    const ranked = (importance.parameters || []).map(each => each.name);
    const known = new Set(table.parameters.map(each => each.name));
    const first = [...new Set([...ranked, ...known])].filter(name => known.has(name)).slice(0, MOST_AXES);
    if (!state.names) state.names = new Set(table.parameters.map(each => each.name).filter(name => first.includes(name)));
    state.names = new Set([...state.names].filter(name => known.has(name)));
    const said = hps.el('span.muted');
    const told = chosen => {
      const best = chosen.length ? chosen[chosen.length - 1] : null;
      said.textContent = hps.text(`${chosen.length.toLocaleString('en-US')} of ${hps.count(table.values.length, 'point')}`
        + (best === null ? '' : `; the best of them: ${table.runs[best]}, ${table.key} ${hps.number(table.values[best])}`));
    };
    const clear = hps.el('button', {type: 'button', on: {click: () => { state.brushes.clear(); shown.draw(); }}}, 'Show all');
    element.append(hps.el('div.controls', null, clear, said), table.parameters.length > 1 ? axisBoxes(table, state.names, redraw) : null);
    const shown = new Parallel(element, table, state.names, theme, told);
    element.append(charts.caption(`Each line is a point, the stronger the better its ${table.key}. Drag along an axis to select, click on the axis to let go. ${table.caption}`));
    return () => shown.stop();
  }, {order: 50, nav: 'Parallel'});
}
