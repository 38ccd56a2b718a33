import { element } from './element.ts';

/** A part of the page with a heading. */
export function section(id: string, title: string, ...content: readonly (Node | undefined)[]): HTMLElement {
  const heading = `${id}-heading`;
  return element(
    'section',
    { id, 'aria-labelledby': heading },
    element('h2', { id: heading }, title),
    content,
  );
}

/** A table that is shown on request; on paper it is left out. */
export function folded(summary: string, table: Node): HTMLElement {
  return element('details', {}, element('summary', {}, summary), table);
}

export function paragraph(text: string, className = 'note'): HTMLElement {
  return element('p', { class: className }, text);
}
