// The traces of a scenario: by shape, and each of them.
const ORDERS = { took: (a, b) => b.end - b.start - (a.end - a.start), count: (a, b) => b.count - a.count };

function tracesPanel(scenario, evidence) {
  const traces = traceTable(scenario, evidence);
  const state = { text: '', failed: false, order: 'start', found: traces };
  const list = longList({
    count: traces.length,
    kind: 'trace-rows',
    label: 'Traces',
    height: 32,
    row: (place) => traceRow(scenario, evidence, state.found[place], traces.longest),
    open: (place) => go(address('s', scenario.key, 't', evidence.spans.traces[state.found[place].number])),
  });
  const status = h('span', { class: 'quiet', role: 'status' });
  const renew = () => {
    const text = state.text.toLowerCase();
    state.found = traces.filter(
      (trace) => (!state.failed || trace.failed || trace.findings) && (!text || trace.words.includes(text)),
    );
    if (state.order !== 'start') state.found = [...state.found].sort(ORDERS[state.order]);
    status.textContent = `${number(state.found.length)} of ${number(traces.length)}`;
    list.renew(state.found.length);
  };
  const filter = h(
    'div',
    { class: 'filters' },
    h('input', {
      type: 'search',
      placeholder: 'service, name or id',
      aria: { label: 'Filter traces' },
      on: {
        input: (event) => {
          state.text = event.target.value;
          renew();
        },
      },
    }),
    h(
      'label',
      null,
      h('input', {
        type: 'checkbox',
        on: {
          change: (event) => {
            state.failed = event.target.checked;
            renew();
          },
        },
      }),
      ' with errors or findings',
    ),
    h(
      'select',
      {
        aria: { label: 'Order' },
        on: {
          change: (event) => {
            state.order = event.target.value;
            renew();
          },
        },
      },
      [
        ['start', 'in order'],
        ['took', 'slowest first'],
        ['count', 'largest first'],
      ].map(([value, text]) => h('option', { value }, text)),
    ),
    status,
  );
  return [
    evidence.shapes.length
      ? section(
          'By shape',
          h(
            'div',
            { class: 'shapes' },
            evidence.shapes.slice(0, 12).map((shape) => shapeCard(scenario, shape)),
          ),
          evidence.shapes.length > 12
            ? h('p', { class: 'left-out' }, `${evidence.shapes.length - 12} rarer shapes are among the traces below.`)
            : null,
        )
      : null,
    section(
      `All ${counted(traces.length, 'trace')}`,
      filter,
      list.element,
      leftOut(evidence, 'spans', ['Run ', h('code', null, 'probity tree'), ' on the evidence to see them.']),
    ),
  ];
}

function shapeCard(scenario, [count, example, outline]) {
  const lines = outline.split('\n');
  return h(
    'div',
    { class: 'card shape' },
    h(
      'header',
      null,
      h('strong', null, `${number(count)} ×`),
      h('a', { href: `#${address('s', scenario.key, 't', example)}` }, 'open one'),
    ),
    h('pre', { class: 'tree' }, lines.slice(0, 16).join('\n'), lines.length > 16 ? `\n… ${lines.length - 16} more` : ''),
  );
}

/** One entry a trace: its top, times, how many spans, what began it. */
function traceTable(scenario, evidence) {
  if (evidence.traceTable) return evidence.traceTable;
  const begun = new Map(evidence.times.stimuli.filter((stimulus) => stimulus[9]).map((stimulus) => [stimulus[9], stimulus]));
  const traces = evidence.spans.traces.map((trace, place) => {
    const [first, behind] = [evidence.first[place], evidence.first[place + 1]];
    let [start, end, failed, findings] = [Infinity, -Infinity, 0, 0];
    for (let row = first; row < behind; row += 1) {
      start = Math.min(start, evidence.start(row));
      end = Math.max(end, evidence.end(row));
      if (evidence.failed(row)) failed += 1;
      findings += evidence.findingsAt.get(row)?.length || 0;
    }
    const stimulus = begun.get(trace);
    const words = `${trace} ${evidence.service(first)} ${evidence.name(first)}`.toLowerCase();
    return { number: place, first, count: behind - first, start, end, failed, findings, stimulus, words };
  });
  traces.sort((a, b) => a.start - b.start || a.number - b.number);
  traces.longest = traces.reduce((longest, trace) => Math.max(longest, trace.end - trace.start), 1);
  evidence.traceTable = traces;
  return traces;
}

function traceRow(scenario, evidence, trace, longest) {
  const about = trace.stimulus
    ? `${trace.stimulus[11] ? 'asked by the barrier: ' : ''}${stimulusWords(evidence, trace.stimulus)}`
    : '';
  return h(
    'div',
    null,
    h(
      'span',
      {
        class: trace.findings ? 'badge is-fail' : trace.failed ? 'badge is-warning' : 'quiet',
        title: trace.findings ? 'has findings' : trace.failed ? 'has spans with status error' : 'no errors',
      },
      trace.findings
        ? [icon('fail'), number(trace.findings)]
        : trace.failed
          ? [icon('warning'), number(trace.failed)]
          : icon('not-judged'),
    ),
    h(
      'a',
      { href: `#${address('s', scenario.key, 't', evidence.spans.traces[trace.number])}`, class: 'span-link' },
      h('i', { class: 'swatch', style: { '--swatch': swatch(evidence.service(trace.first)) } }),
      `${evidence.service(trace.first)} ${evidence.name(trace.first)}`,
    ),
    h('span', { class: 'quiet', title: about }, about),
    h('span', { class: 'number quiet' }, counted(trace.count, 'span')),
    h('span', { class: 'number' }, duration(trace.end - trace.start)),
    h(
      'span',
      { class: 'mini', aria: { hidden: 'true' } },
      h('i', { style: { width: `${((trace.end - trace.start) / longest) * 100}%` } }),
    ),
  );
}
