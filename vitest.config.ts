import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    globalSetup: ['test/support/global-setup.ts'],
    setupFiles: ['test/support/seed.ts'],
    // Some tests do nothing but wait for a minute: on two cores, a third file keeps both busy meanwhile.
    maxWorkers: 3,
    // What files share is loaded once for each worker, and not for each file.
    isolate: false,
    // Far more than any takes by itself: for a machine that has much else to do.
    testTimeout: 90_000,
    hookTimeout: 120_000,
    // The migrations of a test's project are loaded by Node itself, as they are in use, and not by vite.
    server: { deps: { external: [/tenantctl-project-/] } },
    projects: [
      { extends: true, test: { name: 'unit', include: ['test/unit/**/*.test.ts'] } },
      { extends: true, test: { name: 'integration', include: ['test/integration/**/*.test.ts'] } },
      { extends: true, test: { name: 'cli', include: ['test/cli/**/*.test.ts'] } },
    ],
  },
});
