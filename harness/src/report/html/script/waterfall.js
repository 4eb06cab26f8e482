// One trace, as waterfall or as outline: its spans, what hangs under them by link from other traces, findings at their spans,
// and the places where something was expected.
const LINKED_ROWS_MAX = 2000;
let mode = 'waterfall';

function tracePanel(scenario, evidence, [trace, , span]) {
  const place = evidence.traceNumbers.get(trace);
  if (place === undefined)
    return [
      h(
        'p',
        { class: 'reason is-incomplete' },
        icon('incomplete'),
        ` The trace ${trace} is not in this page. `,
        h('code', null, `probity tree … --trace ${String(trace).slice(0, 8)}`),
        ' shows it if it was captured.',
      ),
    ];
  const selected = span ? (evidence.rowOf(trace, span) ?? rowAnywhere(evidence, span)) : null;
  document.title = title(`${evidence.name(evidence.first[place])} · ${scenario.name}`);
  const rows = traceRows(evidence, place);
  const board = h('div', { class: 'trace-view' });
  const body = h('div', { class: 'waterfall' });
  board.append(body);
  const drawings = {
    waterfall: () => waterfall(scenario, evidence, trace, rows, choose, selected),
    outline: () => [outline(scenario, evidence, trace, rows)],
  };
  const modes = ['waterfall', 'outline'].map((word) =>
    h(
      'button',
      {
        type: 'button',
        aria: { pressed: mode === word },
        on: {
          click: () => {
            mode = word;
            draw();
          },
        },
      },
      word,
    ),
  );
  function draw() {
    modes.forEach((button) => button.setAttribute('aria-pressed', button.textContent === mode));
    body.replaceChildren(...[drawings[mode]()].flat().filter(Boolean));
    body.querySelectorAll('[data-list]').forEach((list) => list.dispatchEvent(new Event('arrived')));
  }
  function choose(row) {
    rewrite(address('s', scenario.key, 't', trace, 'span', evidence.id(row)));
    board.querySelector('.details')?.remove();
    board.append(spanDetails(scenario, evidence, row, close));
  }
  function close() {
    board.querySelector('.details')?.remove();
    rewrite(address('s', scenario.key, 't', trace));
    body.querySelector('.list')?.focus();
  }
  board.addEventListener('close-details', close);
  if (selected !== null) board.append(spanDetails(scenario, evidence, selected, close));
  const [first, behind] = [evidence.first[place], evidence.first[place + 1]];
  const inPhone = matchMedia('(max-width: 760px)').matches;
  const inner = [
    h(
      'div',
      { class: 'modes' },
      modes,
      h('span', { class: 'quiet' }, `trace ${trace}, ${counted(behind - first, 'span')}`),
      copyButton(trace, 'copy id'),
      stimulusOf(evidence, trace),
    ),
    linksUp(scenario, evidence, first, behind),
    board,
  ];
  inner.after = () => {
    draw();
    // Who opened the page here has not chosen anything yet.
    if (shown > 1) body.querySelector('.list')?.focus({ preventScroll: true });
    if (selected !== null && inPhone) board.querySelector('.details')?.scrollIntoView({ block: 'nearest' });
  };
  inner.place = `${scenario.key}/${trace}`;
  return inner;
}

function rowAnywhere(evidence, span) {
  for (let row = 0; row < evidence.count; row += 1) if (evidence.id(row) === span) return row;
  return null;
}

function stimulusOf(evidence, trace) {
  const stimulus = evidence.times.stimuli.find((candidate) => candidate[9] === trace);
  return stimulus
    ? h(
        'span',
        { class: 'quiet' },
        stimulus[11] ? 'asked by the barrier: ' : 'begun by ',
        h('code', null, stimulusWords(evidence, stimulus)),
      )
    : null;
}

/** Links that lead out of this trace. */
function linksUp(scenario, evidence, first, behind) {
  const found = [];
  for (let row = first; row < behind && found.length < 8; row += 1) {
    for (const [target] of evidence.linksOf.get(row) || []) {
      if (target !== null && (target < first || target >= behind))
        found.push(h('li', null, evidence.name(row), ' ⇢ ', spanLink(scenario, evidence, target)));
    }
  }
  return found.length ? h('ul', { class: 'quiet' }, h('li', null, 'This trace links to:'), found.slice(0, 8)) : null;
}

