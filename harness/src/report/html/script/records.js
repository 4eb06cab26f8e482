// Records between the span that created them and the spans that consumed them.
const RECORDS_SHOWN = 200;

function recordsPanel(scenario, evidence) {
  const { records } = evidence;
  const shown = records.slice(0, RECORDS_SHOWN);
  return [
    evidence.offsets.length ? section('Consumer groups', h('div', { class: 'card' }, table(['group', 'topic', 'partition', 'end', 'committed', ''], evidence.offsets.map(([group, topic, partition, end, committed]) => [
      group, topic, partition, number(end), committed === null ? 'never' : number(committed), (committed ?? 0) >= end ? badge('lag 0', 'pass') : h('span', { class: 'badge is-incomplete' }, icon('incomplete'), `lag ${number(end - (committed ?? 0))}`)])))) : null,
    section(counted(records.length, 'record'), shown.map((record) => recordFlow(scenario, evidence, record)),
      records.length > RECORDS_SHOWN ? h('p', { class: 'left-out' }, `${number(records.length - RECORDS_SHOWN)} more are in records.json of the evidence.`) : null, leftOut(evidence, 'records', 'All are in records.json of the evidence.')),
  ];
}

function recordFlow(scenario, evidence, record) {
  const headers = record.headers.map(([name, value]) => [h('dt', null, evidence.text(name)), h('dd', null, evidence.text(value))]);
  return h('article', { class: 'flow' },
    h('div', null, h('p', { class: 'quiet' }, 'created by'),
      record.creator !== null ? spanLink(scenario, evidence, record.creator)
        : h('p', { class: 'missing' }, record.context ? 'the span that traceparent names was not captured' : 'no valid traceparent in the headers: nothing says who created it')),
    h('div', { class: 'record' }, h('strong', null, `${evidence.text(record.topic)}[${record.partition}] offset ${record.offset}`),
      record.key !== null ? h('p', { class: 'quiet' }, 'key ', h('code', null, evidence.text(record.key))) : null,
      headers.length ? h('dl', { class: 'headers' }, headers) : h('p', { class: 'missing' }, 'no headers'),
      h('details', null, h('summary', { class: 'quiet' }, 'value'), h('pre', null, evidence.text(record.value)))),
    h('div', null, h('p', { class: 'quiet' }, 'consumed by'),
      record.consumers.length ? record.consumers.map(([row, how]) => h('p', { class: how.startsWith('not') ? 'missing' : null }, spanLink(scenario, evidence, row), ' ', h('span', { class: 'quiet' }, how)))
        : h('p', { class: 'missing' }, 'no span of a consumer')));
}
