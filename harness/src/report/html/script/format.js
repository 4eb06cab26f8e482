// Numbers, times and counts as people read them.
const grouped = new Intl.NumberFormat('en-US');
const number = (value) => grouped.format(value);
const counted = (count, noun) => `${number(count)} ${noun}${count === 1 ? '' : 's'}`;

/** Nanoseconds, with three digits that matter. */
function duration(nanos) {
  if (nanos === 0) return '0';
  const size = Math.abs(nanos);
  const [value, unit] =
    size >= 60e9
      ? [nanos / 60e9, 'min']
      : size >= 1e9
        ? [nanos / 1e9, 's']
        : size >= 1e6
          ? [nanos / 1e6, 'ms']
          : size >= 1e3
            ? [nanos / 1e3, 'µs']
            : [nanos, 'ns'];
  const digits = Math.abs(value) >= 100 || unit === 'ns' ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return `${value.toFixed(digits)} ${unit}`;
}

const seconds = (value) =>
  value < 99.95 ? `${value.toFixed(1)} s` : `${Math.floor(value / 60)} min ${Math.round(value % 60)} s`;

/** The same for an axis, whose steps are round. */
const moment = (nanos) => duration(nanos).replace(/\.(\d*?)0+ /, (all, kept) => (kept ? `.${kept} ` : ' '));

/** Round steps for an axis of about that many ticks. */
function ticks(from, to, about) {
  const raw = (to - from) / about || 1;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((candidate) => candidate >= raw);
  const found = [];
  for (let at = Math.ceil(from / step) * step; at <= to; at += step) found.push(at);
  return found;
}

/** Colours of services: by their place among all services of the run, so that one service looks alike everywhere. */
const HUES = [215, 150, 35, 285, 190, 340, 95, 255, 10, 60];
function swatch(service) {
  const place = services.indexOf(service);
  const hue = HUES[(place < 0 ? services.length : place) % HUES.length];
  return `light-dark(hsl(${hue} 60% 46%), hsl(${hue} 62% 62%))`;
}
