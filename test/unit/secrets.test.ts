import { inspect } from 'node:util';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { TenantctlError } from '../../src/errors.ts';
import { identifier } from '../../src/db/sql.ts';
import { createConcealer, maskSecrets, secretsOf } from '../../src/secrets.ts';

const CANARY = 'k4n4ry-pa55';

describe('what has the form of a secret is masked', () => {
  test.for<readonly [string, string]>([
    [`cannot open postgres://app:${CANARY}@db:5432/x?a=b`, 'cannot open postgres://app:***@db:5432/x?a=b'],
    [`postgres:/app:${CANARY}@db/x`, 'postgres:/app:***@db/x'],
    [`redis://:${CANARY}@cache`, 'redis://:***@cache'],
    [`postgres://app:${CANARY}/@/@db/x`, 'postgres://app:***@db/x'],
    [`postgres://db/x?user=a&password=${CANARY}&b=c`, 'postgres://db/x?user=a&password=***&b=c'],
    [`host=db password=${CANARY} user=app`, 'host=db password=*** user=app'],
    [`5432 DB_PASSWORD=${CANARY}`, '5432 DB_PASSWORD=***'],
    [`CREATE ROLE a PASSWORD '${CANARY}' LOGIN`, "CREATE ROLE a PASSWORD '***' LOGIN"],
    [`alter role a password E'${CANARY}\\'x' login`, "alter role a password '***' login"],
    [`ALTER ROLE a PASSWORD '${CANARY}''x' LOGIN`, "ALTER ROLE a PASSWORD '***' LOGIN"],
    [`ALTER ROLE a PASSWORD $q$${CANARY}'$q$ LOGIN`, 'ALTER ROLE a PASSWORD $q$***$q$ LOGIN'],
    [`ALTER ROLE a PASSWORD/* new */'${CANARY}'`, "ALTER ROLE a PASSWORD/* new */'***'"],
    [`ALTER ROLE a PASSWORD -- new\n'${CANARY}'`, "ALTER ROLE a PASSWORD -- new\n'***'"],
    [
      `ALTER ROLE a PASSWORD/* a /* new */ one */'${CANARY}'`,
      "ALTER ROLE a PASSWORD/* a /* new */ one */'***'",
    ],
    [`ALTER ROLE a PASSWORD 'first'\n  '${CANARY}' LOGIN`, "ALTER ROLE a PASSWORD '***' LOGIN"],
    [`ALTER ROLE a PASSWORD 'first' -- and\n '${CANARY}'`, "ALTER ROLE a PASSWORD '***'"],
    [`OPTIONS ("user" 'a', "password" '${CANARY}')`, `OPTIONS ("user" 'a', "password" '***')`],
    [`DO 'ALTER ROLE a PASSWORD ''it''''s ${CANARY}''; END'`, "DO 'ALTER ROLE a PASSWORD ''***''; END'"],
    [`format('ALTER ROLE a PASSWORD ''%s''', '${CANARY}')`, "format('ALTER ROLE a PASSWORD ''%s''', '***')"],
    [`format($f$ALTER ROLE a PASSWORD %L$f$, '${CANARY}')`, "format($f$ALTER ROLE a PASSWORD %L$f$, '***')"],
    [`concat('PASSWORD ', quote_literal('${CANARY}'))`, "concat('PASSWORD ', quote_literal('***'))"],
    [`Key (api_secret)=(${CANARY}) already exists.`, 'Key (api_secret)=(*** already exists.'],
    [`password=''${CANARY}${'x'.repeat(1_000)}''`, "password=''***''"],
    [`ALTER ROLE a PASSWORD'${CANARY}'`, "ALTER ROLE a PASSWORD'***'"],
    [`ALTER ROLE a PASSWORD U&'${CANARY}'`, "ALTER ROLE a PASSWORD '***'"],
    [`CONNECTION 'host=x password=''my ${CANARY}'''`, "CONNECTION 'host=x password=''***'''"],
    [`CONNECTION E'password=\\'my ${CANARY}\\' x'`, "CONNECTION E'password=\\'***\\' x'"],
    [`'password=my\\ ${CANARY} user=a'`, "'password=*** user=a'"],
    [
      `DO 'EXECUTE ''ALTER ROLE a PASSWORD ''''${CANARY}'''' '''`,
      "DO 'EXECUTE ''ALTER ROLE a PASSWORD ''''***'''' '''",
    ],
    [
      `format('ALTER ROLE a PASSWORD %L', '${CANARY}'); 'b'`,
      "format('ALTER ROLE a PASSWORD %L', '***'); 'b'",
    ],
    [
      `'ALTER ROLE a PASSWORD ' || quote_literal('${CANARY}')`,
      "'ALTER ROLE a PASSWORD ' || quote_literal('***')",
    ],
    [`SET password = crypt('${CANARY}', 'x')`, "SET password = crypt('***', '***')"],
    [`SET app.password TO '${CANARY}'`, "SET app.password TO '***'"],
    [`VALUES ('smtp_password', '${CANARY}'), ('a', 'b')`, "VALUES ('smtp_password', '***'), ('a', 'b')"],
    [`{"a":"{\\"password\\":\\"${CANARY}\\",\\"b\\":1}"}`, '{"a":"{\\"password\\":\\"***\\",\\"b\\":1}"}'],
    [`'http://cdn:8080/a',0),('http://u:${CANARY}@b'`, "'http://cdn:8080/a',0),('http://u:***@b'"],
    [`ALTER ROLE a PASSWORD '${CANARY}`, "ALTER ROLE a PASSWORD '***'"],
    [`OPTIONS (user 'a', password '${CANARY}')`, "OPTIONS (user 'a', password '***')"],
    [`dblink('dbname=x password=${CANARY}')`, "dblink('dbname=x password=***')"],
    [`UPDATE s SET client_secret = '${CANARY}'`, "UPDATE s SET client_secret = '***'"],
    [`{"user":"a","password":"${CANARY}"}`, '{"user":"a","password":"***"}'],
  ])('%s', ([text, masked]) => {
    expect(maskSecrets(text)).toBe(masked);
    expect(maskSecrets(masked)).toBe(masked);
  });

  test.for([
    'is not a URL of the form postgres://user:password@host:port/database',
    "ALTER ROLE a PASSWORD '<the value of DB_PASSWORD>';",
    'The server at db:5432 refused the password of app.',
    'Check DB_USER and DB_PASSWORD.',
    'column "password" of relation "users" does not exist',
    'insert into "users" ("email", "password", "updated_time") values ($1, $2, $3)',
    "column 'password' of 'users'",
    "PASSWORD '' VALID UNTIL '2027'",
    '{"password":"","a":"b"}',
    'CREATE TABLE a (password varchar(255) NOT NULL)',
    'SELECT * FROM a WHERE password = $1',
    'https://github.com/pgvector/pgvector#installation',
    "password ''",
  ])('what is none stays: %s', (text) => {
    expect(maskSecrets(text)).toBe(text);
  });

  test.for([
    'a',
    'ab:',
    'x://a:',
    "password '",
    "E'\\",
    '$a$',
    'password $a$',
    'secret_',
    '@',
    'x://a:b@',
    "secret'x",
    "('http://cdn:80/a.png'),",
    '"password":"a",',
    'password/*',
    "password''a",
    "password %L'",
    "password'||",
    'password=crypt(a ',
    'password/*/*',
    "password ''''",
  ])('in time that grows with the length of the text: %s, again and again', { timeout: 60_000 }, (part) => {
    // In time that grows with its square, a text of a million characters would take hours.
    const text = part.repeat(1_000_000 / part.length);
    expect(maskSecrets(text).length).toBeLessThanOrEqual(text.length * 1.5);
  });

  test('a value of ten million characters is masked', () => {
    expect(maskSecrets(`password=${'x'.repeat(10_000_000)}`)).toBe('password=***');
  });

  test('whatever the password is, a URL that holds it is told without it', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', minLength: 1 }), fc.string(), (password, tail) => {
        fc.pre(password !== 'password' && password.isWellFormed());
        const url = `postgres://app:${encodeURIComponent(password)}@db/x`;
        expect(maskSecrets(`${url} ${tail}`).startsWith('postgres://app:***@')).toBe(true);
      }),
      { numRuns: 500 },
    );
  });
});

