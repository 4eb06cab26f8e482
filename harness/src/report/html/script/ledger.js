// What the collector did with everything that was sent to it.
function ledgerPanel(scenario, evidence) {
  const counts = (entry) => [
    number(entry.requests),
    number(entry.spans),
    number(entry.points),
    number(entry.log_records),
    bytes(entry.bytes),
    number(entry.refused_requests),
    number(entry.rejected_items),
    number(entry.duplicates),
  ];
  const heads = ['requests', 'spans', 'points', 'logs', 'bytes', 'refused', 'rejected', 'sent twice'];
  const lost = scenario.ledger.reduce((sum, entry) => sum + entry.lost, 0);
  return [
    h(
      'p',
      { class: `reason is-${lost ? 'incomplete' : 'pass'}` },
      icon(lost ? 'incomplete' : 'pass'),
      lost
        ? ` ${counted(lost, 'item')} lost on the way and not explained.`
        : ' Nothing was lost on the way: what was sent arrived, or came again.',
    ),
    section(
      'By process',
      h(
        'div',
        { class: 'card' },
        table(
          ['sender', ...heads, 'lost', 'its exporter says'],
          scenario.ledger.map((entry) => [
            entry.process ?? 'unnamed senders',
            ...counts(entry.counts),
            entry.lost ? h('span', { class: 'grew' }, number(entry.lost)) : '0',
            entry.exporter_says.length
              ? entry.exporter_says.join('; ')
              : h('span', { class: 'quiet' }, 'nothing: unknown, not 0'),
          ]),
        ),
      ),
    ),
    evidence.connections.length
      ? section(
          'By connection',
          h(
            'div',
            { class: 'card' },
            table(
              ['connection', 'protocols', ...heads],
              evidence.connections.map(([connection, protocols, entry]) => [
                connection,
                protocols.join(', '),
                ...counts(entry),
              ]),
            ),
          ),
        )
      : null,
  ];
}

function bytes(count) {
  return count >= 1 << 20
    ? `${(count / (1 << 20)).toFixed(1)} MiB`
    : count >= 1 << 10
      ? `${(count / (1 << 10)).toFixed(1)} KiB`
      : `${count} B`;
}
