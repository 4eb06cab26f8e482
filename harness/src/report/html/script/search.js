// One search over scenarios, rules, findings, span names, and ids.
const FOUND_MAX = 40;

function searchBox() {
  const results = h('ul', { class: 'results', role: 'listbox', id: 'results', hidden: true, aria: { label: 'Results' } });
  const input = h('input', {
    type: 'search',
    id: 'search',
    placeholder: 'search',
    autocomplete: 'off',
    spellcheck: 'false',
    role: 'combobox',
    aria: {
      label: 'Search scenarios, rules, findings, spans and ids',
      controls: 'results',
      expanded: 'false',
      autocomplete: 'list',
    },
  });
  const state = { found: [], current: 0, turn: 0 };
  const close = () => {
    results.hidden = true;
    input.setAttribute('aria-expanded', 'false');
  };
  const draw = () => {
    results.replaceChildren(
      ...state.found.map((entry, place) =>
        h(
          'li',
          {
            role: 'option',
            id: `result-${place}`,
            aria: { selected: place === state.current },
            on: {
              mousedown: (event) => {
                event.preventDefault();
                pick(place);
              },
            },
          },
          h('span', { class: 'quiet' }, entry.kind),
          h('span', null, entry.text, entry.more ? h('div', { class: 'quiet' }, entry.more) : null),
        ),
      ),
    );
    if (!state.found.length) results.append(h('li', null, h('span'), 'nothing found'));
    results.hidden = false;
    input.setAttribute('aria-expanded', 'true');
    input.setAttribute('aria-activedescendant', `result-${state.current}`);
    results.children[state.current]?.scrollIntoView({ block: 'nearest' });
  };
  const pick = (place) => {
    const entry = state.found[place];
    if (!entry) return;
    close();
    input.blur();
    go(entry.hash);
  };
  input.addEventListener('input', async () => {
    const turn = (state.turn += 1);
    const text = input.value.trim();
    if (!text) return close();
    const found = await search(text);
    if (turn !== state.turn) return;
    Object.assign(state, { found, current: 0 });
    draw();
  });
  input.addEventListener('keydown', (event) => {
    const move = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (move && state.found.length) {
      state.current = (state.current + move + state.found.length) % state.found.length;
      draw();
      event.preventDefault();
    } else if (event.key === 'Enter') pick(state.current);
    else if (event.key === 'Escape') {
      close();
      input.blur();
      event.stopPropagation();
    }
  });
  input.addEventListener('blur', close);
  return h('div', { class: 'search' }, input, h('kbd', { aria: { hidden: 'true' } }, '/'), results);
}

async function search(text) {
  const words = text.toLowerCase().split(/\s+/);
  const fits = (...texts) => {
    const all = texts.join(' ').toLowerCase();
    return words.every((word) => all.includes(word));
  };
  const found = [];
  for (const scenario of scenarios)
    if (fits(scenario.name, scenario.family, scenario.verdict))
      found.push({
        kind: 'scenario',
        text: scenario.name,
        more: `${scenario.verdict}, ${scenario.headline}`,
        hash: address('s', scenario.key),
      });
  for (const rule of index.rules)
    if (fits(rule.id, rule.requirement))
      found.push({ kind: 'rule', text: rule.id, more: rule.requirement, hash: address('r', rule.id) });
  for (const scenario of scenarios)
    for (const finding of scenario.findings)
      if (fits(finding.rule, finding.subject, finding.seen))
        found.push({
          kind: finding.severity === 'note' ? 'note' : 'finding',
          text: `${finding.rule} ${finding.subject}`,
          more: shorten(finding.seen, 120),
          hash: finding.id,
        });
  if (found.length < FOUND_MAX) await searchSpans(words, fits, found);
  return found.slice(0, FOUND_MAX);
}

async function searchSpans(words, fits, found) {
  for (const scenario of scenarios) {
    for (const [service, name] of scenario.names) {
      if (found.length >= FOUND_MAX) return;
      if (fits(service, name))
        found.push({
          kind: 'span',
          text: `${service} ${name}`,
          more: scenario.name,
          hash: await firstSpan(scenario, service, name),
        });
    }
  }
  // An id: the evidence has to be unpacked to find it.
  if (words.length !== 1 || !/^[0-9a-f]{8,32}$/.test(words[0])) return;
  for (const scenario of scenarios) {
    const evidence = await evidenceOf(scenario);
    if (!evidence || found.length >= FOUND_MAX) continue;
    for (const trace of evidence.spans.traces)
      if (trace.startsWith(words[0]))
        found.push({ kind: 'trace', text: trace, more: scenario.name, hash: address('s', scenario.key, 't', trace) });
    for (let at = evidence.spans.ids.indexOf(words[0]); at >= 0; at = evidence.spans.ids.indexOf(words[0], at + 1)) {
      if (at % 16 === 0) {
        const row = at / 16;
        found.push({
          kind: 'span',
          text: `${evidence.service(row)} ${evidence.name(row)}`,
          more: scenario.name,
          hash: address('s', scenario.key, 't', evidence.trace(row), 'span', evidence.id(row)),
        });
        break;
      }
    }
  }
}

/** Where a span name leads: to the first span of that name, once its evidence was looked at; else to the list of traces. */
async function firstSpan(scenario, service, name) {
  if (!loaded.has(scenario.key)) return address('s', scenario.key, 'traces');
  const evidence = await evidenceOf(scenario);
  for (let row = 0; row < evidence.count; row += 1) {
    if (evidence.name(row) === name && evidence.service(row) === service)
      return address('s', scenario.key, 't', evidence.trace(row), 'span', evidence.id(row));
  }
  return address('s', scenario.key, 'traces');
}
