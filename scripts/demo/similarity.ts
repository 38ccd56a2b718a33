import { createHash } from 'node:crypto';
import { withDatabase } from '../../src/db/open.ts';
import { schemaNameFor } from '../../src/index.ts';
import type { Database } from '../../src/db/database.ts';

const SCHEMA = schemaNameFor('default_tenant');
const DIMENSIONS = 1536;

const MESSAGES = [
  'How do I give honest feedback to my manager?',
  'Our team needs clear goals for the next quarter.',
  'I would like to sleep better before a big presentation.',
];
const QUESTION = 'how to give my manager feedback';

const SEARCH = `SELECT content, round((embedding <=> $1)::numeric, 2) AS distance
FROM ${SCHEMA}.chat_messages ORDER BY embedding <=> $1 LIMIT 2`;

/** Writes a few messages into a tenant and asks which are nearest to a question. */
export async function searchMessages(directory: string) {
  const settings = { kind: 'embedded', directory, lockWaitMs: 10_000 } as const;
  const nearest = await withDatabase(settings, { maxConnections: 1 }, async (database) => {
    await writeMessages(database);
    const { rows } = await database.query<{ content: string; distance: string }>(SEARCH, [embed(QUESTION)]);
    return rows.map((row) => `${row.distance}  ${row.content}`);
  });
  return { question: QUESTION, sql: SEARCH, nearest };
}

async function writeMessages(database: Database): Promise<void> {
  await database.query(
    `INSERT INTO ${SCHEMA}.chat_messages (conversation_id, role, content, embedding)
     SELECT gen_random_uuid(), 'user', * FROM unnest($1::text[], $2::public.vector[])`,
    [MESSAGES, MESSAGES.map(embed)],
  );
}

/** A toy: each word counts in a dimension of its own. An application asks a model instead. */
function embed(text: string): string {
  const vector = Array.from({ length: DIMENSIONS }, () => 0);
  for (const word of text.toLowerCase().match(/[a-z]+/g) ?? []) {
    const dimension = createHash('md5').update(word).digest().readUInt16BE(0) % DIMENSIONS;
    vector[dimension] = (vector[dimension] ?? 0) + 1;
  }
  return JSON.stringify(vector);
}
