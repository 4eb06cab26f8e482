// What a scraper is told to ask, and what answers.
function targetsPanel(scenario, evidence) {
  const answered = (answer) => {
    if (!answer) return [badge('not asked', 'not-judged'), 'it could not be resolved to a port of the system'];
    const [status, type, samples, error] = answer;
    return samples !== null && !error
      ? [badge('pass'), `${number(samples)} samples, ${type ?? 'no content type'}`]
      : [badge('fail'), error || `HTTP ${status}`];
  };
  return [
    evidence.targets.length
      ? section(
          'Targets of the scrape file',
          h(
            'div',
            { class: 'card' },
            table(
              ['', 'target', 'job', 'which is', 'answered', 'written at'],
              evidence.targets.map((target) => {
                const [mark, words] = answered(target.answer);
                return [
                  mark,
                  h('code', null, target.url),
                  target.job,
                  target.resolved,
                  [
                    words,
                    target.not_evaluated ? h('p', { class: 'quiet' }, `not evaluated: ${target.not_evaluated}`) : null,
                  ],
                  h('code', null, target.place),
                ];
              }),
            ),
          ),
        )
      : null,
    evidence.sockets.length
      ? section(
          'Listening sockets, asked for /metrics',
          h(
            'div',
            { class: 'card' },
            table(
              ['process', 'role', 'address', 'answered to GET /metrics'],
              evidence.sockets.map((socket) => [
                socket.process,
                socket.role ?? h('span', { class: 'grew' }, 'not declared'),
                h('code', null, socket.address),
                [
                  socket.held_by ? h('p', { class: 'grew' }, `held by ${socket.held_by}`) : null,
                  socket.answer
                    ? socket.answer[2] !== null && !socket.answer[3]
                      ? `${number(socket.answer[2])} samples`
                      : socket.answer[3] || `HTTP ${socket.answer[0]}`
                    : 'not asked',
                ],
              ]),
            ),
          ),
        )
      : null,
  ];
}
