// Metrics: families as scraped with the growth of their series, and instruments as sent over OTLP.
function metricsPanel(scenario, evidence) {
  const count = evidence.scrapes.reduce((sum, scrape) => sum + scrape.families.length, 0);
  const narrowed = (event) => {
    const text = event.target.value.toLowerCase();
    view.querySelectorAll('.family-row').forEach((row) => {
      row.hidden = !row.firstChild.textContent.toLowerCase().includes(text);
    });
  };
  return [
    count > 15
      ? h(
          'div',
          { class: 'filters' },
          h('input', {
            type: 'search',
            placeholder: 'part of a name',
            aria: { label: 'Filter metrics' },
            on: { input: narrowed },
          }),
        )
      : null,
    evidence.scrapes.map((scrape) =>
      section(
        `Scraped from ${scrape.process}`,
        h(
          'div',
          { class: 'card' },
          h(
            'p',
            { class: 'quiet' },
            scrape.stages.map(([stage, , status, type, samples, error], at) => [
              at ? ' · ' : '',
              `${stage}: `,
              error ? h('span', { class: 'grew' }, error) : `${number(samples)} samples`,
            ]),
          ),
          scrape.families.length ? familyTable(scenario, evidence, scrape) : null,
        ),
      ),
    ),
    evidence.metrics.length
      ? section(
          'Sent over OTLP',
          h(
            'div',
            { class: 'card' },
            evidence.metrics.map((metric) =>
              h(
                'details',
                { class: 'family-row' },
                h(
                  'summary',
                  null,
                  h('code', null, metric.name),
                  h('span', { class: 'quiet' }, metric.type),
                  h('span', { class: 'quiet' }, metric.process),
                  h('span', { class: 'number' }, counted(metric.series, 'series').replace('seriess', 'series')),
                ),
                h(
                  'div',
                  { class: 'inside' },
                  h(
                    'p',
                    { class: 'quiet' },
                    [metric.help, metric.unit && `unit ${metric.unit}`, counted(metric.points, 'point')]
                      .filter(Boolean)
                      .join(' · '),
                  ),
                  table(
                    ['attributes', 'last'],
                    metric.last.map(([labels, value]) => [h('code', null, evidence.text(labels)), String(value)]),
                  ),
                ),
              ),
            ),
          ),
        )
      : null,
    leftOut(evidence, 'families', 'The whole exposition is in scrapes.json of the evidence.'),
  ];
}

function familyTable(scenario, evidence, scrape) {
  const grew = (family) => growth(family, scrape).by > 0;
  const families = [...scrape.families].sort((a, b) => grew(b) - grew(a));
  return families.map((family) => familyRow(scenario, evidence, scrape, family));
}

/** How many series came while the second half of the ids was driven; without that, since the first scrape. */
function growth(family, scrape) {
  const driven = family.series.filter((count, at) => /^after/.test(scrape.stages[at][0]) && count !== null);
  if (driven.length > 1) return { by: driven.at(-1) - driven[0], from: driven[0], to: driven.at(-1), driven: true };
  return { by: 0, from: null, to: family.series.findLast((count) => count !== null) ?? 0, driven: false };
}

function familyRow(scenario, evidence, scrape, family) {
  const change = growth(family, scrape);
  const counts = family.series.map((count) => count ?? 0);
  const most = Math.max(1, ...counts);
  const points = counts
    .map((count, at) => `${counts.length > 1 ? (at / (counts.length - 1)) * 100 : 0},${20 - (count / most) * 18}`)
    .join(' ');
  const line = svg(
    'svg',
    { viewBox: '0 0 100 20', preserveAspectRatio: 'none', 'aria-hidden': 'true', class: change.by > 0 ? 'is-fail' : '' },
    svg('polyline', { points }),
  );
  const words = change.driven
    ? change.by > 0
      ? h('span', { class: 'grew' }, `${number(change.from)} → ${number(change.to)}, +${number(change.by)}`)
      : `${number(change.to)}, +0`
    : number(change.to);
  return h(
    'details',
    { class: 'family-row', open: change.by > 0 },
    h(
      'summary',
      null,
      h('code', null, family.name),
      h('span', { class: 'quiet' }, family.type),
      h('span', { class: 'growth' }, line, words),
      h('span', { class: 'number quiet' }, counted(family.count, 'sample')),
    ),
    h(
      'div',
      { class: 'inside' },
      h('p', { class: 'quiet' }, [family.help, family.unit && `unit ${family.unit}`].filter(Boolean).join(' · ')),
      table(
        ['scrape', ...scrape.stages.map(([stage]) => stage)],
        [['label sets', ...family.series.map((count) => (count === null ? '–' : number(count)))]],
      ),
      family.labels.length
        ? table(
            ['label', 'values', 'driven', 'such as'],
            family.labels.map(([label, values, first, last, some]) => [
              h('code', null, label),
              number(values),
              first !== null && last !== null && last > first
                ? h('span', { class: 'grew' }, `${number(first)} → ${number(last)}`)
                : '',
              prose(some),
            ]),
          )
        : null,
      table(
        ['sample', 'value', 'exemplar'],
        family.samples.map(([suffix, labels, value, exemplar]) => [
          h('code', null, `${suffix}${evidence.text(labels)}`),
          String(value),
          exemplar ? exemplarCell(scenario, evidence, exemplar) : '',
        ]),
      ),
      family.count > family.samples.length
        ? h('p', { class: 'quiet' }, `and ${counted(family.count - family.samples.length, 'sample')} more`)
        : null,
    ),
  );
}

function exemplarCell(scenario, evidence, [labels, value, row]) {
  return row !== null
    ? h('span', { class: 'exemplar' }, spanLink(scenario, evidence, row), ` ${value}`)
    : h('code', { class: 'exemplar' }, `${evidence.text(labels)} ${value}`);
}
