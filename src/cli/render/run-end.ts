import type { ErrorReport } from '../../errors.ts';
import { isScriptName } from '../../core/files/script-name.ts';
import type { Look } from './look.ts';

/** A run, as far as it decides what can be done with it. */
export interface EndedRun {
  readonly id: number;
  readonly command?: string;
  /** Tenants. */
  readonly failed?: number;
  readonly changed?: number;
  /** Nothing of it is left. */
  readonly isUndone?: boolean;
  /** Those that failed, at least. */
  readonly tenants?: readonly {
    readonly error?: Pick<ErrorReport, 'code'> | null | undefined;
    readonly names?: readonly string[];
    readonly direction?: 'up' | 'down';
  }[];
}

/** The commands that make sense after a run, with what they do. Pure. */
export function nextCommands(run: EndedRun): (readonly [string, string])[] {
  const { id, command, failed = 0, changed = 0, isUndone, tenants = [] } = run;
  if (command !== 'migrate tenants') return [];
  // Without a check, those that one has refused would fail again.
  const isRefused = tenants.some(({ error }) => error?.code === 'CHECK_REFUSED');
  // A tenant that failed keeps what was applied before: a check refused it, or a later phase failed.
  const keeps = tenants.some(
    ({ names = [], direction }) => !names.every(isScriptName) && direction !== 'down',
  );
  const retry = `tenantctl migrate tenants --retry-failed ${id}${isRefused ? ' --check <file.sql>' : ''}`;
  const undo = `tenantctl rollback tenants --run ${id}`;
  return [
    ...(failed > 0 ? [[retry, 'tries the failed ones again'] as const] : []),
    ...((changed > 0 || keeps) && isUndone !== true ? [[undo, 'undoes exactly this run'] as const] : []),
  ];
}

/** After a run of exec: the same command would write twice. */
export function howToResume(run: number): string {
  return `Add --resume ${run} to the command: it continues where run ${run} has not written.`;
}

/** "Run 9 | tenantctl runs show 9 | ..."; a line for each part if the terminal is narrow. */
export function renderRunEnd(run: EndedRun, { paint, marks, width = Infinity }: Look): string {
  const parts = [
    `Run ${run.id}`,
    `tenantctl runs show ${run.id}`,
    ...nextCommands(run).map(([command]) => command),
  ];
  const line = parts.join(` ${marks.separator} `);
  return paint.dim(line.length <= width ? line : parts.join('\n  '));
}
