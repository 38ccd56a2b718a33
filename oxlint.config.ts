import { defineConfig, type OxlintOverride } from 'oxlint';

/**
 * The rooms of src/core, from the top to the ground: a room imports only from rooms that stand after it here.
 * docs/architecture.md draws them.
 */
const CORE = [
  'doctor',
  'documents',
  'types',
  'drift',
  'tenant',
  'commands',
  'query',
  'rollout',
  'install',
  'strategy',
  'apply',
  'guard',
  'fleet',
  'backup',
  'shape',
  'roles',
  'content',
  'stamps',
  'serve',
  'run',
  'recordings',
  'statements',
  'ledger',
  'plan',
  'registry',
  'state',
  'code',
  'files',
  'target',
  'options',
  'report',
] as const;

/** The parts of the verbs in src/core/tenant, likewise. The verbs themselves stand above. */
const TENANT = [
  'restore',
  'clone',
  'adoption',
  'build',
  'removal',
  'rename',
  'move',
  'status',
  'backup',
  'provision',
  'common',
] as const;

/** The rooms of src/cli, likewise. */
const CLI = ['commands', 'flags', 'run', 'terminal', 'render'] as const;

/** What only the command line may know: core and db are a library. node:v8 sets flags for the whole process. */
const COMMAND_LINE = [
  'commander',
  'chalk',
  'ora',
  'dotenv',
  'string-width',
  'zod',
  'node:process',
  'node:console',
  'node:v8',
];

interface Pattern {
  readonly group: string[];
  readonly message: string;
}

const ABOVE_CORE: Pattern = {
  group: ['**/cli/**', '**/config/**', '**/app/**'],
  message: 'core and db never know the command line, its configuration, or the side of the application.',
};

/** Core and db see no process and no console, and nothing that stands above them. */
function asLibrary(
  files: string[],
  above: Pattern[],
  paths: readonly string[] = COMMAND_LINE,
): OxlintOverride {
  return {
    files,
    rules: {
      'no-restricted-globals': ['error', 'process', 'console'],
      'node/no-process-env': 'error',
      'no-restricted-imports': ['error', { paths: [...paths], patterns: [ABOVE_CORE, ...above] }],
    },
  };
}

/** The rooms that stand above one of `rooms`, as what must not be imported there. */
function above(rooms: readonly string[], room: string): Pattern[] {
  const higher = rooms.slice(0, rooms.indexOf(room));
  if (higher.length === 0) return [];
  return [
    {
      group: higher.flatMap((each) => [`../${each}/**`, `../../${each}/**`]),
      message: `${room} is below this room: see the order in oxlint.config.ts.`,
    },
  ];
}

/** What src/core/serve must not know, so that it can do any work over the fleet. */
const GENERIC: Pattern = {
  group: ['plan', 'files', 'target', 'state', 'registry'].map((room) => `../${room}/**`),
  message: 'serve knows tasks, and nothing of migrations: say it in src/core/strategy.',
};

/** The side of the application must not load the engine: only the registry's SQL and the rules for options. */
const BESIDE_CORE: Pattern[] = [
  {
    group: CORE.filter((room) => room !== 'registry' && room !== 'options').map(
      (room) => `**/core/${room}/**`,
    ),
    message: 'src/app loads nothing that migrates.',
  },
  { group: ['**/db/knex/**', '**/db/embedded/**'], message: 'src/app works on the pool of the application.' },
];

const BELOW_CORE: Pattern = { group: ['**/core/**'], message: 'db knows nothing above it.' };

