// Keys, light and dark, help.
const HELP = [
  ['/', 'search'],
  ['j, ↓', 'next'],
  ['k, ↑', 'previous'],
  ['Enter', 'open'],
  ['←, →', 'fold and unfold a span'],
  ['Esc', 'close, then back'],
  ['t', 'light or dark'],
  ['?', 'this help'],
];

function helpDialog() {
  const dialog = h(
    'dialog',
    { id: 'help', aria: { label: 'Keys' } },
    h('h2', null, 'Keys'),
    h(
      'dl',
      null,
      HELP.map(([key, what]) => [h('dt', null, h('kbd', null, key)), h('dd', null, what)]),
    ),
    h('p', { class: 'quiet' }, `Every place has an address that can be sent to somebody. Written by ${index.tool}.`),
    h('form', { method: 'dialog' }, h('button', null, 'close')),
  );
  return dialog;
}

/** What the browser says, unless told otherwise; a page from a file may not be allowed to remember. */
function toggleTheme() {
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches;
  root.dataset.theme = dark ? 'light' : 'dark';
  try {
    localStorage.setItem('probity-theme', root.dataset.theme);
  } catch {
    /* then for this visit alone */
  }
}

function rememberedTheme() {
  try {
    return localStorage.getItem('probity-theme');
  } catch {
    return null;
  }
}

/** The things that j and k go through, where no list has the focus. */
function items() {
  const main = view.hidden ? overview : view;
  return [...main.querySelectorAll('[data-item], [data-list]')].filter((element) => element.offsetParent !== null);
}

function step(by) {
  const all = items();
  if (!all.length) return;
  const holder = document.activeElement?.closest?.('[data-item], [data-list]');
  const at = all.indexOf(holder);
  const next = all[Math.max(0, Math.min(all.length - 1, at < 0 ? (by > 0 ? 0 : all.length - 1) : at + by))];
  if (next.matches('[data-list]')) {
    next.focus();
    return;
  }
  const target = next.matches('.finding') ? next : next.querySelector('a') || next;
  target.focus({ preventScroll: true });
  next.scrollIntoView({ block: 'nearest' });
}

function escape() {
  const details = view.querySelector('.details');
  if (details) return details.closest('.trace-view').dispatchEvent(new Event('close-details'));
  const { parts } = parsed();
  if (parts[0] === 's' && parts[2] === 't') return go(address('s', parts[1], 'traces'));
  if (parts[0] === 's' && parts.length > 2) return go(address('s', parts[1]));
  if (parts[0] === 's') return go('scenarios');
  if (parts[0] === 'r') return go('rules');
  if (location.hash.length > 1) go('');
}

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
  if (event.target.closest?.('input, textarea, select, dialog')) return;
  const keys = {
    '/': () => document.getElementById('search').focus(),
    '?': () => document.getElementById('help').showModal(),
    t: toggleTheme,
    j: () => step(1),
    ArrowDown: () => step(1),
    k: () => step(-1),
    ArrowUp: () => step(-1),
    Escape: escape,
    Enter: () =>
      document.activeElement?.matches?.('.finding') &&
      document.activeElement.querySelector('footer a[href^="#s/"]')?.click(),
  };
  // Arrows scroll until j or k has put the focus on something.
  if (event.key.startsWith('Arrow') && !document.activeElement?.closest?.('[data-item]')) return;
  if (event.key === 'Enter' && !document.activeElement?.matches?.('.finding')) return;
  if (!keys[event.key]) return;
  keys[event.key]();
  event.preventDefault();
}
