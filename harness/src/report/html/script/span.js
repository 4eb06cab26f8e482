// Everything that is known of one span.
function spanLink(scenario, evidence, row) {
  return h(
    'a',
    { class: 'span-link', href: `#${address('s', scenario.key, 't', evidence.trace(row), 'span', evidence.id(row))}` },
    h('i', { class: 'swatch', style: { '--swatch': swatch(evidence.service(row)) } }),
    h('span', null, `${evidence.service(row)} ${evidence.kind(row)} ${evidence.name(row)}`),
  );
}

function pairList(pairs) {
  return h(
    'dl',
    { class: 'pairs' },
    pairs.map(([key, value]) => [
      h('dt', null, key),
      h('dd', { class: typeof value === 'string' ? null : 'typed' }, value === '' ? '""' : value),
    ]),
  );
}

function spanDetails(scenario, evidence, row, close) {
  const status = { '-': 'unset', o: 'ok', '!': 'error' }[evidence.spans.status[row]];
  const message = evidence.messageOf.get(row);
  const [process, resource, schema] = evidence.spans.resources[evidence.spans.resource[row]];
  const spent = evidence.spans.took[row];
  const part = (name, content) => (content && content.length !== 0 ? [h('h3', null, name), content] : null);
  const links = (evidence.linksOf.get(row) || []).map(([target, set, trace, span]) =>
    h(
      'li',
      null,
      target !== null ? spanLink(scenario, evidence, target) : `not captured: ${trace} ${span}`,
      evidence.pairs(set).length ? pairList(evidence.pairs(set)) : null,
    ),
  );
  const linkers = evidence
    .linkedFrom(row)
    .slice(0, 50)
    .map((from) => h('li', null, spanLink(scenario, evidence, from)));
  const events = (evidence.eventsOf.get(row) || []).map(([name, set]) =>
    h('li', null, h('strong', null, evidence.text(name) || '(no name)'), pairList(evidence.pairs(set))),
  );
  const findings = (evidence.findingsAt.get(row) || []).map((finding) =>
    h(
      'div',
      { class: `here is-${finding.severity === 'error' ? 'fail' : finding.severity}` },
      h('div', null, severityBadge(finding.severity), ' ', h('a', { class: 'rule', href: `#${finding.id}` }, finding.rule)),
      h('p', null, prose(finding.seen)),
      h('p', { class: 'quiet' }, 'required: ', prose(finding.required)),
      finding.tree ? drawing(finding.tree) : null,
    ),
  );
  const expected = (evidence.placedAt.get(row) || []).map(([rule, subject, , what]) =>
    h(
      'div',
      { class: 'here is-fail' },
      h(
        'div',
        null,
        icon('fail'),
        ' ',
        h('a', { class: 'rule', href: `#${address('r', rule)}` }, rule),
        ' expected under this span:',
      ),
      h('code', null, what),
      h('p', { class: 'quiet' }, prose(subject)),
    ),
  );
  return h(
    'aside',
    { class: 'details card', aria: { label: 'Span' } },
    h(
      'header',
      null,
      h(
        'div',
        { class: 'title' },
        h('span', { class: 'family' }, evidence.kind(row)),
        status === 'error' ? badge('status error', 'fail') : h('span', { class: 'quiet' }, `status ${status}`),
        h('button', { class: 'close', type: 'button', on: { click: close } }, 'close'),
      ),
      h('h2', null, evidence.name(row)),
      h(
        'span',
        { class: 'quiet' },
        `${evidence.service(row)}${process && process !== evidence.service(row) ? `, process ${process}` : ''}`,
      ),
      h(
        'span',
        null,
        `${duration(spent)}${spent < 0 ? ': it ends before it starts' : ''}, at +${duration(evidence.start(row))}`,
      ),
      message ? h('p', { class: 'reason is-fail' }, evidence.text(message)) : null,
    ),
    findings,
    expected,
    part(
      'attributes',
      evidence.pairs(evidence.spans.attributes[row]).length
        ? pairList(evidence.pairs(evidence.spans.attributes[row]))
        : null,
    ),
    part('events', events.length ? h('ul', null, events) : null),
    part('links', links.length ? h('ul', null, links) : null),
    part('linked from', linkers.length ? h('ul', null, linkers) : null),
    part(
      'records',
      evidence
        .recordsOf(row)
        .slice(0, 20)
        .map((record) =>
          h(
            'p',
            null,
            h(
              'a',
              { href: `#${address('s', scenario.key, 'records')}` },
              `${evidence.text(record.topic)}[${record.partition}] offset ${record.offset}`,
            ),
            record.creator === row ? ': created here' : ': consumed here',
          ),
        ),
    ),
    part(
      'logs',
      evidence
        .logsOf(row)
        .slice(0, 50)
        .map((log) => h('p', null, h('strong', null, evidence.text(log[2])), ' ', h('code', null, evidence.text(log[3])))),
    ),
    part('resource', pairList(evidence.pairs(resource))),
    part(
      'identity',
      pairList([
        ['trace', evidence.trace(row)],
        ['span', evidence.id(row)],
        ...(evidence.orphanOf.has(row) ? [['parent, not captured', evidence.orphanOf.get(row)]] : []),
        ['scope', evidence.text(evidence.spans.scope[row])],
        ...(schema ? [['schema', evidence.text(schema)]] : []),
      ]),
    ),
    h(
      'p',
      null,
      copyButton(
        `#${address('s', scenario.key, 't', evidence.trace(row), 'span', evidence.id(row))}`,
        'copy the address of this span',
      ),
    ),
  );
}
