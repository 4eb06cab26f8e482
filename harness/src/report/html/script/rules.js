// Rules against scenarios, and each rule with its page.
const OUTCOMES = ['fail', 'incomplete', 'pass', 'not judged'];

function rulesView() {
  document.title = title('rules');
  const run = scenarios.filter((scenario) => scenario.rules.length);
  const worst = (id) => Math.min(...run.map((scenario) => OUTCOMES.indexOf(outcome(scenario, id).word)), 3);
  const head = h(
    'tr',
    null,
    h('th', { scope: 'col' }, 'rule'),
    run.map((scenario) =>
      h('th', { scope: 'col' }, h('a', { href: `#${address('s', scenario.key)}`, title: scenario.name }, scenario.name)),
    ),
  );
  const rows = index.rules.map((rule) =>
    h(
      'tr',
      { data: { item: '' } },
      h(
        'th',
        { scope: 'row' },
        h('a', { class: `rule is-${slug(OUTCOMES[worst(rule.id)])}`, href: `#${address('r', rule.id)}` }, rule.id),
        ' ',
        h('span', { class: 'requirement', title: rule.requirement }, shorten(rule.requirement, 46)),
      ),
      run.map((scenario) => {
        const { word } = outcome(scenario, rule.id);
        const label = `${rule.id} in ${scenario.name}: ${word}`;
        return h(
          'td',
          { class: `is-${slug(word)}` },
          h('a', { href: `#${address('s', scenario.key, 'rules')}`, title: label, aria: { label } }, icon(slug(word))),
        );
      }),
    ),
  );
  return [
    h(
      'header',
      null,
      h('h1', null, 'Rules'),
      h(
        'p',
        { class: 'about' },
        OUTCOMES.map((word) => badge(word)),
      ),
    ),
    h('div', { class: 'card matrix' }, h('table', null, h('thead', null, head), h('tbody', null, rows))),
  ];
}

const shorten = (text, length) => (text.length > length ? `${text.slice(0, length - 1)}…` : text);

async function ruleView(id) {
  document.title = title(id);
  const judged = scenarios
    .map((scenario) => ({ scenario, ...outcome(scenario, id) }))
    .filter((entry) => entry.word !== 'not judged' || entry.why);
  judged.sort((a, b) => OUTCOMES.indexOf(a.word) - OUTCOMES.indexOf(b.word));
  const all = scenarios.flatMap((scenario) =>
    scenario.findings.filter((finding) => finding.rule === id).map((finding) => [scenario, finding]),
  );
  const findings = all.filter(([, finding]) => finding.severity !== 'note');
  const notes = all.filter(([, finding]) => finding.severity === 'note');
  return [
    h(
      'nav',
      { class: 'crumbs', aria: { label: 'Where this is' } },
      h('a', { href: '#' }, 'Overview'),
      '›',
      h('a', { href: '#rules' }, 'Rules'),
      '›',
      h('span', null, id),
    ),
    h(
      'header',
      null,
      h('div', { class: 'title' }, h('h1', null, id), judged.length ? badge(judged[0].word) : badge('not judged')),
      h('p', { class: 'about' }, index.rules[ruleNumber.get(id)].requirement),
    ),
    findings.length
      ? section(
          'Findings',
          h(
            'div',
            { class: 'group' },
            findings
              .slice(0, 50)
              .map(([scenario, finding]) => [
                h('p', null, h('a', { href: `#${address('s', scenario.key)}` }, scenario.name)),
                findingCard(scenario, finding),
              ]),
          ),
        )
      : null,
    h('article', { class: 'card' }, markdown(await pageOf(id))),
    section(
      'Where it was judged',
      judged.length
        ? h(
            'div',
            { class: 'card' },
            table(
              ['', 'scenario', 'subjects', ''],
              judged.map(({ scenario, word, subjects, gaps, why }) => [
                badge(word),
                h('a', { href: `#${address('s', scenario.key)}` }, scenario.name),
                number(subjects),
                [why, ...gaps.slice(0, 5).map(([subject, reason]) => `${subject}: ${reason}`)].filter(Boolean).join('; '),
              ]),
            ),
          )
        : h('p', { class: 'empty' }, 'No scenario of this run had a subject for it.'),
    ),
    notes.length
      ? section(
          'Notes',
          h(
            'ul',
            null,
            notes
              .slice(0, 50)
              .map(([scenario, note]) =>
                h(
                  'li',
                  null,
                  h('a', { href: `#${address('s', scenario.key)}` }, scenario.name),
                  ' ',
                  prose(`${note.subject}: ${note.seen}`),
                ),
              ),
          ),
        )
      : null,
  ];
}

function scenarioRulesPanel(scenario) {
  const rows = scenario.rules.map(([word, subjects, gaps, why, omitted, id]) => ({
    word,
    subjects,
    gaps,
    why,
    omitted,
    id,
  }));
  rows.sort((a, b) => OUTCOMES.indexOf(a.word) - OUTCOMES.indexOf(b.word));
  return [
    section(
      null,
      h(
        'div',
        { class: 'card' },
        table(
          ['', 'rule', 'requirement', 'subjects', ''],
          rows.map((rule) => [
            badge(rule.word),
            h('a', { class: 'rule', href: `#${address('r', rule.id)}` }, rule.id),
            index.rules[ruleNumber.get(rule.id)]?.requirement ?? '',
            number(rule.subjects),
            [
              rule.why,
              ...rule.gaps.slice(0, 10).map(([subject, reason]) => `${subject}: ${reason}`),
              rule.omitted ? `${number(rule.omitted)} not listed` : '',
            ]
              .filter(Boolean)
              .join('; '),
          ]),
        ),
      ),
    ),
  ];
}
