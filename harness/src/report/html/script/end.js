const theme = rememberedTheme();
if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme;
document.getElementById('tools').append(searchBox(),
  h('button', { class: 'tool', type: 'button', title: 'light or dark (t)', aria: { label: 'Light or dark' }, on: { click: toggleTheme } }, '◐'),
  h('button', { class: 'tool', type: 'button', title: 'keys (?)', aria: { label: 'Keys' }, on: { click: () => document.getElementById('help').showModal() } }, '?'));
document.body.append(helpDialog());
prepareOverview();
document.addEventListener('keydown', onKey);
addEventListener('hashchange', show);
show();
})();
