// The first screen is there already: times are filled in, commands can be copied, scenarios can be filtered.
const filters = { verdict: '', family: '', service: '', rule: '', text: '' };

function prepareOverview() {
  document.querySelectorAll('#overview .case').forEach((row) => {
    const scenario = scenarios[Number(row.dataset.number)];
    const spent = took(scenario);
    row.querySelector('.took').textContent = spent ? seconds(spent) : '';
    row.dataset.item = '';
  });
  if (own.seconds)
    document
      .getElementById('wall')
      .append(
        h('dt', null, 'took'),
        h(
          'dd',
          null,
          h('strong', null, seconds(own.seconds)),
          ' ',
          h(
            'span',
            null,
            own.backends.length
              ? `on ${[...groupedBy(own.backends, (backend) => backend.provider)].map(([provider, of]) => `${provider} ${of.map((backend) => backend.name).join(', ')}`).join('; ')}`
              : '',
          ),
        ),
      );
  document.querySelectorAll('#overview code.command').forEach((code) => code.after(copyButton(code.textContent)));
  const findings = new Map(
    scenarios.flatMap((scenario) => scenario.findings.map((finding) => [finding.id, [scenario, finding]])),
  );
  document.querySelectorAll('#overview .finding').forEach((card) => {
    const tree = findings.has(card.id) ? treeCommand(...findings.get(card.id)) : null;
    if (tree) card.querySelector('footer a').before(h('span', { class: 'again' }, 'evidence ', command(tree)));
    card.dataset.item = '';
    card.tabIndex = -1;
  });
  document.getElementById('filters').append(filterBar());
}

function filterBar() {
  const bar = h('div', { class: 'filters', role: 'group', aria: { label: 'Filter scenarios' } });
  const words = ['fail', 'error', 'incomplete', 'pass', 'skipped'].filter((word) =>
    scenarios.some((scenario) => scenario.verdict === word),
  );
  if (words.length > 1) {
    for (const word of words) {
      const count = scenarios.filter((scenario) => scenario.verdict === word).length;
      bar.append(
        h(
          'button',
          {
            type: 'button',
            class: `is-${word}`,
            data: { verdict: word },
            aria: { pressed: 'false' },
            on: { click: () => narrow('verdict', filters.verdict === word ? '' : word) },
          },
          icon(word),
          `${word} ${count}`,
        ),
      );
    }
  }
  const choices = {
    family: [...new Set(scenarios.map((scenario) => scenario.family).filter(Boolean))].sort(),
    service: services,
    rule: index.rules
      .map((rule) => rule.id)
      .filter((id) => scenarios.some((scenario) => ['fail', 'incomplete'].includes(outcome(scenario, id).word))),
  };
  const hints = { family: 'any family', service: 'any service', rule: 'any red rule' };
  for (const [name, values] of Object.entries(choices)) {
    if ((values.length < 2 && name !== 'rule') || !values.length) continue;
    bar.append(
      h(
        'select',
        { name, aria: { label: hints[name] }, on: { change: (event) => narrow(name, event.target.value) } },
        h('option', { value: '' }, hints[name]),
        values.map((value) => h('option', { value }, value)),
      ),
    );
  }
  if (scenarios.length > 5) {
    bar.append(
      h('input', {
        type: 'search',
        name: 'text',
        placeholder: 'part of a name',
        aria: { label: 'Part of a scenario name' },
        on: { input: (event) => narrow('text', event.target.value) },
      }),
    );
  }
  bar.append(h('span', { class: 'quiet', id: 'filtered', role: 'status' }));
  return bar;
}

function narrow(name, value) {
  filters[name] = value;
  const query = new URLSearchParams(Object.entries(filters).filter(([, text]) => text));
  rewrite(`scenarios${query.size ? `?${query}` : ''}`);
  applyFilters();
}

function applyFilters() {
  let count = 0;
  document.querySelectorAll('#overview .case').forEach((row) => {
    const scenario = scenarios[Number(row.dataset.number)];
    const fits =
      (!filters.verdict || scenario.verdict === filters.verdict) &&
      (!filters.family || scenario.family === filters.family) &&
      (!filters.service || scenario.services.includes(filters.service)) &&
      (!filters.rule || ['fail', 'incomplete'].includes(outcome(scenario, filters.rule).word)) &&
      (!filters.text || scenario.name.toLowerCase().includes(filters.text.toLowerCase()));
    row.hidden = !fits;
    count += fits ? 1 : 0;
  });
  document
    .querySelectorAll('#filters button[data-verdict]')
    .forEach((button) => button.setAttribute('aria-pressed', button.dataset.verdict === filters.verdict));
  document.querySelectorAll('#filters [name]').forEach((field) => {
    if (field.value !== filters[field.name]) field.value = filters[field.name];
  });
  const status = document.getElementById('filtered');
  if (status) status.textContent = count === scenarios.length ? '' : `${count} of ${counted(scenarios.length, 'scenario')}`;
}

/** `#scenarios?verdict=fail`: the list, narrowed as the address says. */
function showScenarios(query) {
  for (const name of Object.keys(filters)) filters[name] = query.get(name) || '';
  applyFilters();
  document.getElementById('scenarios').scrollIntoView({ block: 'start' });
}
