import { spawnSync } from 'node:child_process';

const PROGRAM = 'psql';

/** Why tests with psql are skipped; undefined if it is on PATH. */
export const noPsql: string | undefined =
  spawnSync(PROGRAM, ['--version']).status === 0 ? undefined : `needs ${PROGRAM} on PATH`;
