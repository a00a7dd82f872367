/* What ran where, and when: a row for each GPU, or for each place of a host, drawn on a canvas as far as it is in view. */
'use strict';

const LANE = 20;
const LABEL = 150;
const AXIS = 26;
const MOST_SEEN = 26;

// Attempts that are in the same place at the same time lie below each other.
const layers = (attempts, bars) => {
  const free = [];
  for (const bar of bars.sort((one, other) => one.from - other.from)) {
    let layer = free.findIndex(until => until <= bar.from + 0.02);
    if (layer < 0) layer = free.length;
    free[layer] = bar.to;
    bar.layer = layer;
  }
  return free.length;
};

const busyTime = bars => {
  let [busy, until, gap, gapAt] = [0, -Infinity, 0, 0];
  for (const bar of bars) {
    if (until > -Infinity && bar.from - until > gap) [gap, gapAt] = [bar.from - until, until];
    busy += Math.max(0, bar.to - Math.max(bar.from, until));
    until = Math.max(until, bar.to);
  }
  return {busy, gap, gapAt};
};

// The lanes of a search: where, and the bars there with times in seconds since its begin.
const lanesOf = search => {
  const places = new Map();
  const {attempts} = search;
  attempts.start.forEach((from, at) => {
    if (from === null || attempts.seconds[at] === null) return;
    const host = attempts.host[at] || 'unknown host';
    for (const gpu of attempts.gpus[at] ? attempts.gpus[at].split(',') : ['']) {
      const key = JSON.stringify([host, gpu]);
      if (!places.has(key)) places.set(key, {host, gpu, name: gpu === '' ? host : `${host} · GPU ${gpu}`, bars: []});
      places.get(key).bars.push({at, from, to: from + attempts.seconds[at], run: attempts.run[at]});
    }
  });
  const lanes = [...places.values()].sort((one, other) => one.name.localeCompare(other.name, undefined, {numeric: true}));
  let top = 0;
  for (const lane of lanes) {
    lane.count = layers(attempts, lane.bars);
    lane.top = top;
    top += lane.count;
    Object.assign(lane, busyTime(lane.bars));
  }
  return {lanes, rows: top};
};

const stateOfAttempt = (search, at) => search.attempts.cause[at] === 'oom' ? 'oom' : search.states[search.attempts.state[at]];

const STEPS = [0.01, 0.05, 0.1, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 14400, 28800, 86400, 172800, 604800];

class Timeline {
  constructor(element, search, searchAt, theme) {
    Object.assign(this, {search, searchAt, theme, ...lanesOf(search)});
    this.end = Math.max(0.01, ...this.lanes.map(lane => lane.bars.reduce((most, bar) => Math.max(most, bar.to), 0)));
    this.range = [0, this.end];
    this.canvas = hps.el('canvas', {tabIndex: 0, role: 'img', 'aria-label': this.inWords()});
    this.space = hps.el('div.timeline-space', null, this.canvas);
    this.scroller = hps.el('div.timeline', {on: {scroll: () => this.later()}}, this.space);
    this.tip = hps.el('div.tip', {hidden: true});
    element.append(this.tools(), hps.el('div.timeline-frame', null, this.scroller, this.tip));
    this.space.style.height = `${this.rows * LANE + AXIS}px`;
    this.scroller.style.height = `${Math.min(this.rows, MOST_SEEN) * LANE + AXIS}px`;
    this.listen();
    this.observer = new ResizeObserver(() => this.later());
    this.observer.observe(this.scroller);
  }

  inWords() {
    const busy = this.lanes.reduce((sum, lane) => sum + lane.busy, 0) / (this.lanes.length * this.end);
    const longest = this.lanes.reduce((most, lane) => lane.gap > most.gap ? lane : most);
    const place = this.lanes.every(lane => lane.gpu !== '') ? 'GPU' : 'place';
    const gap = longest.gap > 0.01 * this.end ? `; longest gap ${hps.duration(longest.gap)}, on ${longest.name}` : '';
    return `${hps.count(this.lanes.length, place)}, busy ${Math.round(100 * busy)} % of the time${gap}`;
  }

  tools() {
    const button = (text, label, action) => hps.el('button', {type: 'button', 'aria-label': label, title: label, on: {click: action}}, text);
    const states = [...new Set(this.search.attempts.state.map((_, at) => stateOfAttempt(this.search, at)))];
    return hps.el('div.tools', null,
      hps.el('span.muted', null, this.inWords()),
      hps.el('ul.legend', null, states.map(state => hps.el('li', null, hps.el(`span.dot.state-${state}`), state === 'oom' ? 'out of memory' : state))),
      hps.el('span.buttons', null,
        button('−', 'Zoom out', () => this.zoom(2)), button('+', 'Zoom in', () => this.zoom(0.5)),
        button('All', 'Show all of the time', () => this.show(0, this.end))));
  }

