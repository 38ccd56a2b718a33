import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';
import { createFleet } from '../support/fleet.ts';
import { generatePrismaClient } from '../support/prisma-client.ts';
import { createTable, usualProject } from '../support/project.ts';
import { readRecipe } from '../support/recipe.ts';

const MODELS = `datasource db {
  provider = "postgresql"
}
model Note {
  id    Int    @id @default(autoincrement())
  title String
  @@map("notes")
}
`;

/** What each example prints. Knex and Drizzle work for org_a, Kysely and Prisma for org_b. */
const PRINTED = {
  'with-knex.mjs': "[ 'first', 'second' ]\n",
  'with-kysely.mjs': "[ 'first' ]\n",
  'with-drizzle.mjs': "[ 'first', 'second', 'third' ]\n",
  'with-prisma.ts': "[ 'first', 'second' ]\n",
};

test('the examples for Knex, Kysely, Drizzle and Prisma do what the page says, from the built package', async () => {
  const notes = createTable('notes', 'id serial PRIMARY KEY, title text NOT NULL');
  const project = await usualProject({ 'migrations/tenants/20250101000001_notes.sql': notes });
  const fleet = await createFleet(['org_a', 'org_b'], { project });
  const generated = await generatePrismaClient(MODELS);
  onTestFinished(() => generated.remove());
  const { folder } = generated;
  const examples = await readRecipe('../application-orms.md');
  const printed: Record<string, string> = {};
  for (const [name, code] of examples) {
    await writeFile(join(folder, name), code);
    const env = { ...process.env, DATABASE_URL: fleet.testDatabase.url };
    const { stdout } = await promisify(execFile)(process.execPath, [name], { cwd: folder, env });
    printed[name] = stdout;
  }
  expect(printed).toEqual(PRINTED);
  await writeFile(
    join(folder, 'entries.cjs'),
    `for (const name of ['tenants', 'knex', 'kysely', 'drizzle', 'prisma']) require('tenantctl/' + name);
const isKnex = (path) => /node_modules\\/knex\\/|dist\\/knex\\.cjs/.test(path);
console.log(Object.keys(require.cache).filter(isKnex));`,
  );
  const { stdout } = await promisify(execFile)(process.execPath, ['entries.cjs'], { cwd: folder });
  expect(stdout).toBe('[]\n');
});
