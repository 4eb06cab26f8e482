// The time line of a scenario: what the harness did, what drove the system, what was broken and when, and each process.

/** First and last moment, and where the phases meet, as the evidence tells them. */
function moments(evidence) {
  const { processes, stimuli, faults, effects, scrapes } = evidence.times;
  const ends = [
    ...processes.map((process) => process.end?.at ?? process.started),
    ...faults.map((fault) => fault.ended ?? fault.began),
    ...effects.map((effect) => effect.at),
    ...scrapes.map((scrape) => scrape[1]),
  ];
  let last = 1e6;
  for (const at of ends) last = Math.max(last, at);
  for (const stimulus of stimuli) last = Math.max(last, stimulus[5] + (stimulus[6] || 0));
  if (!ends.length && !stimuli.length)
    for (let row = 0; row < evidence.count; row += 1) last = Math.max(last, evidence.end(row));
  const driven = stimuli.filter((stimulus) => !stimulus[11]);
  const drive = driven.length ? driven[0][5] : null;
  const asked = processes.map((process) => process.end?.asked).filter((at) => at !== null && at !== undefined);
  const lastDriven = driven.reduce((latest, stimulus) => Math.max(latest, stimulus[5] + (stimulus[6] || 0)), 0);
  const later = [...stimuli.filter((stimulus) => stimulus[11]).map((stimulus) => stimulus[5]), ...asked].filter(
    (at) => at >= lastDriven,
  );
  return { last, drive, barrier: driven.length && later.length ? Math.min(...later) : null };
}

function timeLine(scenario, evidence) {
  const { last, drive, barrier } = moments(evidence);
  const left = (at) => `${Math.max(0, Math.min(100, (at / last) * 100))}%`;
  const width = (from, to) => `${(Math.max(0, Math.min(last, to) - Math.max(0, from)) / last) * 100}%`;
  const bar = (kind, from, to, text, style) =>
    h('span', { class: `bar ${kind}`, title: text, style: { left: left(from), width: width(from, to), ...style } }, text);
  const lane = (label, more, marks) =>
    h(
      'div',
      { class: 'lane' },
      h('span', { class: 'label', title: label }, label, more && h('small', null, ` ${more}`)),
      h('div', { class: 'track' }, marks),
    );
  const lanes = [];
  if (drive !== null) {
    lanes.push(
      lane('phases', '', [
        bar('phase phase-start', 0, drive, 'start'),
        bar('phase phase-drive', drive, barrier ?? last, 'drive'),
        barrier !== null ? bar('phase phase-barrier', barrier, last, 'barrier, then judge') : null,
      ]),
    );
  }
  for (const [on, faults] of groupedBy(evidence.times.faults, (fault) => fault.on)) {
    lanes.push(
      lane(
        on,
        faults.length > 1 ? `${faults.length} faults` : 'fault',
        faults.map((fault) =>
          bar('fault', fault.began, fault.ended ?? last, `${fault.kind}${fault.ended === null ? ' to the end' : ''}`),
        ),
      ),
    );
  }
  if (evidence.times.stimuli.length)
    lanes.push(lane('stimuli', number(evidence.times.stimuli.length), stimulusMarks(evidence, last, left)));
  if (evidence.times.effects.length) {
    lanes.push(
      lane(
        'awaited',
        number(evidence.times.effects.length),
        evidence.times.effects.map((effect) =>
          h(
            'span',
            {
              class: `sign is-${effect.holds ? 'pass' : 'fail'}`,
              title: `${effect.name}: ${effect.holds ? 'there' : 'not there'}`,
              style: { left: left(effect.at) },
            },
            effect.holds ? '✓' : '✕',
          ),
        ),
      ),
    );
  }
  for (const instances of rowsOfInstances(evidence.times.processes, last)) {
    const label = instances.length > 1 ? [instances[0].service, `${instances.length} instances`] : [instances[0].id, ''];
    lanes.push(
      lane(
        ...label,
        instances.map((process) => processMarks(process, last, left, bar)),
      ),
    );
  }
  if (evidence.times.scrapes.length)
    lanes.push(
      lane(
        'scrapes',
        number(evidence.times.scrapes.length),
        evidence.times.scrapes
          .slice(0, 300)
          .map(([process, at, stage, status]) =>
            h('span', {
              class: `mark is-${status === 200 ? 'note' : 'fail'}`,
              title: `${process}, ${stage}: ${status ?? 'no answer'}`,
              style: { left: left(at) },
            }),
          ),
      ),
    );
  if (evidence.times.keys.length)
    lanes.push(
      lane(
        'etcd keys',
        number(evidence.times.keys.length),
        evidence.times.keys
          .slice(0, 300)
          .map((event) =>
            h(
              'span',
              { class: 'sign', title: `${event.key}: ${event.change}`, style: { left: left(event.at) } },
              event.change === 'deleted' ? '−' : '+',
            ),
          ),
      ),
    );
  const axis = h(
    'div',
    { class: 'axis', aria: { hidden: 'true' } },
    h('span'),
    h(
      'div',
      { class: 'ticks' },
      ticks(0, last, 6).map((at) => h('span', { style: { left: left(at) } }, moment(at))),
    ),
  );
  const legend = h(
    'p',
    { class: 'legend' },
    '▲ ready, ▽ asked to end, ■ ended cleanly, ✕ ended otherwise; hatched: not ready. Awaited: ✓ there, ✕ not there.',
  );
  return h(
    'div',
    {
      class: 'card time-line',
      role: 'group',
      aria: { label: 'Time line; the list of events below says the same in words' },
    },
    lanes,
    axis,
    evidence.times.processes.length ? legend : null,
  );
}

