// Elements. Every text goes in as text.
const SVG = 'http://www.w3.org/2000/svg';

/** An element: properties by name, `class`, `data`, `on`, `aria`, and `style` by property; children may be texts, lists or null. */
function h(tag, properties, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name === 'class') element.className = value;
    else if (name === 'on') for (const [event, listener] of Object.entries(value)) element.addEventListener(event, listener);
    else if (name === 'aria') for (const [key, text] of Object.entries(value)) element.setAttribute(`aria-${key}`, text);
    else if (name === 'data') Object.assign(element.dataset, value);
    // One property at a time: a style attribute is what the content security policy forbids.
    else if (name === 'style') for (const [key, text] of Object.entries(value)) element.style.setProperty(key, text);
    else element.setAttribute(name, value === true ? '' : value);
  }
  append(element, children);
  return element;
}

function append(element, children) {
  for (const child of children) {
    if (child === null || child === undefined || child === false) continue;
    if (Array.isArray(child)) append(element, child);
    else element.append(child instanceof Node ? child : String(child));
  }
}

function svg(tag, attributes, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes || {})) element.setAttribute(name, value);
  append(element, children);
  return element;
}

function icon(name) {
  return svg('svg', { class: 'icon', 'aria-hidden': 'true' }, svg('use', { href: `#i-${name}` }));
}

const slug = (word) => word.replace(/ /g, '-');

/** A verdict or outcome: its shape and its word. */
function badge(word, shape = slug(word)) {
  return h('span', { class: `badge is-${shape}` }, icon(shape), word);
}

/** How bad a finding is. (The verdict `error` is another thing than the severity.) */
const severityBadge = (severity) => (severity === 'error' ? badge('error', 'fail') : badge(severity));

/** A sentence of the report: what stands between backticks is code. */
function prose(text) {
  const parts = String(text).split('`');
  if (parts.length % 2 === 0) parts.push(`\`${parts.pop()}`);
  return parts.map((part, number) => (number % 2 ? h('code', null, part) : part));
}

/** A button that copies; where the clipboard is closed the text is selected instead. */
function copyButton(text, label = 'copy') {
  const button = h('button', { class: 'copy', type: 'button', aria: { label: `copy ${text}` } }, label);
  button.addEventListener('click', async () => {
    let done = false;
    try {
      await navigator.clipboard.writeText(text);
      done = true;
    } catch {
      done = byHand(text);
    }
    button.textContent = done ? 'copied' : 'press Ctrl+C';
    setTimeout(() => {
      button.textContent = label;
    }, 1500);
  });
  return button;
}

function byHand(text) {
  const field = h('textarea', { 'aria-hidden': 'true', style: { position: 'fixed', opacity: '0' } });
  field.value = text;
  document.body.append(field);
  field.select();
  let done = false;
  try {
    done = document.execCommand('copy');
  } catch {
    /* then by the keyboard */
  }
  field.remove();
  return done;
}

const command = (text) => [h('code', { class: 'command' }, text), copyButton(text)];

function section(title, ...content) {
  return h('section', null, title && h('h2', null, title), ...content);
}

function table(heads, rows) {
  return h(
    'div',
    { class: 'wide' },
    h(
      'table',
      null,
      h(
        'thead',
        null,
        h(
          'tr',
          null,
          heads.map((head) => h('th', { scope: 'col' }, head)),
        ),
      ),
      h(
        'tbody',
        null,
        rows.map((row) =>
          h(
            'tr',
            null,
            row.map((cell) => h('td', null, cell)),
          ),
        ),
      ),
    ),
  );
}

function leftOut(evidence, what, hint) {
  const count = evidence.leftOut[what];
  return count
    ? h(
        'p',
        { class: 'left-out' },
        `${counted(count, what.replace(/s$/, ''))} more ${count === 1 ? 'is' : 'are'} not in this page. `,
        hint,
      )
    : null;
}
