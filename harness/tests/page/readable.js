// What WCAG AA would not let pass: text with too little contrast, controls without a name, ids that are there twice.
const canvas = document.createElement('canvas');
canvas.width = canvas.height = 1;
const pen = canvas.getContext('2d', { willReadFrequently: true });
// A colour painted over another, as red, green and blue.
const over = (colours) => {
  pen.clearRect(0, 0, 1, 1);
  for (const colour of colours) {
    pen.fillStyle = colour;
    pen.fillRect(0, 0, 1, 1);
  }
  return [...pen.getImageData(0, 0, 1, 1).data].slice(0, 3);
};
const luminance = (rgb) => {
  const [red, green, blue] = rgb
    .map((value) => value / 255)
    .map((value) => (value <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4));
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
};
const ground = (element) => {
  const layers = [];
  for (let at = element; at; at = at.parentElement) layers.unshift(getComputedStyle(at).backgroundColor);
  return ['white', ...layers];
};
const faults = [];
for (const element of document.querySelectorAll('body *')) {
  const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
  const style = getComputedStyle(element);
  if (!own || !element.checkVisibility() || element.closest('script, noscript, [aria-hidden=true]')) continue;
  const behind = ground(element);
  const [text, back] = [luminance(over([...behind, style.color])), luminance(over(behind))];
  const contrast = (Math.max(text, back) + 0.05) / (Math.min(text, back) + 0.05);
  const large = parseFloat(style.fontSize) >= 24 || (parseFloat(style.fontSize) >= 18.66 && style.fontWeight >= 700);
  if (contrast < (large ? 3 : 4.5))
    faults.push(
      `contrast ${contrast.toFixed(2)}: <${element.tagName.toLowerCase()} class="${element.className}"> ${element.textContent.trim().slice(0, 40)}`,
    );
}
for (const control of document.querySelectorAll('a[href], button, input, select')) {
  const name =
    control.getAttribute('aria-label') ||
    control.textContent.trim() ||
    control.title ||
    control.closest('label')?.textContent.trim();
  if (!name && control.checkVisibility()) faults.push(`no name: ${control.outerHTML.slice(0, 80)}`);
}
const ids = [...document.querySelectorAll('[id]')]
  .filter((element) => element.checkVisibility())
  .map((element) => element.id);
for (const id of ids.filter((id, at) => ids.indexOf(id) !== at)) faults.push(`twice: ${id}`);
return [...new Set(faults)];
