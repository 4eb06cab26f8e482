// Logs, each with the span that it belongs to.
function logsPanel(scenario, evidence) {
  const state = { text: '', from: '', joined: '', found: evidence.logs };
  const sources = [...new Set(evidence.logs.map((log) => log[0]))];
  const detail = h('div');
  const list = longList({
    count: evidence.logs.length,
    kind: 'log-rows',
    label: 'Log lines',
    height: 28,
    row: (place) => logRow(scenario, evidence, state.found[place]),
    open: (place) => detail.replaceChildren(logDetail(scenario, evidence, state.found[place])),
  });
  const status = h('span', { class: 'quiet', role: 'status' });
  const renew = () => {
    const text = state.text.toLowerCase();
    state.found = evidence.logs.filter(
      (log) =>
        (!state.from || String(log[0]) === state.from) &&
        (!state.joined || (state.joined === 'span') === (log[6] !== null)) &&
        (!text || `${evidence.text(log[2])} ${evidence.text(log[4])} ${log[5] ?? ''}`.toLowerCase().includes(text)),
    );
    status.textContent = `${number(state.found.length)} of ${number(evidence.logs.length)}`;
    list.renew(state.found.length);
  };
  const choose = (name, label, options) =>
    h(
      'select',
      {
        aria: { label },
        on: {
          change: (event) => {
            state[name] = event.target.value;
            renew();
          },
        },
      },
      h('option', { value: '' }, label),
      options.map(([value, text]) => h('option', { value }, text)),
    );
  return [
    section(
      counted(evidence.logs.length, 'log line'),
      h(
        'div',
        { class: 'filters' },
        h('input', {
          type: 'search',
          placeholder: 'text, level or trace id',
          aria: { label: 'Filter logs' },
          on: {
            input: (event) => {
              state.text = event.target.value;
              renew();
            },
          },
        }),
        choose(
          'from',
          'any source',
          sources.map((source) => [String(source), evidence.text(source)]),
        ),
        choose('joined', 'joined or not', [
          ['span', 'of a span'],
          ['none', 'of no span'],
        ]),
        status,
      ),
      list.element,
      detail,
      leftOut(evidence, 'log lines', 'All are in logs.json of the evidence.'),
      leftOut(evidence, 'log records', 'All are in logs.pb of the evidence.'),
    ),
  ];
}

function logRow(scenario, evidence, [from, line, level, message, , trace, row]) {
  const word = evidence.text(level).toLowerCase();
  return h(
    'div',
    null,
    h('span', { class: 'quiet' }, evidence.text(from)),
    h('span', { class: 'number quiet' }, line === null ? '' : `line ${line}`),
    h('span', { class: `level-${word.replace(/[^a-z]/g, '')}` }, evidence.text(level)),
    h('code', { title: evidence.text(message) }, evidence.text(message)),
    row !== null
      ? h('a', { href: `#${address('s', scenario.key, 't', evidence.trace(row), 'span', evidence.id(row))}` }, 'its span')
      : h('span', { class: 'quiet' }, trace ? 'span not here' : ''),
  );
}

function logDetail(scenario, evidence, [from, line, , , whole, trace, row]) {
  const text = evidence.text(whole);
  let shown = text;
  try {
    shown = JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    /* no JSON: as it is */
  }
  return h(
    'div',
    { class: 'card' },
    h('h3', null, evidence.text(from), line === null ? '' : ` line ${line}`),
    row !== null ? spanLink(scenario, evidence, row) : trace ? h('p', { class: 'quiet' }, `trace ${trace}`) : null,
    h('pre', { class: 'tree' }, shown),
  );
}
