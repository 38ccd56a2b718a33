import type { TenantctlError } from '../../errors.ts';
import { isOldNode, OLDEST_NODE } from '../../node-version.ts';
import { failed, judge, kebab, ok, skipped, warning, type Check, type CheckTable } from './check.ts';
import { remedyFor, type VariableProblem } from './variable-remedies.ts';

export interface EnvironmentFacts {
  /** The .env file, or the file given instead. */
  readonly file: { readonly path: string; readonly found: boolean };
  /** Set if the file cannot be read; nothing else is known then. */
  readonly error?: TenantctlError | undefined;
  /** Variables that are set; secret values are shown as "set". */
  readonly variables: readonly { readonly name: string; readonly shown: string }[];
  readonly problems: readonly VariableProblem[];
  readonly warnings: readonly VariableProblem[];
}

const NODE: CheckTable<string> = {
  node: [
    'Node.js',
    (version) => {
      if (!isOldNode(version)) return ok(version);
      return failed(
        `${version}; tenantctl needs ${OLDEST_NODE} or newer`,
        'nvm install 24 && nvm use 24 # or install it from https://nodejs.org',
        'CONFIG_INVALID',
      );
    },
  ],
};

const ENVIRONMENT: CheckTable<EnvironmentFacts> = {
  'env-file': [
    'Env file',
    ({ file, error }) => {
      if (error !== undefined)
        return failed(error.message, error.hint ?? 'Correct --dotenv.', 'CONFIG_INVALID');
      return ok(file.found ? file.path : `none at ${file.path}; only the environment is used`);
    },
  ],
  variables: [
    'Variables',
    ({ variables, error }) => {
      if (error !== undefined) return skipped('the env file cannot be read');
      const set = variables.map(({ name, shown }) => (shown === 'set' ? `${name} set` : `${name}=${shown}`));
      return ok(set.length === 0 ? 'none is set' : set.join(', '));
    },
  ],
};

export function environmentChecks(nodeVersion: string, environment: EnvironmentFacts | undefined): Check[] {
  const node = judge(NODE, nodeVersion);
  if (environment === undefined) return node;
  return [
    ...node,
    ...judge(ENVIRONMENT, environment),
    ...variableChecks(environment.problems, (detail, remedy) => failed(detail, remedy, 'CONFIG_INVALID')),
    ...variableChecks(environment.warnings, warning),
  ];
}

function variableChecks(problems: readonly VariableProblem[], verdict: typeof warning): Check[] {
  return [...Map.groupBy(problems, ({ variable }) => variable)].map(([variable, found]) => ({
    id: `variable-${kebab(variable)}`,
    title: variable,
    ...verdict(found.map(({ message }) => message).join('; '), [...new Set(found.map(remedyFor))].join(' ')),
  }));
}
