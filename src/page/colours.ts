/** The value of a custom property of page.css, in the scheme that is shown. */
export function colour(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

/** Calls the function when the colours have changed: another scheme, or paper. */
export function onNewColours(redraw: () => void): void {
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', redraw);
  const print = (isPrinting: boolean) => () => {
    // On paper the page is light. The style sheet for print is not in force yet.
    document.documentElement.toggleAttribute('data-printing', isPrinting);
    redraw();
  };
  addEventListener('beforeprint', print(true));
  addEventListener('afterprint', print(false));
}
