// Records between the span that created them and the spans that consumed them.
const RECORDS_SHOWN = 200;

function recordsPanel(scenario, evidence) {
  const { records } = evidence;
  const words = (record) =>
    [
      evidence.text(record.topic),
      `[${record.partition}]`,
      `offset ${record.offset}`,
      record.key === null ? '' : evidence.text(record.key),
      ...record.headers.flat().map((at) => evidence.text(at)),
    ]
      .join(' ')
      .toLowerCase();
  const list = h('div');
  const draw = (text) => {
    const found = text ? records.filter((record) => words(record).includes(text)) : records;
    list.replaceChildren(...found.slice(0, RECORDS_SHOWN).map((record) => recordFlow(scenario, evidence, record)));
    if (found.length > RECORDS_SHOWN)
      list.append(
        h(
          'p',
          { class: 'left-out' },
          `${number(found.length - RECORDS_SHOWN)} more: narrow them by topic, offset, key or header.`,
        ),
      );
  };
  draw('');
  const filter =
    records.length > 10
      ? h(
          'div',
          { class: 'filters' },
          h('input', {
            type: 'search',
            placeholder: 'topic, offset, key or header',
            aria: { label: 'Filter records' },
            on: { input: (event) => draw(event.target.value.toLowerCase()) },
          }),
        )
      : null;
  return [
    evidence.offsets.length
      ? section(
          'Consumer groups',
          h(
            'div',
            { class: 'card' },
            table(
              ['group', 'topic', 'partition', 'end', 'committed', ''],
              evidence.offsets.map(([group, topic, partition, end, committed]) => [
                group,
                topic,
                partition,
                number(end),
                committed === null ? 'never' : number(committed),
                (committed ?? 0) >= end
                  ? badge('lag 0', 'pass')
                  : h('span', { class: 'badge is-incomplete' }, icon('incomplete'), `lag ${number(end - (committed ?? 0))}`),
              ]),
            ),
          ),
        )
      : null,
    section(
      counted(records.length, 'record'),
      filter,
      list,
      leftOut(evidence, 'records', 'All are in records.json of the evidence.'),
    ),
  ];
}

function recordFlow(scenario, evidence, record) {
  const headers = record.headers.map(([name, value]) => [
    h('dt', null, evidence.text(name)),
    h('dd', null, evidence.text(value)),
  ]);
  return h(
    'article',
    { class: 'flow' },
    h(
      'div',
      null,
      h('p', { class: 'quiet' }, 'created by'),
      record.creator !== null
        ? spanLink(scenario, evidence, record.creator)
        : h(
            'p',
            { class: 'missing' },
            record.context
              ? 'the span that traceparent names was not captured'
              : 'no valid traceparent in the headers: nothing says who created it',
          ),
    ),
    h(
      'div',
      { class: 'record' },
      h('strong', null, `${evidence.text(record.topic)}[${record.partition}] offset ${record.offset}`),
      record.key !== null ? h('p', { class: 'quiet' }, 'key ', h('code', null, evidence.text(record.key))) : null,
      headers.length ? h('dl', { class: 'headers' }, headers) : h('p', { class: 'missing' }, 'no headers'),
      h('details', null, h('summary', { class: 'quiet' }, 'value'), h('pre', null, evidence.text(record.value))),
    ),
    h(
      'div',
      null,
      h('p', { class: 'quiet' }, 'consumed by'),
      record.consumers.length
        ? record.consumers.map(([row, how]) =>
            h(
              'p',
              { class: how.startsWith('not') ? 'missing' : null },
              spanLink(scenario, evidence, row),
              ' ',
              h('span', { class: 'quiet' }, how),
            ),
          )
        : h('p', { class: 'missing' }, 'no span of a consumer'),
    ),
  );
}