/** The rows of the picture: spans, what links to them from elsewhere, and notes of findings between them. */
function traceRows(evidence, place) {
  const rows = [];
  const seen = new Set();
  let linked = 0;
  const add = (from, to, shift, viaLink) => {
    const base = evidence.spans.depth[from];
    for (let row = from; row < to; row += 1) {
      if (seen.has(row)) continue;
      seen.add(row);
      const depth = evidence.spans.depth[row] - base + shift;
      rows.push({ row, depth, linked: viaLink && row === from, orphan: evidence.orphanOf.has(row) });
      for (const finding of evidence.findingsAt.get(row) || [])
        if (finding.severity !== 'note') rows.push({ row, depth, finding });
      for (const target of expectedElsewhere(evidence, row, place)) rows.push({ row, depth, elsewhere: target });
      for (const [rule, subject, , what] of evidence.placedAt.get(row) || [])
        rows.push({ row, depth: depth + 1, ghost: what, rule, subject });
      for (const from of evidence.linkedFrom(row)) {
        if (seen.has(from) || evidence.traceNumber(from) === place || linked >= LINKED_ROWS_MAX) continue;
        const behind = evidence.behind(from);
        linked += behind - from;
        add(from, behind, depth + 1, true);
      }
    }
  };
  add(evidence.first[place], evidence.first[place + 1], 0, false);
  return rows;
}

function waterfall(scenario, evidence, trace, rows, choose, selected) {
  const folded = new Set();
  let seen = rows;
  const [start, end] = extent(evidence, rows);
  const length = Math.max(1, end - start);
  const parents = new Set();
  rows.forEach((entry, at) => {
    if (at && entry.depth > rows[at - 1].depth) parents.add(rows[at - 1].row);
  });
  const refold = () => {
    let hidden = Infinity;
    seen = rows.filter((entry) => {
      if (entry.depth > hidden) return false;
      hidden = isSpan(entry) && folded.has(entry.row) ? entry.depth : Infinity;
      return true;
    });
  };
  const fold = (row, close) => {
    if (close) folded.add(row);
    else folded.delete(row);
    refold();
    list.renew(seen.length);
  };
  const phone = matchMedia('(max-width: 760px)').matches;
  const list = longList({
    count: seen.length,
    kind: 'span-rows',
    role: 'tree',
    label: 'Spans of the trace',
    height: phone ? 38 : 28,
    select: selected === null ? -1 : seen.findIndex((entry) => entry.row === selected && isSpan(entry)),
    row: (place) => {
      const entry = seen[place];
      if (entry.finding)
        return noteRow(
          entry,
          `is-${entry.finding.severity === 'error' ? 'fail' : entry.finding.severity}`,
          entry.finding.severity === 'error' ? 'fail' : entry.finding.severity,
          `${entry.finding.rule} ${entry.finding.seen}`,
          `#${entry.finding.id}`,
        );
      if (entry.ghost) return noteRow(entry, 'is-fail ghost', 'fail', `expected here: ${entry.ghost} (${entry.rule})`, null);
      if (entry.elsewhere !== undefined) return elsewhereRow(scenario, evidence, entry);
      return spanRow(evidence, entry, start, length, parents, folded, fold);
    },
    open: (place) => choose(seen[place].row),
  });
  list.element.addEventListener('keydown', (event) => {
    const entry = seen[list.current()];
    if (!entry || event.ctrlKey || event.metaKey) return;
    if (event.key === 'ArrowRight' && folded.has(entry.row)) fold(entry.row, false);
    else if (event.key === 'ArrowLeft' && parents.has(entry.row) && !folded.has(entry.row)) fold(entry.row, true);
    else if (event.key === 'ArrowLeft') {
      for (let at = list.current() - 1; at >= 0; at -= 1)
        if (seen[at].depth < entry.depth) {
          list.choose(at);
          break;
        }
    } else return;
    event.preventDefault();
  });
  const axis = h(
    'div',
    { class: 'head', aria: { hidden: 'true' } },
    h('span', null, 'span, service, kind'),
    h(
      'div',
      { class: 'ticks' },
      ticks(0, length, 4).map((at) => h('span', { style: { left: `${(at / length) * 100}%` } }, moment(at))),
    ),
    h('span', { class: 'number' }, 'took'),
  );
  return [axis, list.element];
}

const isSpan = (entry) => !entry.finding && !entry.ghost && entry.elsewhere === undefined;

/** For a span that stands where it should not: the rows of other traces under which something of its name was expected. */
function expectedElsewhere(evidence, row, place) {
  if (!evidence.findingsAt.has(row)) return [];
  const own = `${evidence.service(row)} ${evidence.kind(row)} ${evidence.name(row)}`;
  const targets = new Set();
  for (const [, , under, what] of evidence.placed)
    if (what === own && evidence.traceNumber(under) !== place) targets.add(under);
  return [...targets].slice(0, 3);
}

