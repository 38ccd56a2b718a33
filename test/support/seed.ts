import * as fc from 'fast-check';

/**
 * Properties are tried with the same cases everywhere, so that a failure of one machine is one of all. Another number
 * in FAST_CHECK_SEED tries others; a failure prints the seed that it came with.
 */
fc.configureGlobal({ seed: Number(process.env.FAST_CHECK_SEED ?? 20_251_125) });
