import { Client } from 'pg';
import { selectSchemaBefore, toSchemaBefore } from '../../src/core/guard/before.ts';
import { look } from '../../src/core/guard/effects.ts';
import type { Bench } from '../bench.ts';
import { knexHistory } from '../fleet/histories.ts';
import { findingOf, type Finding } from '../report/finding.ts';
import { median } from '../report/median.ts';
import type { PartResult } from '../report/report.ts';
import { withWarmFleet } from '../stage.ts';
import { measureAddition, ROUNDS_MORE } from '../wire/addition.ts';

/** The check of each string's locks. */
const LOOK = /\nCALL tenantctl\.stay_within\([^\n]*\)\n;/g;

/** Number of full checks; the first fill the session's catalog cache. */
const LOOKS = 12;
const WARMING = 2;

/** A migration's work before the check. Counters show that the first one wrote only its own schema. */
const DEEDS = {
  'an ALTER TABLE': 'ALTER TABLE chat_messages ADD COLUMN model text',
  'a migration that makes it search every large catalog': `CREATE TABLE prompts (id bigserial PRIMARY KEY, text varchar(20) NOT NULL UNIQUE);
    ALTER TABLE chat_messages ADD COLUMN prompt bigint DEFAULT 1 REFERENCES prompts;
    CREATE FUNCTION one() RETURNS int LANGUAGE sql AS 'SELECT 1'; ALTER TABLE prompts RENAME text TO words`,
} as const;

/** The guard's cost: the lock check in each tenant's string, and a full check among many schemas. */
export async function measureGuard(bench: Bench): Promise<PartResult> {
  const { tenants, guardedTenants } = bench.settings;
  const { measurements, percent } = bench.hasPsql
    ? await measureAddition(bench, { without: 'psql-no-guard', pattern: LOOK, replacement: '' })
    : { measurements: [], percent: undefined };
  const shallow = findingOf(percent, {
    what: 'add: time added by the check of the locks',
    tenants,
    unit: '%',
    bar: { kind: 'at most', limit: 25, tenants: 1000 },
  });
  return {
    measurements,
    findings: [...shallow, ...(await looksInFull(bench, guardedTenants))],
    notes: [
      `Each round of strings was measured ${ROUNDS_MORE} times. A full check is what the guard notes before the migration and reads after it, on one connection; median of ${LOOKS - WARMING}.`,
    ],
  };
}

async function looksInFull(bench: Bench, tenants: number): Promise<Finding[]> {
  return withWarmFleet(bench, tenants, knexHistory, async ({ url, tenants: [tenant] }) => {
    if (tenant === undefined) return [];
    const client = new Client({ connectionString: url });
    await client.connect();
    try {
      const findings: Finding[] = [];
      for (const [what, deed] of Object.entries(DEEDS)) {
        const times: number[] = [];
        for (let nth = 0; nth < LOOKS; nth += 1) times.push(await lookInFull(client, tenant.schema, deed));
        const value = median(times.slice(WARMING));
        bench.say(`a full check after ${what}: ${value.toFixed(1)} ms`);
        findings.push({
          what: `a full check after ${what}`,
          tenants,
          value,
          unit: 'ms',
          bar: { kind: 'at most', limit: 500, tenants: 10_000 },
        });
      }
      return findings;
    } finally {
      await client.end();
    }
  });
}

/** @returns the guard's milliseconds, without the migration */
async function lookInFull(client: Client, schema: string, deed: string): Promise<number> {
  await client.query(`BEGIN; SET LOCAL search_path TO ${schema}, public`);
  const started = performance.now();
  const { rows } = await client.query(selectSchemaBefore(schema));
  const noted = performance.now();
  await client.query(deed);
  const done = performance.now();
  await look(client, schema, toSchemaBefore(rows[0]), {
    regain: [],
    columns: true,
  });
  const looked = performance.now();
  await client.query('ROLLBACK');
  return noted - started + (looked - done);
}