function stimulusMarks(evidence, last, left) {
  const { stimuli } = evidence.times;
  if (stimuli.length <= 300) {
    return stimuli.map((stimulus) =>
      h('a', {
        class: `mark is-${bad(stimulus) ? 'fail' : stimulus[11] ? 'skipped' : 'note'}`,
        href: stimulus[9] ? `#${address('s', evidence.scenario.key, 't', stimulus[9])}` : null,
        title: stimulusWords(evidence, stimulus),
        style: { left: left(stimulus[5]) },
        aria: { label: stimulusWords(evidence, stimulus) },
      }),
    );
  }
  const buckets = new Array(160).fill(0);
  for (const stimulus of stimuli) buckets[Math.min(159, Math.floor((Math.max(0, stimulus[5]) / last) * 160))] += 1;
  const most = Math.max(...buckets);
  return buckets.map((count, place) =>
    count
      ? h('span', {
          class: 'dense',
          title: counted(count, 'stimulus').replace('stimuluss', 'stimuli'),
          style: { left: `${place / 1.6}%`, width: '.625%', height: `${(count / most) * 90}%` },
        })
      : null,
  );
}

const bad = (stimulus) => stimulus[7] === null || stimulus[7] >= 500;
const stimulusWords = (evidence, stimulus) =>
  `${evidence.text(stimulus[1])} → ${stimulus[7] ?? (evidence.text(stimulus[8]) || 'no answer')}${stimulus[6] === null ? '' : ` after ${duration(stimulus[6])}`}`;

function processMarks(process, last, left, bar) {
  const end = process.end?.at ?? last;
  const marks = [bar('process', process.started, end, '', { '--swatch': swatch(process.service) })];
  const notReady = spansOf(process.ready_probes, process.ready);
  marks.push(bar('not-ready', process.started, process.ready ?? end, ''));
  for (const [from, to] of notReady) marks.push(bar('not-ready', from, to, ''));
  const sign = (at, text, what, tone) =>
    h('span', { class: `sign ${tone}`, title: `${process.id} ${what} at ${duration(at)}`, style: { left: left(at) } }, text);
  if (process.ready !== null) marks.push(sign(process.ready, '▲', 'ready', 'is-pass'));
  if (process.end) {
    if (process.end.asked !== null) marks.push(sign(process.end.asked, '▽', 'asked to end (SIGTERM)', 'is-skipped'));
    marks.push(
      sign(
        process.end.at,
        process.end.clean ? '■' : '✕',
        `ended with ${process.end.exit}`,
        process.end.clean ? 'is-skipped' : 'is-fail',
      ),
    );
  }
  return marks;
}

