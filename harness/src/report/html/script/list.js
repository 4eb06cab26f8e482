// Long lists: only the rows in sight are elements, so that a hundred thousand cost what thirty do.

/** Rows that go on paper. */
const PRINTED_MAX = 400;

/** `row(number)` makes a row's element; `open(number)` is what Enter and a click do. */
function longList({ count, row, open: chosen, label, height = 30, kind = '', role = 'listbox', rowsMax = 24, select = -1 }) {
  const space = h('div', { class: 'space', role: 'presentation' });
  const list = h('div', { class: `list ${kind}`, tabindex: '0', role, data: { list: '' }, aria: { label } }, space);
  const state = { count, current: select, drawn: new Map() };
  const identity = `list-${(longList.next = (longList.next || 0) + 1)}`;

  function size() {
    space.style.height = `${state.count * height}px`;
    list.style.height = `${Math.min(state.count, rowsMax) * height + 2}px`;
    list.style.maxHeight = '75vh';
  }

  function draw(all = false) {
    const first = all ? 0 : Math.max(0, Math.floor(list.scrollTop / height) - 6);
    const last = all
      ? Math.min(state.count, PRINTED_MAX)
      : Math.min(state.count, Math.ceil((list.scrollTop + list.clientHeight) / height) + 6);
    for (const [place, element] of state.drawn) {
      if (place < first || place >= last) {
        element.remove();
        state.drawn.delete(place);
      }
    }
    for (let place = first; place < last; place += 1) if (!state.drawn.has(place)) space.append(make(place));
  }

  function make(place) {
    const element = row(place);
    element.classList.add('row');
    element.id = `${identity}-${place}`;
    if (!element.getAttribute('role')) element.setAttribute('role', role === 'tree' ? 'treeitem' : 'option');
    element.setAttribute('aria-posinset', place + 1);
    element.setAttribute('aria-setsize', state.count);
    element.style.top = `${place * height}px`;
    element.style.height = `${height}px`;
    element.dataset.place = place;
    mark(element, place);
    state.drawn.set(place, element);
    return element;
  }

  function mark(element, place) {
    element.classList.toggle('is-current', place === state.current);
    element.setAttribute('aria-selected', place === state.current);
  }

  function choose(place, reveal = true) {
    state.current = Math.max(0, Math.min(state.count - 1, place));
    if (reveal) {
      const top = state.current * height;
      if (top < list.scrollTop) list.scrollTop = top;
      else if (top + height > list.scrollTop + list.clientHeight) list.scrollTop = top + height - list.clientHeight;
      draw();
    }
    for (const [place, element] of state.drawn) mark(element, place);
    list.setAttribute('aria-activedescendant', `${identity}-${state.current}`);
  }

  const page = () => Math.max(1, Math.floor(list.clientHeight / height) - 1);
  const keys = {
    ArrowDown: () => choose(state.current + 1),
    j: () => choose(state.current + 1),
    ArrowUp: () => choose(Math.max(0, state.current) - 1),
    k: () => choose(Math.max(0, state.current) - 1),
    PageDown: () => choose(state.current + page()),
    PageUp: () => choose(state.current - page()),
    Home: () => choose(0),
    End: () => choose(state.count - 1),
    Enter: () => state.current >= 0 && chosen?.(state.current),
  };
  list.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !state.count || !keys[event.key]) return;
    keys[event.key]();
    event.preventDefault();
    event.stopPropagation();
  });
  list.addEventListener('click', (event) => {
    const element = event.target.closest('.row');
    if (!element || event.target.closest('a, button') || getSelection()?.toString()) return;
    choose(Number(element.dataset.place), false);
    chosen?.(state.current);
  });
  list.addEventListener('scroll', () => draw(), { passive: true });
  list.addEventListener('arrived', () => {
    draw();
    if (state.current >= 0) choose(state.current);
  });
  // Paper does not scroll: it has the first rows.
  const printing = () => {
    space.style.height = `${Math.min(state.count, PRINTED_MAX) * height}px`;
    draw(true);
  };
  const printed = () => {
    size();
    draw();
  };
  const resized = () => draw();
  const watched = { beforeprint: printing, afterprint: printed, resize: resized };
  for (const [event, listener] of Object.entries(watched)) addEventListener(event, listener);
  leavers.push(() => {
    for (const [event, listener] of Object.entries(watched)) removeEventListener(event, listener);
  });
  size();
  return {
    element: list,
    choose,
    current: () => state.current,
    /** Draws again: other rows, or the same ones changed. */
    renew(next = state.count) {
      state.count = next;
      state.drawn.forEach((element) => element.remove());
      state.drawn.clear();
      if (state.current >= next) state.current = next - 1;
      size();
      draw();
    },
  };
}
