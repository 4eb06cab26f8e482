// Finding cards in the script's views: the same as those of the first screen, which are written without a script.
/** The command that draws the trace of a finding in a terminal; `null` where the evidence was not kept. */
function treeCommand(scenario, finding) {
  if (!own.evidence || !finding.spans.length) return null;
  const only = scenarios.length > 1 ? ` --scenario ${scenario.name}` : '';
  return `probity tree ${own.evidence}${only} --trace ${finding.spans[0][0].slice(0, 8)}`;
}

const LOOKS = {
  MSG: ['records'],
  METRIC: ['metrics'],
  SCRAPE: ['targets'],
  LOG: ['logs'],
  PRIVATE: ['logs'],
  EXPECT: ['traces'],
};
/** Where the evidence of a finding can be looked at. Must say the same as `look` in `findings.rs`. */
function look(finding) {
  if (finding.spans.length) return [['t', finding.spans[0][0], 'span', finding.spans[0][1]], 'open in its trace'];
  const tab = LOOKS[finding.rule.split('-')[0]];
  return tab ? [tab, `look at the ${tab[0]}`] : [[], 'see what happened'];
}

function findingCard(scenario, finding) {
  const requirement = index.rules[ruleNumber.get(finding.rule)]?.requirement || '';
  const [way, words] = look(finding);
  const tree = treeCommand(scenario, finding);
  const rows = [
    finding.known && ['known', `${finding.known}: shown, not counted`],
    finding.expired && ['was known', `${finding.expired}: it counts again`],
    ['where', finding.subject],
    finding.at && ['at', `\`${finding.at}\``],
    ['required', finding.required],
    ['seen', finding.seen],
    ...finding.candidates.map((candidate, at) => [at ? '' : 'nearest', candidate]),
    ['fix', finding.fix],
  ].filter(Boolean);
  return h(
    'article',
    {
      class: `finding is-${finding.severity}${finding.known ? ' is-known' : ''}`,
      id: finding.id,
      data: { item: '' },
      tabindex: '-1',
    },
    h(
      'header',
      null,
      severityBadge(finding.severity),
      h('a', { class: 'rule', href: `#${address('r', finding.rule)}` }, finding.rule),
      h('h4', null, prose(requirement)),
    ),
    h(
      'div',
      { class: 'body' },
      h(
        'dl',
        null,
        rows.map(([term, text]) => h('div', null, h('dt', null, term), h('dd', null, prose(text)))),
      ),
      finding.tree && h('figure', null, h('figcaption', null, 'the place, and what was expected'), drawing(finding.tree)),
    ),
    h(
      'footer',
      null,
      scenario.rerun && h('span', { class: 'again' }, 'again ', command(scenario.rerun)),
      tree && h('span', { class: 'again' }, 'evidence ', command(tree)),
      h('a', { href: `#${address('s', scenario.key, ...way)}` }, words),
      h('a', { href: `#${finding.id}` }, 'link to this finding'),
    ),
  );
}

/** A drawing in outline notation: marked lines stand out. */
function drawing(text) {
  const classes = { '-': 'wanted', '+': 'arrived' };
  const lines = text.split('\n');
  return h(
    'pre',
    { class: 'tree' },
    lines.map((line, at) => [h('span', { class: classes[line[0]] || null }, line), at < lines.length - 1 ? '\n' : '']),
  );
}
