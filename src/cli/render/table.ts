import stringWidth from 'string-width';

/**
 * A table without frames: columns set apart by two spaces, as wide as their widest cell. A fleet's table has tens of
 * thousands of rows, so this is done in one pass over them; the usual table printers take minutes for it.
 */
export function renderTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const cells = [...(head.length > 0 ? [head] : []), ...rows].map((row) =>
    row.map((cell) => {
      const text = cell.trim().replaceAll(/\s*\n\s*/g, ' ');
      return { text, width: stringWidth(text) };
    }),
  );
  const widths: number[] = [];
  for (const row of cells) {
    for (const [column, { width }] of row.entries()) widths[column] = Math.max(widths[column] ?? 0, width);
  }
  return cells
    .map((row) =>
      row
        .map(({ text, width }, column) => text + ' '.repeat((widths[column] ?? 0) - width))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
