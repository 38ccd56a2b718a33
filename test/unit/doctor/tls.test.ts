import { describe, expect, it } from 'vitest';
import type { ServerFacts } from '../../../src/core/doctor/server-facts.ts';
import { certificate, tls } from '../../../src/core/doctor/tls-checks.ts';
import { NOW, SERVER, SETTINGS, WITH_TLS } from './doctor-facts.ts';
import type { ServerSettings } from '../../../src/db/database.ts';

const certificateUntil = (validTo: string): ServerFacts => ({
  ...SERVER,
  certificate: { subject: 'db', issuer: 'CA', validTo: new Date(validTo) },
});

describe('TLS', () => {
  const status = (settings: ServerSettings, server: ServerFacts) =>
    [tls, certificate].map((verdictOn) => verdictOn({ ...SERVER, ...server, settings, now: NOW }).status);

  it.each(['localhost', '127.0.0.1', '::1', '/var/run/postgresql'])('may be absent at %s', (host) => {
    expect(status({ ...SETTINGS, host }, SERVER)).toEqual(['ok', 'skipped']);
  });

  it.each(['db.example.com', '10.0.0.5', '127.example.com'])('is missed at %s', (host) => {
    expect(status({ ...SETTINGS, host }, SERVER)).toEqual(['warning', 'skipped']);
  });

  it('is to be turned on at a server that does not offer it', () => {
    const { remedy } = tls({ ...SERVER, offersTls: false });
    expect(remedy).toContain('ALTER SYSTEM SET ssl = on');
  });

  it('is believed to pg_stat_ssl, unless a pooler is in between', () => {
    expect(status(WITH_TLS, SERVER)).toEqual(['ok', 'ok']);
    expect(status(WITH_TLS, { ...SERVER, encrypted: false })).toEqual(['failed', 'ok']);
    const verdict = tls({ ...SERVER, settings: WITH_TLS, encrypted: false, behindPooler: true });
    expect(verdict).toMatchObject({
      status: 'ok',
      detail: expect.stringContaining('cannot be checked'),
    });
  });

  it.each([
    ['2026-07-02T00:00:00Z', 'ok'],
    ['2026-06-30T00:00:00Z', 'warning'],
    ['2026-06-01T01:00:00Z', 'warning'],
    ['2026-05-31T23:00:00Z', 'failed'],
  ])('has a certificate until %s: %s', (validTo, expected) => {
    expect(status(WITH_TLS, certificateUntil(validTo))[1]).toBe(expected);
  });
});
