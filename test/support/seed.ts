import * as fc from 'fast-check';

/** Property tests use the same cases everywhere, unless FAST_CHECK_SEED is set. Failures print the seed. */
fc.configureGlobal({ seed: Number(process.env.FAST_CHECK_SEED ?? 20_251_125) });
