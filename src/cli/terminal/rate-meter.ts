/** The rate is that of the last so many milliseconds, or of the last so many tenants where those took longer. */
const WINDOW_MS = 10_000;
const WINDOW_TENANTS = 50;

/** Milliseconds between two samples, so that few are kept whatever the rate. */
const SAMPLE_MS = 250;

/** How fast tenants end now: not on the average of the run, whose beginning says little about the time that is left. */
export interface RateMeter {
  /** So many have ended. Costs next to nothing: it is called for each tenant. */
  mark(done: number): void;
  /** Tenants per second; falls while none ends. */
  perSecond(): number;
}

/** A meter that starts now. `now` is a clock in milliseconds. */
export function createRateMeter(now: () => number): RateMeter {
  let latest = 0;
  let newest = { at: now(), done: 0 };
  const samples = [newest];
  return {
    mark(done) {
      latest = done;
      const at = now();
      if (at - newest.at < SAMPLE_MS) return;
      newest = { at, done };
      samples.push(newest);
      forget(samples, at, latest);
    },
    perSecond() {
      const at = now();
      forget(samples, at, latest);
      const [oldest = newest] = samples;
      return at > oldest.at ? ((latest - oldest.done) * 1000) / (at - oldest.at) : 0;
    },
  };
}

/** Drops samples from before the window; the first that remains is where it begins. */
function forget(samples: { at: number; done: number }[], at: number, latest: number): void {
  for (;;) {
    const second = samples[1];
    if (second === undefined || at - second.at < WINDOW_MS || latest - second.done < WINDOW_TENANTS) return;
    samples.shift();
  }
}
