import { inspect } from 'node:util';

/** Part of a password that contains special characters of URLs, SQL, JSON, shells and patterns. */
export const FRAGMENT = 'k4n4ry';
export const CANARY = `it's"${FRAGMENT}\\$&%41.*[@/?#é 😀`;

/** Bodies of a migration's `up` that leak the password. Variables: `secret`, and a `url` that contains it. */
export const LEAKS: Readonly<Record<string, string>> = {
  'throws an error that tells it': 'throw new Error(`cannot log in with ${secret}`);',
  'throws an error that tells the URL': 'throw new Error(`cannot reach ${url}`);',
  'throws the text itself': 'throw secret;',
  'throws an object that holds the connection':
    'throw { message: "x", connection: await knex.client.acquireConnection(), config: { ...knex.client.config, secret } };',
  'throws an error that holds the connection':
    'throw Object.assign(new Error("x"), { connection: await knex.client.acquireConnection(), client: knex.client, env: process.env });',
  'throws an error whose cause tells it':
    'throw new Error("x", { cause: new TypeError(secret, { cause: { secret } }) });',
  'throws several errors that tell it':
    'throw new AggregateError([new Error(secret), new Error(url)], secret);',
  'is told no by a parser of URLs': 'new URL(`postgres://u:${secret}@[h/d`);',
  'forgets to await what fails':
    'void Promise.reject(new Error(secret)); await new Promise((r) => setTimeout(r, 2000));',
  'throws in a callback':
    'setTimeout(() => { throw Object.assign(new Error(secret), { url }); }); await new Promise((r) => setTimeout(r, 2000));',
  'takes it for the name of a table': 'await knex(secret).select();',
  'binds it to a statement that fails': 'await knex.raw("SELECT ?::int", [secret]);',
  'writes it into a statement that fails':
    "await knex.raw(`SELECT * FROM nowhere WHERE x = '${secret.replaceAll(\"'\", \"''\")}'`);",
  'creates a role, and errs':
    "await knex.raw(`CREATE ROLE x PASSWORD '${secret.replaceAll(\"'\", \"''\")}' LOGNI`);",
  'has the server raise it':
    'await knex.raw(`DO $$ BEGIN RAISE EXCEPTION \'%\', $p$${secret}$p$ USING DETAIL = $p$${secret}$p$, HINT = $p$${url}$p$; END $$`.replaceAll("?", "\\\\?"));',
  'has the server fail in a function that holds it':
    'await knex.raw(`DO $$ BEGIN EXECUTE $p$CREATE ROLE x PASSWORD $q$${secret}$q$ LOGNI$p$; END $$`.replaceAll("?", "\\\\?"));',
};

/** Those that fail outside the command's promise chain and would crash the process. */
export const STRAY = ['forgets to await what fails', 'throws in a callback'];

const HEAD = `const secret = ${JSON.stringify(CANARY)};
const url = "postgres://u:" + encodeURIComponent(secret) + "@h/d";
`;

export function leakyMigration(body: string, config = ''): string {
  return `${HEAD}export async function up(knex) {\n${body}\n}\nexport async function down() {}\n${config}`;
}

export function leakyModule(): string {
  return `${HEAD}throw Object.assign(new Error(secret), { url });\n`;
}

/** Everything observable of a value. */
export function everythingOf(value: unknown): string {
  const seen = [
    inspect(value, { depth: Infinity, showHidden: true, getters: true, maxStringLength: null }),
    String(value),
  ];
  if (value instanceof Error) seen.push(String(value.stack));
  seen.push(JSON.stringify(value) ?? '');
  return seen.join('\n');
}
