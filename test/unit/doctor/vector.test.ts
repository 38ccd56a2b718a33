import { describe, expect, it } from 'vitest';
import { judge } from '../../../src/core/doctor/check.ts';
import { VECTOR, type VectorFacts } from '../../../src/core/doctor/vector-check.ts';

describe('pgvector', () => {
  const facts = (more: Partial<VectorFacts>): VectorFacts => ({
    schema: undefined,
    available: true,
    mayCreate: true,
    serverMajor: 17,
    ...more,
  });

  it.each([
    ['in public', { schema: 'public' }, 'require', 'a.ts', 'ok'],
    ['elsewhere, needed', { schema: 'x' }, 'auto', 'a.ts', 'failed'],
    ['elsewhere, not needed', { schema: 'x' }, 'auto', undefined, 'warning'],
    ['to be created by the next run', {}, 'require', 'a.ts', 'warning'],
    ['not to be created by this role', { mayCreate: false }, 'require', undefined, 'failed'],
    ['not to be created by this role, not needed', { mayCreate: false }, 'auto', undefined, 'warning'],
    ['not there, not needed', { available: false }, 'auto', undefined, 'ok'],
    ['not there, needed', { available: false }, 'auto', 'a.ts', 'failed'],
    ['not there, required', { available: false }, 'require', undefined, 'failed'],
    ['turned off', { schema: 'x' }, 'off', 'a.ts', 'skipped'],
  ] as const)('%s', (_, more, mode, neededBy, expected) => {
    const [check] = judge(VECTOR, { ...facts(more), mode, neededBy });
    expect(check?.status).toBe(expected);
    expect(check?.remedy !== undefined).toBe(expected === 'failed' || expected === 'warning');
  });
});
