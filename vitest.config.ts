import { defineConfig } from 'vitest/config';
import { QuickestFirst } from './test/support/quickest-first.ts';

export default defineConfig({
  test: {
    globalSetup: ['test/support/global-setup.ts'],
    setupFiles: ['test/support/seed.ts', 'test/support/sample.ts'],
    // A test is printed by itself where it failed, or took very long.
    slowTestThreshold: 10_000,
    reporters: ['default', './test/support/run-report.ts'],
    sequence: { sequencer: QuickestFirst },
    // Some tests mostly wait. On two cores, a third worker keeps both busy meanwhile.
    maxWorkers: 3,
    // Each worker loads a shared module once, not once for each file.
    isolate: false,
    // Much more than any test needs: the machine may be busy with other things.
    testTimeout: 90_000,
    hookTimeout: 120_000,
    expect: { poll: { timeout: 60_000 } },
    // Node itself loads the migrations of a test's project, as it does in production. Vite stays out of it.
    server: { deps: { external: [/tenantctl-project-/] } },
    projects: [
      { extends: true, test: { name: 'unit', include: ['test/unit/**/*.test.ts'] } },
      { extends: true, test: { name: 'integration', include: ['test/integration/**/*.test.ts'] } },
      { extends: true, test: { name: 'cli', include: ['test/cli/**/*.test.ts'] } },
      {
        extends: true,
        test: {
          name: 'pooler',
          include: ['test/pooler/**/*.test.ts'],
          setupFiles: ['test/support/needs-pgbouncer.ts'],
        },
      },
      {
        extends: true,
        test: {
          name: 'citus',
          include: ['test/citus/**/*.test.ts'],
          globalSetup: ['test/support/citus-setup.ts'],
          setupFiles: ['test/support/needs-citus.ts'],
        },
      },
      {
        extends: true,
        test: {
          name: 'browser',
          include: ['test/browser/**/*.test.ts'],
          setupFiles: ['test/support/needs-chromium.ts'],
        },
      },
    ],
  },
});
