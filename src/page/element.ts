type Child = Node | string | number | false | undefined | readonly Child[];
type Value = string | number | boolean | undefined | EventListener;

/**
 * Creates an element. Strings become text nodes, never HTML. An attribute that is true has an empty value; one that is
 * false or undefined is left out; a function listens to the event of that name.
 */
export function element<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  attributes: Readonly<Record<string, Value>> = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[Tag] {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === 'function') made.addEventListener(name, value);
    else if (value !== undefined && value !== false)
      made.setAttribute(name, value === true ? '' : String(value));
  }
  append(made, children);
  return made;
}

function append(parent: HTMLElement, children: readonly Child[]): void {
  for (const child of children) {
    if (child === undefined || child === false) continue;
    if (typeof child === 'string' || typeof child === 'number') parent.append(String(child));
    else if (child instanceof Node) parent.append(child);
    else append(parent, child);
  }
}

/** A name from outside: text from right to left does not change the order of what stands around it. */
export function nameElement(name: string): HTMLElement {
  return element('bdi', {}, name === '' ? '(empty)' : name);
}

/** A coloured square. @param colour the custom property, without the dashes */
export function swatch(colour: string): HTMLElement {
  const square = element('span', { class: 'swatch', 'aria-hidden': 'true' });
  square.style.setProperty('--colour', `var(--${colour})`);
  return square;
}