describe('a secret that is known', () => {
  const awkward = `it's "k4n4ry" \\ $& .*+?[(|^%41@:/#é😀`;

  test.for([
    ['as it is', (text: string) => text],
    ['in a URL', encodeURIComponent],
    ['in JSON', (text: string) => JSON.stringify(text)],
    ['in SQL', (text: string) => `'${text.replaceAll("'", "''")}'`],
    ['by Knex', (text: string) => text.replaceAll('?', '$1').split('.').map(identifier).join('.')],
  ] as const)('is masked %s, whatever its characters mean elsewhere', ([, write]) => {
    const conceal = createConcealer([awkward]);
    expect(conceal(`<${write(awkward)}> and ${write(awkward)}`)).not.toContain('k4n4ry');
    expect(conceal('it is fine')).toBe('it is fine');
  });

  test.for(['hunter2', 'correct horse battery', 'correcthorsebatteries', '31415926535', 'sesame'])(
    'is masked where it stands alone, however plain it is: %s',
    (word) => {
      const conceal = createConcealer([word]);
      expect(conceal(`no login with ${word}, x:${word}@y "${word}"`)).toBe(
        'no login with ***, x:***@y "***"',
      );
      expect(conceal(`un${word}s`)).toBe(`un${word}s`);
    },
  );

  test.for(['a', 'abc', 'postgres', 'tenantctl', 'password', ''])(
    'stays if it is very short or a word of the texts: "%s"',
    (word) => {
      const text = 'a password of abc: the role postgres, tenantctl doctor';
      expect(createConcealer([word])(text)).toBe(text);
    },
  );

  test('of two, one within the other, both are masked', () => {
    expect(createConcealer([CANARY, `${CANARY}-and-more`])(`${CANARY}-and-more ${CANARY}`)).toBe('*** ***');
  });

  test('comes from password variables and from URLs, as written there and decoded', () => {
    const encoded = encodeURIComponent(awkward);
    expect(
      secretsOf({
        DB_PASSWORD: 'one',
        PGPASSWORD: 'two',
        DATABASE_URL: `postgres://u:${encoded}@h/d?password=three`,
        DB_USER: 'app_owner1',
        OTHER_PASSWORD: 'app_owner1',
        ASK_PASSWORD: 'true',
        PATH: '/bin:/usr/bin',
      }),
    ).toEqual(['one', 'two', encoded, awkward, 'three', 'three']);
  });
});

