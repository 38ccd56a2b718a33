import { beforeEach } from 'vitest';
import { findChromium } from './chromium-program.ts';

const isThere = (await findChromium()) !== undefined;

// In CI it has to be there: the tests fail without it.
if (!isThere && (process.env.CI ?? '') === '')
  beforeEach(({ skip }) => {
    skip('there is no Chromium on PATH (Debian: apt-get install chromium; or name it in TEST_CHROMIUM)');
  });