/** Instances of one service share a lane where they do not overlap. */
function rowsOfInstances(processes, last) {
  const rows = [];
  for (const process of processes) {
    const free = rows.find((row) => row[0].service === process.service && (row.at(-1).end?.at ?? last) <= process.started);
    if (free) free.push(process);
    else rows.push([process]);
  }
  return rows;
}

/** When readiness was false after it had been true. */
function spansOf(changes, ready) {
  const spans = [];
  let since = null;
  for (const [at, holds] of changes) {
    if (ready === null || at < ready) continue;
    if (!holds && since === null) since = at;
    if (holds && since !== null) {
      spans.push([since, at]);
      since = null;
    }
  }
  // Behind the last look nothing is known.
  if (since !== null) spans.push([since, changes.at(-1)[0]]);
  return spans;
}

/** The same in words, in order: what can be read aloud, searched and followed. */
function eventsSection(scenario, evidence) {
  const events = [];
  const add = (at, what, text, more, trace, tone) =>
    events.push({ at, what, text, more: more || '', trace, tone: tone || '' });
  for (const process of evidence.times.processes) {
    add(process.started, 'process', `${process.id} started`);
    if (process.ready !== null)
      add(process.ready, 'process', `${process.id} ready`, `after ${duration(process.ready - process.started)}`);
    if (process.end?.asked != null) add(process.end.asked, 'process', `${process.id} asked to end`, 'SIGTERM');
    if (process.end)
      add(
        process.end.at,
        'process',
        `${process.id} ended with ${process.end.exit}`,
        process.end.within_grace ? 'within grace' : '',
        null,
        process.end.clean ? '' : 'is-fail',
      );
  }
  for (const fault of evidence.times.faults) {
    add(fault.began, 'fault', `${fault.on} ${fault.kind}`, 'begins', null, 'is-fail');
    if (fault.ended !== null) add(fault.ended, 'fault', `${fault.on} ${fault.kind}`, 'ends');
  }
  for (const stimulus of evidence.times.stimuli)
    add(
      stimulus[5],
      stimulus[11] ? 'barrier asks' : 'stimulus',
      stimulusWords(evidence, stimulus),
      [evidence.text(stimulus[3]), evidence.text(stimulus[10])].filter(Boolean).join(', '),
      stimulus[9],
      bad(stimulus) ? 'is-fail' : '',
    );
  for (const effect of evidence.times.effects)
    add(
      effect.at,
      'awaited',
      effect.name,
      effect.holds ? 'there' : `not there: ${effect.seen ?? 'absent'}`,
      null,
      effect.holds ? '' : 'is-fail',
    );
  for (const [process, at, stage, status] of evidence.times.scrapes)
    add(at, 'scrape', `${process}, ${stage}`, status === null ? 'no answer' : `HTTP ${status}`);
  for (const event of evidence.times.keys) add(event.at, 'etcd key', event.key, event.change);
  if (!events.length) return null;
  events.sort((a, b) => a.at - b.at);
  const list = longList({
    count: events.length,
    kind: 'events',
    label: 'Events in order',
    rowsMax: 14,
    row: (place) => {
      const event = events[place];
      const link = event.trace && evidence.traceNumbers.has(event.trace);
      return h(
        'div',
        { class: event.tone },
        h('span', { class: 'number quiet' }, `+${duration(event.at)}`),
        h('span', { class: 'quiet' }, event.what),
        link
          ? h('a', { href: `#${address('s', scenario.key, 't', event.trace)}` }, event.text)
          : h('span', { title: event.text }, event.tone === 'is-fail' ? icon('fail') : null, ` ${event.text}`),
        h('span', { class: 'quiet' }, event.more),
      );
    },
    open: (place) => {
      const { trace } = events[place];
      if (trace && evidence.traceNumbers.has(trace)) go(address('s', scenario.key, 't', trace));
    },
  });
  return section(
    `In order: ${counted(events.length, 'event')}`,
    list.element,
    leftOut(evidence, 'stimuli', 'All are in stimuli.json of the evidence.'),
  );
}
