import type { TenantctlError } from '../../errors.ts';
import { failed, kebab, ok, skipped, warning, type Check } from './check.ts';
import { remedyForProblem, remedyForWarning } from './variable-remedies.ts';

/** Where the settings came from, and what is wrong with them. */
export interface EnvironmentFacts {
  /** The .env file, or the one that was named. */
  readonly file: { readonly path: string; readonly found: boolean };
  /** The named file cannot be read, so nothing else is known. */
  readonly error?: TenantctlError | undefined;
  /** The variables that are set, with their values; secret ones are shown as "set". */
  readonly variables: readonly { readonly name: string; readonly shown: string }[];
  readonly problems: readonly { readonly variable: string; readonly message: string }[];
  /** Each begins with the variable's name. */
  readonly warnings: readonly string[];
}

/** As package.json's engines. */
const OLDEST_NODE = [22, 18] as const;

/** Decides about Node and the variables. Pure. */
export function environmentChecks(nodeVersion: string, environment: EnvironmentFacts | undefined): Check[] {
  const checks = [nodeCheck(nodeVersion)];
  if (environment === undefined) return checks;
  const { error, file, variables } = environment;
  if (error !== undefined) {
    return [
      ...checks,
      failed('env-file', error.message, error.hint ?? 'Correct --env-file.', 'CONFIG_INVALID'),
      skipped('variables', 'the env file cannot be read'),
    ];
  }
  const names = variables.map(({ name, shown }) => (shown === 'set' ? `${name} set` : `${name}=${shown}`));
  checks.push(
    ok('env-file', file.found ? file.path : `none at ${file.path}; the environment alone counts`),
    ok('variables', names.length === 0 ? 'none is set' : names.join(', ')),
  );
  const byVariable = Map.groupBy(environment.problems, (problem) => problem.variable);
  for (const [variable, problems] of byVariable) {
    checks.push(
      failed(
        { id: `variable-${kebab(variable)}`, title: variable },
        problems.map(({ message }) => message).join('; '),
        [...new Set(problems.map(({ message }) => remedyForProblem(variable, message)))].join(' '),
        'CONFIG_INVALID',
      ),
    );
  }
  for (const [variable, texts] of Map.groupBy(environment.warnings, variableOf)) {
    // The title has the name already.
    const detail = texts.map((text) => text.replace(`${variable} `, '')).join(' ');
    checks.push(
      warning({ id: `variable-${kebab(variable)}`, title: variable }, detail, remedyForWarning(variable)),
    );
  }
  return checks;
}

function variableOf(warningText: string): string {
  return /^[A-Z][A-Z_]+/.exec(warningText)?.[0] ?? 'Setting';
}

function nodeCheck(version: string): Check {
  const [major = 0, minor = 0] = version.replace(/^v/, '').split('.').map(Number);
  const [oldestMajor, oldestMinor] = OLDEST_NODE;
  return major > oldestMajor || (major === oldestMajor && minor >= oldestMinor)
    ? ok('node', version)
    : failed(
        'node',
        `${version}; tenantctl needs ${OLDEST_NODE.join('.')} or newer`,
        'nvm install 24 && nvm use 24 # or install it from https://nodejs.org',
        'CONFIG_INVALID',
      );
}
