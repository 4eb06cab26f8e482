// One scenario: what it came to, and its evidence by kind.
const TABS = [
  ['story', 'Story', () => true],
  ['traces', 'Traces', (evidence) => evidence.spans.traces.length],
  ['records', 'Records', (evidence) => evidence.records.length || evidence.offsets.length],
  [
    'metrics',
    'Metrics',
    (evidence) => evidence.scrapes.reduce((sum, scrape) => sum + scrape.families.length, 0) + evidence.metrics.length,
  ],
  ['targets', 'Targets', (evidence) => evidence.targets.length + evidence.sockets.length],
  ['logs', 'Logs', (evidence) => evidence.logs.length],
  ['ledger', 'Ledger', (evidence, scenario) => scenario.ledger.length],
  [
    'rules',
    'Rules',
    (evidence, scenario) => scenario.rules.filter((rule) => rule[1] > 0 || rule[0] !== 'not judged').length,
  ],
];

async function scenarioView(scenario, rest) {
  const evidence = await evidenceOf(scenario);
  document.title = title(scenario.name);
  const [tab, ...more] = rest.length && rest[0] ? rest : ['story'];
  const head = [crumbs(scenario, tab), heading(scenario)];
  if (!evidence) return [...head, skippedPanel(scenario)];
  const known = tab === 't' ? 'traces' : tab === 'finding' ? 'story' : tab;
  const panels = {
    story: storyPanel,
    traces: tracesPanel,
    records: recordsPanel,
    metrics: metricsPanel,
    targets: targetsPanel,
    logs: logsPanel,
    ledger: ledgerPanel,
    rules: scenarioRulesPanel,
  };
  const build =
    tab === 't' ? () => tracePanel(scenario, evidence, more) : () => (panels[known] || storyPanel)(scenario, evidence, more);
  const panel = h('div', { class: 'panel' });
  const inner = build();
  append(panel, [inner].flat());
  const content = [...head, tabs(scenario, evidence, known), panel];
  content.after = () => {
    inner.after?.();
    if (tab === 'finding') document.getElementById(more.join('/'))?.scrollIntoView();
  };
  content.place = inner.place;
  return content;
}

function crumbs(scenario, tab) {
  return h(
    'nav',
    { class: 'crumbs', aria: { label: 'Where this is' } },
    h('a', { href: '#' }, 'Overview'),
    '›',
    h('a', { href: '#scenarios' }, 'Scenarios'),
    '›',
    tab === 't'
      ? [
          h('a', { href: `#${address('s', scenario.key)}` }, scenario.name),
          '›',
          h('a', { href: `#${address('s', scenario.key, 'traces')}` }, 'Traces'),
        ]
      : h('span', null, scenario.name),
  );
}

function heading(scenario) {
  const phases = Object.entries(scenario.seconds).map(([phase, spent]) => `${phase} ${seconds(spent)}`);
  return h(
    'header',
    null,
    h(
      'div',
      { class: 'title' },
      badge(scenario.verdict),
      h('h1', null, scenario.name),
      h('span', { class: 'family' }, scenario.family),
    ),
    h(
      'div',
      { class: 'about' },
      h('span', null, scenario.headline),
      phases.length ? h('span', null, `${seconds(took(scenario))}: ${phases.sort(byPhase).join(', ')}`) : null,
      scenario.written_at && h('span', null, 'written at ', h('code', null, scenario.written_at)),
      scenario.rerun && h('span', null, 'again ', command(scenario.rerun)),
    ),
  );
}

const PHASES = ['start', 'drive', 'barrier', 'judge', 'run'];
const byPhase = (a, b) => PHASES.indexOf(a.split(' ')[0]) - PHASES.indexOf(b.split(' ')[0]);

function tabs(scenario, evidence, current) {
  const links = TABS.map(([word, label, count]) => {
    const size = count(evidence, scenario);
    if (!size && word !== current) return null;
    const path = word === 'story' ? address('s', scenario.key) : address('s', scenario.key, word);
    return h(
      'a',
      { href: `#${path}`, aria: word === current ? { current: 'page' } : {} },
      label,
      size === true ? null : h('small', null, number(size)),
    );
  });
  return h('nav', { class: 'tabs', aria: { label: 'Evidence' } }, links);
}

function skippedPanel(scenario) {
  return h(
    'div',
    { class: 'panel' },
    scenario.skipped && h('p', { class: 'reason is-skipped' }, icon('skipped'), ' Skipped: ', prose(scenario.skipped)),
    scenario.error && h('p', { class: 'reason is-error' }, icon('error'), ' ', prose(scenario.error)),
    h('p', { class: 'empty' }, 'There is no evidence: it was not run.'),
  );
}