function elsewhereRow(scenario, evidence, entry) {
  const row = noteRow(entry, 'is-fail ghost', 'note', 'it was expected under ', null);
  row.querySelector('.name').append(spanLink(scenario, evidence, entry.elsewhere));
  return row;
}

function extent(evidence, rows) {
  let [start, end] = [Infinity, -Infinity];
  for (const { row } of rows) {
    start = Math.min(start, evidence.start(row));
    end = Math.max(end, evidence.end(row));
  }
  return [start, end];
}

function spanRow(evidence, entry, start, length, parents, folded, fold) {
  const { row, depth } = entry;
  const service = evidence.service(row);
  const spent = evidence.spans.took[row];
  const left = ((evidence.start(row) - start) / length) * 100;
  const width = (Math.max(0, spent) / length) * 100;
  const isFolded = folded.has(row);
  const failed = evidence.failed(row);
  const element = h(
    'div',
    {
      class: `${failed ? 'is-failed' : ''}${entry.linked ? ' linked' : ''}`,
      aria: {
        level: depth + 1,
        label: `${service} ${evidence.kind(row)} ${evidence.name(row)}, ${duration(spent)}${failed ? ', status error' : ''}${entry.orphan ? ', parent not captured' : ''}`,
      },
    },
    h(
      'div',
      { class: 'what', style: { 'padding-left': `${Math.min(depth, 24) * 0.85}rem` } },
      parents.has(row)
        ? h(
            'button',
            {
              class: 'twist',
              type: 'button',
              tabindex: '-1',
              aria: { label: isFolded ? 'unfold' : 'fold' },
              on: {
                click: (event) => {
                  event.stopPropagation();
                  fold(row, !isFolded);
                },
              },
            },
            isFolded ? '▸' : '▾',
          )
        : h('span', { class: 'twist' }),
      h('i', { class: 'swatch', style: { '--swatch': swatch(service) } }),
      h('span', { class: 'name', title: evidence.name(row) }, evidence.name(row)),
      h('span', { class: 'service' }, service),
      h('span', { class: 'kind' }, evidence.kind(row)),
      failed ? h('span', { class: 'bad' }, '! error') : null,
      entry.orphan ? h('span', { class: 'bad' }, 'parent not captured') : null,
    ),
    h(
      'div',
      { class: 'lane-bar', aria: { hidden: 'true' } },
      h('i', { style: { left: `${left}%`, width: `${width}%`, '--swatch': swatch(service) } }),
    ),
    h('span', { class: 'took number' }, duration(spent)),
  );
  if (parents.has(row)) element.setAttribute('aria-expanded', String(!isFolded));
  return element;
}

function noteRow(entry, tone, shape, text, href) {
  return h(
    'div',
    { class: `note ${tone}`, aria: { level: entry.depth + 1, label: text } },
    h(
      'div',
      { class: 'what', style: { 'padding-left': `${Math.min(entry.depth, 24) * 0.85 + 1.2}rem` } },
      icon(shape),
      href ? h('a', { href, class: 'name', title: text }, text) : h('span', { class: 'name', title: text }, text),
    ),
  );
}

/** The tree as text, in the notation of expectations and snapshots; a finding stands behind its span. */
function outline(scenario, evidence, trace, rows) {
  const pad = (text, width) => text.padEnd(width, ' ');
  return h(
    'pre',
    { class: 'outline' },
    rows.map((entry) => {
      const indent = '  '.repeat(entry.depth);
      if (entry.finding)
        return h(
          'span',
          { class: `line found is-${entry.finding.severity === 'error' ? 'fail' : entry.finding.severity}` },
          `${indent}  ^ ${entry.finding.rule} ${entry.finding.severity}: ${entry.finding.seen}`,
        );
      if (entry.elsewhere !== undefined)
        return h(
          'span',
          { class: 'line found is-fail' },
          `${indent}  ^ it was expected under ${evidence.service(entry.elsewhere)} ${evidence.name(entry.elsewhere)}`,
        );
      if (entry.ghost)
        return h('span', { class: 'line wanted' }, `${indent}- ${entry.ghost}  expected here (${entry.rule})`);
      const { row } = entry;
      const head = pad(
        `${indent}${entry.linked ? '⇢ ' : ''}${entry.orphan ? '(parent not captured) ' : ''}${evidence.service(row)}`,
        30,
      );
      return h(
        'span',
        { class: 'line' },
        h(
          'a',
          { href: `#${address('s', scenario.key, 't', evidence.trace(row), 'span', evidence.id(row))}` },
          `${head} ${pad(evidence.kind(row), 9)} ${evidence.name(row)}${evidence.failed(row) ? ' !error' : ''}`,
        ),
      );
    }),
  );
}