  /* Zooming and panning */

  show(from, to) {
    const width = Math.min(this.end, Math.max(to - from, this.end / 1e5));
    const start = Math.min(Math.max(0, from), this.end - width);
    this.range = [start, start + width];
    this.later();
  }

  zoom(factor, around = (this.range[0] + this.range[1]) / 2) {
    this.show(around - (around - this.range[0]) * factor, around + (this.range[1] - around) * factor);
  }

  pan(share) {
    const width = this.range[1] - this.range[0];
    this.show(this.range[0] + share * width, this.range[1] + share * width);
  }

  timeAt(x) {
    return this.range[0] + (x - LABEL) / (this.canvas.clientWidth - LABEL) * (this.range[1] - this.range[0]);
  }

  xOf(time) {
    return LABEL + (time - this.range[0]) / (this.range[1] - this.range[0]) * (this.canvas.clientWidth - LABEL);
  }

  listen() {
    const keys = {ArrowLeft: () => this.pan(-0.2), ArrowRight: () => this.pan(0.2), '+': () => this.zoom(0.5), '-': () => this.zoom(2), 0: () => this.show(0, this.end)};
    const on = (name, listener, options) => this.canvas.addEventListener(name, listener, options);
    on('keydown', event => { if (keys[event.key]) { keys[event.key](); event.preventDefault(); } });
    on('wheel', event => {
      if (!event.ctrlKey && !event.shiftKey) return;
      event.preventDefault();
      this.zoom(event.deltaY + event.deltaX > 0 ? 1.25 : 0.8, this.timeAt(event.offsetX));
    }, {passive: false});
    on('pointerdown', event => { if (event.pointerType === 'mouse') this.drag = {from: event.offsetX, to: event.offsetX}; });
    on('pointermove', event => {
      if (this.drag) { this.drag.to = event.offsetX; this.later(); }
      else this.point(event.offsetX, event.offsetY);
    });
    on('pointerleave', () => { this.tip.hidden = true; this.drag = null; this.later(); });
    on('pointerup', event => this.drop(event));
    on('dblclick', () => this.show(0, this.end));
  }

  drop(event) {
    const drag = this.drag || {from: event.offsetX, to: event.offsetX};
    this.drag = null;
    if (Math.abs(drag.to - drag.from) > 6) {
      const times = [this.timeAt(drag.from), this.timeAt(drag.to)].sort((one, other) => one - other);
      this.show(...times);
      return;
    }
    const {bar} = this.at(event.offsetX, event.offsetY);
    if (bar) hps.showRun(this.searchAt, bar.run);
  }

  /* What is under the pointer */

  at(x, y) {
    const row = Math.floor((y + this.scroller.scrollTop - AXIS) / LANE);
    const lane = y < AXIS ? undefined : this.lanes.find(each => each.top <= row && row < each.top + each.count);
    if (!lane || x < LABEL) return {lane};
    const [time, slack] = [this.timeAt(x), this.timeAt(x + 1.5) - this.timeAt(x)];
    const bar = lane.bars.find(each => each.layer === row - lane.top && each.from - slack <= time && time <= each.to + slack);
    return {lane, bar, time};
  }

  point(x, y) {
    const {lane, bar, time} = this.at(x, y);
    this.tip.hidden = !lane;
    this.canvas.style.cursor = bar ? 'pointer' : 'crosshair';
    if (!lane) return;
    this.tip.replaceChildren(...(bar ? this.aboutBar(bar) : this.aboutLane(lane, time)));
    const room = this.scroller.clientWidth - this.tip.offsetWidth - 8;
    this.tip.style.left = `${Math.max(0, Math.min(x + 14, room))}px`;
    this.tip.style.top = `${y + 18}px`;
  }

  aboutBar(bar) {
    const {search} = this;
    const key = search.objectives.length ? search.objectives[0].key : '';
    const value = key && search.values[key] ? search.values[key][bar.run] : null;
    const state = stateOfAttempt(search, bar.at);
    return [
      hps.el('b', null, search.runs.name[bar.run]),
      hps.el('div', null, hps.stateTag(state), ` after ${hps.duration(bar.to - bar.from)}`,
        search.attempts.number[bar.at] > 1 ? `, attempt ${search.attempts.number[bar.at]}` : ''),
      value === null ? '' : hps.el('div', null, `${key} ${hps.number(value)}`),
      hps.el('div.muted', null, hps.date(search.begin + bar.from)),
    ];
  }

  aboutLane(lane, time) {
    const before = lane.bars.reduce((most, bar) => bar.to <= time ? Math.max(most, bar.to) : most, 0);
    const after = lane.bars.reduce((least, bar) => bar.from >= time ? Math.min(least, bar.from) : least, this.end);
    const isIdle = time !== undefined && !lane.bars.some(bar => bar.from <= time && time <= bar.to);
    return [hps.el('b', null, lane.name),
      hps.el('div', null, isIdle ? `idle for ${hps.duration(after - before)}` : `busy ${Math.round(100 * lane.busy / this.end)} % of the time`)];
  }

