// Finding cards in the script's views: the same as those of the first screen, which are written without a script.
function findingCard(scenario, finding) {
  const requirement = index.rules[ruleNumber.get(finding.rule)]?.requirement || '';
  const place = finding.spans[0];
  const rows = [
    finding.known && ['known', `${finding.known}: shown, not counted`],
    ['where', finding.subject], ['required', finding.required], ['seen', finding.seen],
    ...finding.candidates.map((candidate, at) => [at ? '' : 'nearest', candidate]), ['fix', finding.fix],
  ].filter(Boolean);
  return h('article', { class: `finding is-${finding.severity}${finding.known ? ' is-known' : ''}`, id: finding.id, data: { item: '' }, tabindex: '-1' },
    h('header', null, severityBadge(finding.severity), h('a', { class: 'rule', href: `#${address('r', finding.rule)}` }, finding.rule), h('h4', null, prose(requirement))),
    h('div', { class: 'body' },
      h('dl', null, rows.map(([term, text]) => h('div', null, h('dt', null, term), h('dd', null, prose(text))))),
      finding.tree && h('figure', null, h('figcaption', null, 'the place, and what was expected'), drawing(finding.tree))),
    h('footer', null,
      scenario.rerun && h('span', { class: 'again' }, 'again ', command(scenario.rerun)),
      place && h('a', { href: `#${address('s', scenario.key, 't', place[0], 'span', place[1])}` }, 'open in its trace'),
      h('a', { href: `#${finding.id}` }, 'link to this finding')));
}

/** A drawing in outline notation: marked lines stand out. */
function drawing(text) {
  const classes = { '-': 'wanted', '+': 'arrived' };
  const lines = text.split('\n');
  return h('pre', { class: 'tree' }, lines.map((line, at) => [h('span', { class: classes[line[0]] || null }, line), at < lines.length - 1 ? '\n' : '']));
}
