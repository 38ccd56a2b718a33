import { createRequire } from 'node:module';
import { callbackify } from 'node:util';
import createKnex from 'knex';
import type { PoolClient } from 'pg';
import { expect, test } from 'vitest';
import {
  beginTransaction,
  dialectOf,
  isFrame,
  methodsOf,
  onQuery,
  READ_BY_KNEX,
} from '../../../src/db/knex/insides.ts';
import { KNEX_METHODS } from '../../../src/db/knex/knex-methods.ts';
import { withClient } from '../../../src/db/transaction.ts';
import { createDatabase } from '../../support/database.ts';

const require = createRequire(import.meta.url);

/** A connection that tells the texts that Knex sends to it, and the properties of answers that Knex reads. */
function listening(client: PoolClient) {
  const texts: string[] = [];
  const read = new Set<string | symbol>();
  const proxy = new Proxy(client, {
    get(target, property) {
      if (property !== 'query') return Reflect.get(target, property, target) as unknown;
      return (query: { text?: string } | string, callback: (error: unknown, answer?: object) => void) => {
        texts.push(typeof query === 'string' ? query : (query.text ?? ''));
        const asRead = (answer: object) =>
          new Proxy(answer, {
            get(answer, key) {
              read.add(key);
              return Reflect.get(answer, key, answer) as unknown;
            },
          });
        const sent = target.query(query as string).then(asRead);
        return typeof callback === 'function' ? callbackify(() => sent)(callback) : sent;
      };
    },
  });
  return { proxy, texts, read };
}

test('this version of Knex does inside what tenantctl relies on', async () => {
  expect((require('knex/package.json') as { version: string }).version).toMatch(/^3\.3\./);
  const database = await (await createDatabase()).open();
  const knex = createKnex({ client: 'pg' });
  await withClient(database, async (client) => {
    const { proxy, texts, read } = listening(client);
    const kinds: boolean[] = [];
    const begin = async () => {
      const transaction = await knex.transaction({ connection: proxy });
      onQuery(transaction, (isRaw) => kinds.push(isRaw));
      return transaction;
    };
    const first = await begin();
    await first.schema.createTable('a', (table) => table.integer('b'));
    expect(read.delete(READ_BY_KNEX)).toBe(true);
    expect([...read].filter((key) => key !== 'then')).toEqual([]);
    await first.raw('SELECT 1');
    expect([...read].filter((key) => key !== 'then')).toEqual([]);
    await first.rollback();
    await (await begin()).commit();
    expect(texts).toEqual([
      'BEGIN;',
      'create table "a" ("b" integer)',
      'SELECT 1',
      'ROLLBACK',
      'BEGIN;',
      'COMMIT;',
    ]);
    expect(texts.map(isFrame)).toEqual([true, false, false, true, true, true]);
    expect(kinds.slice(0, 2)).toEqual([false, true]);

    class OneConnection extends dialectOf(createKnex) {
      override acquireConnection = () => Promise.resolve(proxy);
      override releaseConnection = () => Promise.resolve();
    }
    await createKnex({ client: OneConnection as never }).raw('SELECT 2');
    expect(texts.at(-1)).toBe('SELECT 2');

    const alone = new OneConnection({ client: OneConnection });
    const transaction = await beginTransaction(alone, { schema: 'a' });
    const nested = await transaction.transaction();
    await nested.raw('SELECT 3');
    expect(texts.slice(-3)).toEqual(['BEGIN;', expect.stringMatching(/^SAVEPOINT trx/), 'SELECT 3']);
    // Nested transactions share it: a migration's clients are known by it.
    expect((nested.client as typeof alone).config).toBe(alone.config);
    expect(transaction.userParams).toEqual({ schema: 'a' });
    await transaction.rollback();
  });
});

test('the builders of Knex have the methods that are listed, and one that an application adds is another', () => {
  expect(methodsOf(createKnex)).toEqual(KNEX_METHODS);
  createKnex.QueryBuilder.extend('ofAnApplication', function () {
    return this;
  });
  expect(methodsOf(createKnex)).toEqual(new Set([...KNEX_METHODS, 'ofAnApplication']));
});
