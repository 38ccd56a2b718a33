/**
 * Lines for a stream where each write costs: the first is written at once, those that follow within `intervalMs` are
 * written together.
 */
export function pacedLines(write: (text: string) => void, intervalMs: number) {
  let waiting: string[] = [];
  let pause: NodeJS.Timeout | undefined;
  const flush = () => {
    pause = undefined;
    if (waiting.length === 0) return;
    const text = waiting.join('\n');
    waiting = [];
    pause = setTimeout(flush, intervalMs);
    write(text);
  };
  return {
    add(line: string): void {
      waiting.push(line);
      if (pause === undefined) flush();
    },
    /** Writes what waits, and ends the pause. */
    end(): void {
      clearTimeout(pause);
      flush();
      clearTimeout(pause);
      pause = undefined;
    },
  };
}
