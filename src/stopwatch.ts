/** Starts to measure. @returns a function: whole milliseconds since then. The machine's clock may jump meanwhile */
export function startStopwatch(): () => number {
  const started = performance.now();
  return () => Math.round(performance.now() - started);
}