export default defineConfig({
  plugins: ['typescript', 'unicorn', 'import', 'node', 'promise', 'vitest'],
  categories: { correctness: 'error', suspicious: 'error' },
  options: { typeAware: true },
  rules: {
    'typescript/no-explicit-any': 'error',
    'typescript/no-floating-promises': 'error',
    'typescript/no-misused-promises': 'error',
    'typescript/no-non-null-assertion': 'error',
    'typescript/consistent-type-imports': 'error',
    'typescript/return-await': ['error', 'in-try-catch'],
    'import/no-cycle': ['error', { ignoreTypes: false }],
    'import/no-default-export': 'error',
    'import/no-mutable-exports': 'error',
    'no-console': 'error',
    eqeqeq: 'error',
    'no-await-in-loop': 'off',
    'typescript/consistent-return': 'off',
    'typescript/no-unnecessary-type-parameters': 'off',
    'no-shadow': 'off',
    'no-underscore-dangle': 'off',
    'unicorn/no-array-sort': 'off',
    'unicorn/consistent-function-scoping': 'off',
    'import/no-unassigned-import': 'off',
    'typescript/no-unsafe-type-assertion': 'off',
  },
  overrides: [
    asLibrary(
      [
        'src/bounded.ts',
        'src/error-code.ts',
        'src/import-module.ts',
        'src/is-error.ts',
        'src/errors.ts',
        'src/names.ts',
        'src/rule.ts',
        'src/limits.ts',
        'src/secret-forms.ts',
        'src/secrets.ts',
        'src/text-file.ts',
        'src/transient.ts',
        'src/wording.ts',
        'src/index.ts',
      ],
      [],
    ),
    ...CORE.map((room) =>
      asLibrary([`src/core/${room}/**`], [...above(CORE, room), ...(room === 'serve' ? [GENERIC] : [])]),
    ),
    ...TENANT.map((part) =>
      asLibrary(
        [`src/core/tenant/${part}/**`],
        [
          ...above(CORE, 'tenant'),
          ...above(TENANT, part),
          { group: ['../*.ts'], message: 'A verb stands above its parts.' },
        ],
      ),
    ),
    asLibrary(
      ['src/app/**'],
      [{ group: ['**/cli/**', '**/config/**'], message: 'src/app is a library.' }, ...BESIDE_CORE],
    ),
    asLibrary(['src/db/*/**'], [BELOW_CORE]),
    asLibrary(
      ['src/db/*.ts'],
      [
        BELOW_CORE,
        { group: ['./knex/**', './embedded/**'], message: 'db/knex and db/embedded stand above.' },
      ],
    ),
    asLibrary(['src/db/open.ts'], [BELOW_CORE]),
    // Whether the owner of a folder or of a file still lives is a question for the system, and so is who is at work here.
    ...[
      'src/db/embedded/folder-lock.ts',
      'src/core/ledger/process-facts.ts',
      'src/core/backup/backup-file.ts',
    ].map((file) => ({
      files: [file],
      rules: { 'no-restricted-imports': 'off' as const },
    })),
    {
      // It sets flags only while one function runs.
      files: ['src/db/unoptimized-wasm.ts'],
      rules: { 'no-restricted-imports': 'off' },
    },
    {
      // pg takes callbacks, and Knex gives it some.
      files: ['src/db/knex/observed-connection.ts'],
      rules: { 'promise/no-callback-in-promise': 'off' },
    },
    {
      files: ['src/config/**'],
      rules: {
        'no-restricted-imports': [
          'error',
          {
            patterns: [
              {
                group: ['**/cli/**', '**/core/**'],
                message: 'config turns the untrusted into types, and knows no command.',
              },
            ],
          },
        ],
      },
    },
    {
      files: ['src/page/**'],
      rules: {
        'no-restricted-imports': [
          'error',
          {
            patterns: [
              {
                group: ['node:*', '**/cli/**', '**/config/**', '**/db/**', '**/app/**'],
                message: 'The page runs in a browser: of the rest it knows documents and wording.',
              },
            ],
          },
        ],
      },
    },
    { files: ['src/**'], rules: { 'max-lines-per-function': ['error', { max: 70 }] } },
    ...CLI.map((room): OxlintOverride => ({
      files: [`src/cli/${room}/**`],
      rules: { 'no-restricted-imports': ['error', { patterns: above(CLI, room) }] },
    })),
    {
      files: ['vitest.config.ts', 'oxlint.config.ts', 'test/support/*.ts'],
      rules: { 'import/no-default-export': 'off' },
    },
    {
      files: ['scripts/**', 'bench/**', 'test/support/**', 'test/faults/**'],
      rules: { 'no-console': 'off' },
    },
    {
      // Programs of others: they log, and node:http, express and Nest take what they are given.
      files: ['examples/**'],
      rules: {
        'no-console': 'off',
        'typescript/no-misused-promises': 'off',
        'typescript/no-extraneous-class': 'off',
      },
    },
  ],
  ignorePatterns: ['dist', 'test/fixtures/**'],
});
