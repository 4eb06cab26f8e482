// The embedded data. The index is read at once; a scenario's evidence is unpacked when it is first looked at, and kept.
const embedded = (id) => JSON.parse(document.getElementById(id).textContent);
const index = embedded('index');
const own = embedded('own');
const scenarios = index.scenarios;
scenarios.forEach((scenario, place) => {
  scenario.number = place;
  scenario.seconds = own.scenarios[place] || {};
});
const byKey = new Map(scenarios.map((scenario) => [scenario.key, scenario]));
const services = [
  ...new Set(scenarios.flatMap((scenario) => [...scenario.services, ...scenario.names.map(([service]) => service)])),
].sort();
const ruleNumber = new Map(index.rules.map((rule, place) => [rule.id, place]));
const took = (scenario) => Object.values(scenario.seconds).reduce((sum, value) => sum + value, 0);

/** What a rule came to in a scenario: outcome, subjects, gaps, why it was not judged, omitted. */
function outcome(scenario, rule) {
  const found = scenario.rules.find((entry) => entry[5] === rule);
  const [word, subjects, gaps, why, omitted] = found || ['not judged', 0, [], null, 0];
  return { word, subjects, gaps, why, omitted };
}

async function unpack(id) {
  if (typeof DecompressionStream === 'undefined')
    throw new Error('this browser cannot unpack the evidence (it has no DecompressionStream): use one of 2023 or later');
  const text = atob(document.getElementById(id).textContent);
  const bytes = new Uint8Array(text.length);
  for (let at = 0; at < text.length; at += 1) bytes[at] = text.charCodeAt(at);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'));
  return JSON.parse(await new Response(stream).text());
}

const loaded = new Map();
/** The evidence of a scenario; `null` where it has none. */
function evidenceOf(scenario) {
  if (!scenario.has_evidence) return Promise.resolve(null);
  if (!loaded.has(scenario.key)) {
    loaded.set(
      scenario.key,
      unpack(`case-${scenario.number}`).then((data) => new Evidence(scenario, data)),
    );
  }
  return loaded.get(scenario.key);
}

let pages = null;
const pageOf = async (rule) => (await (pages ||= unpack('pages')))[ruleNumber.get(rule)];

const KINDS = { U: 'UNSPECIFIED', I: 'INTERNAL', S: 'SERVER', C: 'CLIENT', P: 'PRODUCER', M: 'CONSUMER' };

/** One scenario's evidence: columns by row, with what joins them. */
class Evidence {
  constructor(scenario, data) {
    Object.assign(this, data);
    this.scenario = scenario;
    this.leftOut = data.left_out;
    this.count = data.spans.depth.length;
    this.first = [0];
    for (const count of data.spans.counts) this.first.push(this.first.at(-1) + count);
    this.traceNumbers = new Map(data.spans.traces.map((trace, place) => [trace, place]));
    this.linksOf = new Map(data.spans.links);
    this.eventsOf = new Map(data.spans.events);
    this.messageOf = new Map(data.spans.messages);
    this.orphanOf = new Map(data.spans.orphans);
    this.placedAt = groupedBy(data.placed, ([, , row]) => row);
    this.findingsAt = new Map();
    for (const finding of scenario.findings) {
      for (const [trace, span] of finding.spans) {
        const row = this.rowOf(trace, span);
        if (row !== null) put(this.findingsAt, row, finding);
      }
    }
  }

  text(place) {
    return this.strings[place];
  }
  service(row) {
    return this.strings[this.spans.service[row]];
  }
  name(row) {
    return this.strings[this.spans.name[row]] || '(no name)';
  }
  kind(row) {
    return KINDS[this.spans.kind[row]];
  }
  failed(row) {
    return this.spans.status[row] === '!';
  }
  id(row) {
    return this.spans.ids.slice(16 * row, 16 * row + 16);
  }
  start(row) {
    return this.spans.start[row];
  }
  end(row) {
    return this.spans.start[row] + Math.max(0, this.spans.took[row]);
  }

  /** The number of the trace that a row is of. */
  traceNumber(row) {
    let [low, high] = [0, this.spans.traces.length - 1];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.first[middle] <= row) low = middle;
      else high = middle - 1;
    }
    return low;
  }
  trace(row) {
    return this.spans.traces[this.traceNumber(row)];
  }

  rowOf(trace, span) {
    const place = this.traceNumbers.get(trace);
    if (place === undefined) return null;
    for (let row = this.first[place]; row < this.first[place + 1]; row += 1) {
      if (this.spans.ids.startsWith(span, 16 * row)) return row;
    }
    return null;
  }

  /** The row behind the last one of a row's subtree. */
  behind(row) {
    const end = this.first[this.traceNumber(row) + 1];
    let next = row + 1;
    while (next < end && this.spans.depth[next] > this.spans.depth[row]) next += 1;
    return next;
  }

  pairs(set) {
    const flat = this.spans.sets[set] || [];
    const pairs = [];
    for (let at = 0; at < flat.length; at += 2) pairs.push([this.strings[flat[at]], this.strings[flat[at + 1]]]);
    return pairs;
  }

  /** Rows that link to a row. */
  linkedFrom(row) {
    this.linkers ||= (() => {
      const linkers = new Map();
      for (const [from, links] of this.linksOf)
        for (const [target] of links) if (target !== null) put(linkers, target, from);
      return linkers;
    })();
    return this.linkers.get(row) || [];
  }

  logsOf(row) {
    this.logRows ||= groupedBy(
      this.logs.map((log, place) => [log, place]).filter(([log]) => log[6] !== null),
      ([log]) => log[6],
    );
    return (this.logRows.get(row) || []).map(([log]) => log);
  }

  recordsOf(row) {
    return this.records.filter(
      (record) => record.creator === row || record.consumers.some(([consumer]) => consumer === row),
    );
  }

  process(row) {
    return this.spans.resources[this.spans.resource[row]][0];
  }
}

function put(map, key, value) {
  const known = map.get(key);
  if (known) known.push(value);
  else map.set(key, [value]);
}

function groupedBy(list, key) {
  const groups = new Map();
  for (const entry of list) put(groups, key(entry), entry);
  return groups;
}