function storyPanel(scenario, evidence) {
  const loud = scenario.findings.filter((finding) => finding.severity !== 'note');
  const notes = scenario.findings.filter((finding) => finding.severity === 'note');
  return [
    scenario.error && h('p', { class: 'reason is-error' }, icon('error'), ' ', prose(scenario.error)),
    scenario.incomplete.map((reason) => h('p', { class: 'reason is-incomplete' }, icon('incomplete'), ' ', prose(reason))),
    loud.length
      ? section(
          'Findings',
          h(
            'div',
            { class: 'group' },
            loud.map((finding) => findingCard(scenario, finding)),
          ),
        )
      : null,
    section('What happened', timeLine(scenario, evidence)),
    h('div', { class: 'two' }, barrierSection(scenario), processSection(scenario, evidence)),
    evidence.times.orders.length ? ordersSection(evidence) : null,
    eventsSection(scenario, evidence),
    notInThePage(evidence),
    notes.length
      ? section(
          'Notes',
          h(
            'ul',
            null,
            notes.map((note) =>
              h(
                'li',
                null,
                h('a', { class: 'rule', href: `#${address('r', note.rule)}` }, note.rule),
                ' ',
                prose(`${note.subject}: ${note.seen}`),
              ),
            ),
          ),
        )
      : null,
  ];
}

/** What did not fit into the page, and how to see it. */
function notInThePage(evidence) {
  const left = Object.entries(evidence.leftOut);
  return left.length
    ? h(
        'p',
        { class: 'left-out' },
        `Not in this page: ${left.map(([what, count]) => `${number(count)} ${what}`).join(', ')}. The saved evidence has them all: `,
        h('code', null, 'probity tree'),
        ' draws it, ',
        h('code', null, 'probity export'),
        ' writes it as OTLP JSON.',
      )
    : null;
}

function barrierSection(scenario) {
  const { kind, steps } = scenario.barrier;
  const kinds = {
    absent: 'There was no barrier: nothing proves that this is all.',
    quiet: 'It ended with a quiet period: what did not arrive may still have been on its way.',
    stated: 'The reader says that it is complete.',
  };
  return section(
    'How completeness is proven',
    h(
      'div',
      { class: 'card' },
      kinds[kind] && h('p', { class: 'quiet' }, kinds[kind]),
      h(
        'ol',
        { class: 'steps', tabindex: '0' },
        steps.map((step) =>
          h(
            'li',
            { class: step.closed ? 'is-pass' : 'is-incomplete' },
            icon(step.closed ? 'pass' : 'incomplete'),
            h(
              'span',
              null,
              step.name,
              ' ',
              h('span', { class: 'status' }, `${step.closed ? 'closed' : 'open'}: ${step.status}`),
            ),
            h('span', { class: 'quiet number' }, `${number(step.took_ms)} ms`),
          ),
        ),
      ),
    ),
  );
}

function processSection(scenario, evidence) {
  const words = {
    exit: 'drained',
    marker: 'fenced by a marker request',
    quiet: 'quiet, which proves no absence',
    open: 'open',
  };
  return section(
    'Processes',
    h(
      'div',
      { class: 'card' },
      h('p', { class: 'quiet' }, 'Of a process that was drained or fenced, what did not arrive was not sent.'),
      h(
        'ol',
        { class: 'steps', tabindex: '0' },
        evidence.times.processes.map((process) => {
          const [fence, , why] = process.fence;
          const proves = fence === 'exit' || fence === 'marker';
          return h(
            'li',
            { class: proves ? 'is-pass' : 'is-incomplete' },
            icon(proves ? 'pass' : 'incomplete'),
            h(
              'span',
              null,
              h('strong', null, process.id),
              ' ',
              h('span', { class: 'status' }, why ? `fence open: ${why}` : words[fence]),
            ),
            h(
              'span',
              { class: 'quiet number' },
              process.ready === null ? 'never ready' : `ready after ${duration(process.ready - process.started)}`,
            ),
          );
        }),
      ),
      scenario.topics.map((topic) =>
        h(
          'p',
          { class: 'quiet' },
          `${topic.topic}: ${number(topic.produced)} produced, ${number(topic.committed)} committed by ${topic.group}`,
        ),
      ),
    ),
  );
}

function ordersSection(evidence) {
  return section(
    'Start orders',
    h(
      'div',
      { class: 'card' },
      table(
        ['', 'order', 'late', 'took', 'missing'],
        evidence.times.orders.map((order) => [
          badge(order.healthy ? 'pass' : 'fail'),
          order.order.join(', '),
          order.late.join(', '),
          `${number(order.took_ms)} ms`,
          [...order.missing, ...order.exited].join('; '),
        ]),
      ),
    ),
  );
}
