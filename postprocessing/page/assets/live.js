/* A page that is kept fresh: asks the server it came from for newer data, and takes it in between two touches. */
'use strict';

const POLL = 3000;
const LONGEST_POLL = 30000;
const CALM = 2000;

const live = {tag: null, newer: null, pause: POLL, touched: -Infinity, note: null};

const say = (words, isBad) => {
  live.note.textContent = hps.text(words);
  live.note.classList.toggle('bad', isBad);
};

// What has the focus is made anew: it is found again by what it is called, with its selection.
const focused = () => {
  const element = document.activeElement;
  const name = element && element.getAttribute('aria-label');
  const selector = !element || element === document.body ? null : element.id ? `#${CSS.escape(element.id)}`
    : name ? `[aria-label="${CSS.escape(name)}"]` : null;
  return {selector, element, range: element && 'selectionStart' in element ? [element.selectionStart, element.selectionEnd] : null};
};

const focusAgain = ({selector, element, range}) => {
  const found = selector && !element.isConnected ? document.querySelector(selector) : null;
  if (!found) return;
  found.focus({preventScroll: true});
  try { if (range) found.setSelectionRange(...range); } catch (error) { /* there are inputs without a selection */ }
};

const takeIn = () => {
  if (!live.newer || performance.now() - live.touched < CALM || !window.getSelection().isCollapsed) return;
  const [data, at, where] = [live.newer, [window.scrollX, window.scrollY], focused()];
  live.newer = null;
  hps.update(data);
  window.scrollTo({left: at[0], top: at[1], behavior: 'instant'});
  focusAgain(where);
  say(`live · read ${new Date(data.searches[0].now * 1000).toLocaleTimeString()}`, false);
};

const ask = async () => {
  const answer = await fetch('data.json', {cache: 'no-store', headers: live.tag ? {'If-None-Match': live.tag} : {}});
  if (answer.status === 304) {
    if (live.note.classList.contains('bad')) say('live', false);
  } else if (answer.ok) {
    live.newer = await answer.json();
    live.tag = answer.headers.get('ETag');
  } else {
    const problem = answer.status === 503 ? (await answer.json()).problem : 'hpsearch serve was started anew: open its new address';
    say(problem, true);
  }
};

const poll = async () => {
  if (!document.hidden) {
    try {
      await ask();
      live.pause = POLL;
    } catch (error) {
      live.pause = Math.min(LONGEST_POLL, 2 * live.pause);
      say('hpsearch serve does not answer: it has ended, or the tunnel to it', true);
    }
  }
  setTimeout(poll, live.pause);
};

hps.keepFresh = () => {
  live.note = hps.el('span.live', {id: 'live', role: 'status', 'aria-live': 'off'}, 'live');
  document.body.append(live.note);
  for (const event of ['keydown', 'pointerdown', 'wheel', 'scroll', 'touchstart']) {
    document.addEventListener(event, () => { live.touched = performance.now(); }, {capture: true, passive: true});
  }
  setInterval(takeIn, 250);
  setTimeout(poll, POLL);
};
