import { beforeEach } from 'vitest';
import { findPgBouncer } from './pgbouncer-program.ts';

const isThere = (await findPgBouncer()) !== undefined;

beforeEach(({ skip }) => {
  skip(!isThere, 'there is no PgBouncer on PATH or in /usr/sbin (Debian: apt-get install pgbouncer)');
});
