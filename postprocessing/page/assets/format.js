/* Numbers, durations, dates and amounts as people read them. */
'use strict';

hps.number = (value, digits = 5) => {
  if (typeof value !== 'number') return value === null || value === undefined ? '' : hps.text(value);
  if (Number.isInteger(value) && Math.abs(value) < 1e7) return String(value);
  const shown = Number(value.toPrecision(digits));
  const size = Math.abs(shown);
  return size !== 0 && (size < 1e-4 || size >= 1e7) ? shown.toExponential().replace('e+', 'e') : String(shown);
};

// A value of a run: a whole number, such as a seed, in full; what JavaScript cannot keep is a text already.
hps.value = (value, digits = 6) => Number.isSafeInteger(value) ? String(value) : hps.number(value, digits);

// A number as Python writes it: whole ones are those that had no point.
hps.digits = value => {
  const [digits, power] = value.toExponential().split('e');
  return Number.isInteger(value) || Number(power) >= -4 ? String(value) : `${digits}e-${String(-power).padStart(2, '0')}`;
};

hps.duration = seconds => {
  if (seconds === null || seconds === undefined) return '';
  if (seconds < 10) return `${Number(seconds.toPrecision(2))} s`;
  const whole = Math.round(seconds);
  const [days, hours, minutes, rest] =
    [Math.floor(whole / 86400), Math.floor(whole / 3600) % 24, Math.floor(whole / 60) % 60, whole % 60];
  const two = (one, unit, other, smaller) => other ? `${one} ${unit} ${other} ${smaller}` : `${one} ${unit}`;
  if (days) return two(days, 'd', hours, 'h');
  if (hours) return two(hours, 'h', minutes, 'min');
  return minutes ? two(minutes, 'min', rest, 's') : `${rest} s`;
};

const TIME = new Intl.DateTimeFormat(undefined, {dateStyle: 'medium', timeStyle: 'short'});

hps.date = seconds => seconds === null || seconds === undefined ? '' : TIME.format(new Date(seconds * 1000));

// Seconds since a beginning as a label of an axis whose labels are so far apart: 1 d 6:24, 0:03:10.
hps.clock = (seconds, step) => {
  if (seconds < 60 && step < 60) return hps.duration(Number(seconds.toPrecision(6)));
  const whole = Math.round(seconds);
  const two = number => String(number).padStart(2, '0');
  const days = Math.floor(whole / 86400);
  const time = `${Math.floor(whole / 3600) % 24}:${two(Math.floor(whole / 60) % 60)}`;
  const rest = step < 1 ? `:${(seconds % 60).toFixed(2).padStart(5, '0')}` : step < 60 ? `:${two(whole % 60)}` : '';
  return days && step >= 86400 ? `${days} d` : (days ? `${days} d ` : '') + time + rest;
};

// A time as a program writes it (ISO 8601), for people; what is no time stays as it is.
hps.moment = text => Number.isNaN(Date.parse(text)) ? text : hps.date(Date.parse(text) / 1000);

hps.memory = mib => {
  if (mib === null || mib === undefined) return '';
  return mib < 1024 ? `${mib} MiB` : `${Number((mib / 1024).toPrecision(3))} GiB`;
};

hps.count = (count, one, several = one + 's') => `${count.toLocaleString('en-US')} ${count === 1 ? one : several}`;