describe('an error', () => {
  const everything = (error: unknown) =>
    [
      inspect(error, { depth: Infinity, showHidden: true, getters: true }),
      JSON.stringify(error),
      String(error),
      String((error as Error).stack),
    ].join('\n');

  test('holds no password of a statement, nor does the message of a server that repeats it', () => {
    const error = new TenantctlError('MIGRATION_FAILED', `syntax error at or near "${CANARY}"`, {
      statement: `ALTER ROLE a PASSWORD '${CANARY}' LOGNI`,
      details: [`DETAIL: ${CANARY}`],
      cause: new Error(`ALTER ROLE a PASSWORD '${CANARY}' LOGNI - syntax error`),
    });
    expect(everything(error)).not.toContain(CANARY);
    expect(error.message).toBe('syntax error at or near "***"');
  });

  test('keeps as much of each text as can be stored, the place of a mistake, and no part of a secret', () => {
    const secret = 'correct horse battery';
    const filler = 'x '.repeat(2_000_000);
    const error = new TenantctlError('MIGRATION_FAILED', `${'y'.repeat(1_960)} ${secret} ${filler}`, {
      statement: `${'z'.repeat(290)} ${secret} ${filler}HERE ${secret} ${filler}\ud83d`,
      offset: filler.length + 312,
      hint: 'é'.repeat(5_000),
      details: [`PASSWORD '${filler}`],
      cause: new Error(filler),
    }).concealing(createConcealer([secret]));
    const { message, statement = '', hint = '', details = [] } = error;
    for (const text of [message, statement, hint, ...details]) expect(text.length).toBeLessThan(2_200);
    expect(JSON.stringify(error)).not.toMatch(/corr|tery|\\ud83d/);
    expect(statement).toContain('HERE *** x');
    expect(statement).toMatch(/^z+ \*\*\* \[\.\.\.\] .* \[\.\.\.\] \(8\d{6} characters\)$/);
    expect(error.with({}).toJSON()).toEqual(error.toJSON());
    expect(String((error.cause as Error).stack).length).toBeLessThan(2_200);
  });

  test('keeps its cause where there is text in it only, and that text where there is more', () => {
    // A stack of any length is cut, and how long one is depends on the folders.
    const stack = 'TypeError: x\n    at f (file.js:1:1)';
    const inner = Object.assign(new Error('y'), { stack });
    const plain = Object.assign(new TypeError('x', { cause: inner }), { code: 'E', errno: -1, stack });
    expect(new TenantctlError('INTERNAL', 'x', { cause: plain }).cause).toBe(plain);

    const pool = { options: { password: CANARY } };
    const loaded = Object.assign(new TypeError('x'), { code: 'E', pool, stack });
    const { cause } = new TenantctlError('INTERNAL', 'x', { cause: loaded });
    expect(cause).toBeInstanceOf(TypeError);
    expect(cause).toMatchObject({ message: 'x', code: 'E', stack });
    expect(cause).not.toHaveProperty('pool');
  });

  test.for([
    ['an object', { password: CANARY }],
    ['a function', Object.assign(() => {}, { password: CANARY })],
    ['a Map', new Map([['password', CANARY]])],
    ['an error in an error', new Error('a', { cause: new Error('b', { cause: { password: CANARY } }) })],
    [
      'several errors',
      new AggregateError([Object.assign(new Error('a'), { db: { password: CANARY } })], 'x'),
    ],
    ['a symbol', Object.assign(new Error('a'), { [Symbol('db')]: { password: CANARY } })],
    ['a hidden property', Object.defineProperty(new Error('a'), 'db', { value: { password: CANARY } })],
    ['a URL', Object.assign(new Error('Invalid URL'), { input: `postgres://u:${CANARY}@h/d` })],
  ] as const)('lets go of %s that is its cause', ([, cause]) => {
    expect(everything(new TenantctlError('INTERNAL', 'x', { cause }))).not.toContain(CANARY);
  });

  test('whose causes go in a circle comes to an end', () => {
    const cause = Object.assign(new Error('a'), { db: { password: CANARY } });
    cause.cause = cause;
    expect(everything(new TenantctlError('INTERNAL', 'x', { cause }))).not.toContain(CANARY);
  });

  test('is itself where there is nothing to conceal in it, and else tells the rest', () => {
    const conceal = createConcealer([CANARY]);
    const error = new TenantctlError('INTERNAL', 'x', { hint: 'y', cause: new Error('z') });
    expect(error.concealing(conceal)).toBe(error);
    const cause = new TenantctlError('DATABASE_ERROR', CANARY);
    const leaky = new TenantctlError('INTERNAL', `${CANARY}!`, { hint: CANARY, sqlstate: '42601', cause });
    const concealed = leaky.concealing(conceal);
    expect(everything(concealed)).not.toContain(CANARY);
    expect(concealed).toMatchObject({ code: 'INTERNAL', message: '***!', hint: '***', sqlstate: '42601' });
    expect(concealed.cause).toMatchObject({ code: 'DATABASE_ERROR', message: '***' });
  });
});
