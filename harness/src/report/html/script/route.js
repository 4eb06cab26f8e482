// Addresses: `#s/<scenario>/t/<trace>/span/<id>`, `#f/<scenario>/<rule>/<finding>`, `#r/<rule>`. Each is a place to send to
// somebody; going back goes back.
const view = document.getElementById('view');
const overview = document.getElementById('overview');

/** Must equal what `markup.rs` makes of the same names. */
function address(...parts) {
  const encode = (part) =>
    encodeURIComponent(part).replace(/[!'()*~]/g, (letter) => `%${letter.charCodeAt(0).toString(16).toUpperCase()}`);
  return parts.map(encode).join('/');
}

function parsed() {
  const raw = location.hash.slice(1);
  const [path, query] = raw.split('?');
  const decode = (part) => {
    try {
      return decodeURIComponent(part);
    } catch {
      return part;
    }
  };
  return { raw, parts: path.split('/').map(decode), query: new URLSearchParams(query || '') };
}

function go(hash) {
  if (location.hash.slice(1) === hash) show();
  else location.hash = hash;
}

/** Changes the address without a step to go back to. */
function rewrite(hash) {
  try {
    history.replaceState(null, '', `#${hash}`);
  } catch {
    location.replace(`#${hash}`);
  }
}

let shown = 0;
/** Shows what the address names. A slow view that was left meanwhile is dropped. */
async function show() {
  const turn = (shown += 1);
  const { raw, parts, query } = parsed();
  leave();
  const current = (word) =>
    document.querySelectorAll('#bar nav a').forEach((link) => {
      if (link.dataset.nav === word) link.setAttribute('aria-current', 'page');
      else link.removeAttribute('aria-current');
    });
  if (parts[0] === 's' && byKey.has(parts[1])) {
    current('scenarios');
    return open(turn, () => scenarioView(byKey.get(parts[1]), parts.slice(2)));
  }
  if (parts[0] === 'f' && !document.getElementById(raw) && byKey.has(parts[1])) {
    current('scenarios');
    return open(turn, () => scenarioView(byKey.get(parts[1]), ['finding', raw]));
  }
  if (parts[0] === 'rules' || parts[0] === 'r') {
    current('rules');
    return open(turn, () => (parts[0] === 'r' && ruleNumber.has(parts[1]) ? ruleView(parts[1]) : rulesView()));
  }
  current(parts[0] === 'scenarios' ? 'scenarios' : 'overview');
  view.hidden = true;
  view.replaceChildren();
  overview.hidden = false;
  document.title = title(index.subject);
  if (parts[0] === 'scenarios') return showScenarios(query);
  const target = raw && document.getElementById(raw);
  if (target) target.scrollIntoView({ block: 'start' });
  else scrollTo(0, 0);
  document.querySelectorAll('.is-here').forEach((element) => element.classList.remove('is-here'));
  if (target) {
    target.classList.add('is-here');
    target.closest('details')?.setAttribute('open', '');
  }
}

const title = (what) => `${index.verdict} · ${what} · Probity`;

async function open(turn, build) {
  overview.hidden = true;
  view.hidden = false;
  let content;
  try {
    content = await build();
  } catch (error) {
    content = [h('p', { class: 'reason is-error' }, icon('error'), ` This could not be shown: ${error.message}`)];
  }
  if (turn !== shown) return;
  const same = view.dataset.place === content.place && content.place !== undefined;
  view.dataset.place = content.place ?? '';
  view.replaceChildren(...[content].flat().filter(Boolean));
  if (!same) scrollTo(0, 0);
  // Who came by keyboard goes on from here.
  if (!same && document.activeElement === document.body) view.focus({ preventScroll: true });
  content.after?.();
  view.querySelectorAll('[data-list]').forEach((list) => list.dispatchEvent(new Event('arrived')));
}

const leavers = [];
/** Runs what a view wants done when it is left. */
function leave() {
  while (leavers.length) leavers.pop()();
}