  /* Drawing */

  later() {
    if (this.waiting) return;
    this.waiting = requestAnimationFrame(() => { this.waiting = null; this.draw(); });
  }

  draw() {
    const [width, height, scale] = [this.scroller.clientWidth, this.scroller.clientHeight, window.devicePixelRatio || 1];
    if (!width) return;
    if (this.canvas.width !== Math.round(width * scale) || this.canvas.height !== Math.round(height * scale)) {
      Object.assign(this.canvas, {width: Math.round(width * scale), height: Math.round(height * scale)});
      Object.assign(this.canvas.style, {width: `${width}px`, height: `${height}px`});
    }
    const context = this.canvas.getContext('2d');
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.clearRect(0, 0, width, height);
    context.font = `12px ${this.theme.font}`;
    context.textBaseline = 'middle';
    for (const lane of this.lanes) this.drawLane(context, lane, width, height);
    this.drawAxis(context, width, height);
    if (this.drag) {
      context.fillStyle = this.theme.accent;
      context.globalAlpha = 0.18;
      context.fillRect(Math.min(this.drag.from, this.drag.to), AXIS, Math.abs(this.drag.to - this.drag.from), height);
      context.globalAlpha = 1;
    }
  }

  drawLane(context, lane, width, height) {
    const top = AXIS + lane.top * LANE - this.scroller.scrollTop;
    if (top > height || top + lane.count * LANE < AXIS) return;
    context.fillStyle = this.theme.grid;
    for (let layer = 0; layer < lane.count; layer++) context.fillRect(LABEL, top + layer * LANE + 2, width - LABEL, LANE - 4);
    for (const bar of lane.bars) {
      if (bar.to < this.range[0] || bar.from > this.range[1]) continue;
      const left = Math.max(LABEL, this.xOf(bar.from));
      const wide = Math.max(1, this.xOf(bar.to) - left - 0.6);
      const state = stateOfAttempt(this.search, bar.at);
      const y = top + bar.layer * LANE + 2;
      context.fillStyle = this.theme.states[state];
      context.fillRect(left, y, wide, LANE - 4);
      if (state === 'oom' || state === 'failed') { // told apart without colour
        context.fillStyle = this.theme.text;
        context.fillRect(left, state === 'oom' ? y : y + LANE - 7, wide, 3);
      }
    }
    context.fillStyle = this.theme.panel;
    context.fillRect(0, top, LABEL, lane.count * LANE);
    context.fillStyle = this.theme.muted;
    const share = `${Math.round(100 * lane.busy / this.end)} %`;
    context.textAlign = 'right';
    context.fillText(share, LABEL - 8, top + LANE / 2);
    context.textAlign = 'left';
    context.fillStyle = this.theme.text;
    context.fillText(this.fitted(context, hps.text(lane.name), LABEL - 50), 0, top + LANE / 2);
  }

  fitted(context, text, width) {
    if (context.measureText(text).width <= width) return text;
    let [first, last] = [0, text.length];
    while (first < last) { // of a long name, the end tells more
      const middle = (first + last) >> 1;
      if (context.measureText('…' + text.slice(middle)).width <= width) last = middle; else first = middle + 1;
    }
    return '…' + text.slice(first);
  }

  drawAxis(context, width, height) {
    context.fillStyle = this.theme.panel;
    context.fillRect(0, 0, width, AXIS);
    const span = this.range[1] - this.range[0];
    const most = Math.max(2, Math.floor((width - LABEL) / 90));
    const step = STEPS.find(each => span / each <= most) || Math.ceil(span / most / 604800) * 604800;
    context.textAlign = 'center';
    for (let time = Math.ceil(this.range[0] / step) * step; time <= this.range[1]; time += step) {
      const x = this.xOf(time);
      context.fillStyle = this.theme.line;
      context.fillRect(x, AXIS - 4, 1, 4);
      context.globalAlpha = 0.5;
      context.fillRect(x, AXIS, 1, height);
      context.globalAlpha = 1;
      context.fillStyle = this.theme.muted;
      context.fillText(time === 0 ? '0' : hps.clock(time, step), Math.min(x, width - 24), AXIS / 2);
    }
  }
}

hps.section('timeline', 'Timeline', (element, data, theme) => {
  const drawn = [];
  hps.each(element, data, (into, search, at) => {
    if (search.attempts.start.some((start, each) => start !== null && search.attempts.seconds[each] !== null)) {
      drawn.push(new Timeline(into, search, at, theme));
    } else {
      into.append(hps.el('p.muted', null, 'Nothing has run so far.'));
    }
  });
  return () => drawn.forEach(timeline => timeline.observer.disconnect());
}, {order: 70});
