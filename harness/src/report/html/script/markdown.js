// The pages of the rules: the little Markdown that they use, as elements.
function markdown(text) {
  const root = [];
  const lines = text.split('\n');
  const stack = [{ depth: -1, add: (element) => root.push(element) }];
  let paragraph = null;
  const flush = () => {
    if (paragraph) paragraph.target.append(...inline(paragraph.text.join(' ')));
    paragraph = null;
  };
  const within = (depth) => {
    while (stack.at(-1).depth >= depth) stack.pop();
    return stack.at(-1);
  };
  for (let at = 0; at < lines.length; at += 1) {
    const line = lines[at];
    const trimmed = line.trim();
    const depth = line.length - line.trimStart().length;
    if (trimmed.startsWith('```')) {
      flush();
      const code = [];
      for (at += 1; at < lines.length && !lines[at].trim().startsWith('```'); at += 1)
        code.push(lines[at].slice(Math.min(depth, lines[at].length - lines[at].trimStart().length)));
      within(depth).add(h('pre', null, h('code', null, code.join('\n'))));
    } else if (!trimmed) {
      flush();
    } else if (trimmed.startsWith('#')) {
      flush();
      stack.length = 1;
      const level = trimmed.match(/^#+/)[0].length;
      root.push(h(level === 1 ? 'h2' : 'h3', null, inline(trimmed.slice(level).trim())));
    } else if (/^[-*] /.test(trimmed)) {
      flush();
      const holder = within(depth);
      const item = h('li');
      if (!holder.list) {
        holder.list = h('ul');
        holder.add(holder.list);
      }
      holder.list.append(item);
      const span = h('span');
      item.append(span);
      stack.push({ depth, add: (element) => item.append(element) });
      paragraph = { target: span, text: [trimmed.slice(2)] };
    } else if (trimmed.startsWith('|')) {
      flush();
      const rows = [];
      for (; at < lines.length && lines[at].trim().startsWith('|'); at += 1)
        if (!/^[|\-: ]+$/.test(lines[at].trim()))
          rows.push(
            lines[at]
              .trim()
              .replace(/^\||\|$/g, '')
              .split('|')
              .map((cell) => inline(cell.trim())),
          );
      at -= 1;
      within(depth).add(table(rows[0] || [], rows.slice(1)));
    } else if (paragraph) {
      paragraph.text.push(trimmed);
    } else {
      const element = h('p');
      const holder = within(depth);
      holder.list = null;
      holder.add(element);
      paragraph = { target: element, text: [trimmed] };
    }
  }
  flush();
  return h('div', { class: 'page' }, root);
}

/** Code, emphasis; a link shows its address, since the page leads nowhere else. */
function inline(text) {
  const parts = [];
  const pattern = /`([^`]+)`|\*\*([^*]+)\*\*|\[([^\]]+)\]\(([^)]+)\)/g;
  let last = 0;
  for (const match of text.matchAll(pattern)) {
    parts.push(text.slice(last, match.index));
    last = match.index + match[0].length;
    if (match[1] !== undefined) parts.push(h('code', null, match[1]));
    else if (match[2] !== undefined) parts.push(h('strong', null, match[2]));
    else parts.push(`${match[3]} (${match[4]})`);
  }
  parts.push(text.slice(last));
  return parts.filter((part) => part !== '');
}
