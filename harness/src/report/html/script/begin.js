// The page's script: one closed function, put together from files by topic. It reads data, builds elements and sets text; it
// never makes markup of data, reaches no network, and leaves nothing behind.
(() => {
'use strict';
document.documentElement.classList.add('scripted');
