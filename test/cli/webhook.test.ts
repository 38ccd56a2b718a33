import { randomBytes } from 'node:crypto';
import { mkdir, readFile, symlink } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { Webhook } from 'svix';
import { expect, onTestFinished, test, vi } from 'vitest';
import { startChild } from '../support/child.ts';
import { tenantctl } from '../support/cli.ts';
import { createDatabase } from '../support/database.ts';
import { usualProject } from '../support/project.ts';
import { silentProxy } from '../support/silent-proxy.ts';
import { seededRandom, shuffled } from '../faults/random.ts';

const ROOT = join(import.meta.dirname, '../..');

/** The webhook that the README prints, and the example. */
const WEBHOOKS = {
  "the README's webhook": async () =>
    /```js\n(\/\/ webhook\.mjs\n.*?)```/s.exec(await readFile(join(ROOT, 'README.md'), 'utf8'))?.[1],
  'the example': async () => readFile(join(ROOT, 'examples/webhook/webhook.mjs'), 'utf8'),
};

/** Milliseconds. The webhooks answer after ten seconds, and Clerk waits for fifteen: a test has less time. */
const ANSWER_WITHIN_MS = 3_000;
const LIMIT_MS = ANSWER_WITHIN_MS + 5_000;

/** A webhook in a project that has installed the package. */
async function startWebhook(which: keyof typeof WEBHOOKS) {
  const code = (await WEBHOOKS[which]())?.replace('10_000', String(ANSWER_WITHIN_MS));
  const project = await usualProject({ 'webhook.mjs': code ?? '' });
  await mkdir(join(project.folder, 'node_modules'));
  await symlink(ROOT, join(project.folder, 'node_modules/tenantctl'));
  await symlink(join(ROOT, 'node_modules/svix'), join(project.folder, 'node_modules/svix'));
  const testDatabase = await createDatabase();
  const proxy = await silentProxy(testDatabase);
  const env = {
    ...proxy.env,
    PORT: String(await freePort()),
    CLERK_WEBHOOK_SIGNING_SECRET: `whsec_${randomBytes(24).toString('base64')}`,
  };
  const call = { cwd: project.folder, env };
  const child = startChild(process.execPath, ['webhook.mjs'], call);
  onTestFinished(async () => {
    child.kill('SIGKILL');
    await child.done;
  });
  const url = `http://127.0.0.1:${env.PORT}`;
  await vi.waitUntil(async () => fetch(url).catch(() => undefined), { timeout: 30_000 });
  const webhook = new Webhook(env.CLERK_WEBHOOK_SIGNING_SECRET);
  const deliver = async (body: string, signature?: string, sentAt = new Date()) => {
    const response = await fetch(url, {
      method: 'POST',
      body,
      headers: {
        'svix-id': 'msg_1',
        'svix-timestamp': String(Math.floor(sentAt.getTime() / 1000)),
        'svix-signature': signature ?? webhook.sign('msg_1', sentAt, body),
      },
    });
    return `${response.status} ${(await response.text()).trim()}`;
  };
  return { deliver, migrateMaster: () => tenantctl(['migrate', 'master'], call), proxy, ...testDatabase };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

const event = (type: string, id: string) => JSON.stringify({ type, object: 'event', data: { id } });

test.each(Object.keys(WEBHOOKS) as (keyof typeof WEBHOOKS)[])(
  '%s provisions and suspends what Clerk has signed, once, and answers so that Clerk asks again where that helps',
  async (which) => {
    const { deliver, migrateMaster, query } = await startWebhook(which);
    const created = event('organization.created', 'org_2abc123def456');
    const deleted = event('organization.deleted', 'org_2abc123def456');

    // Somebody must look: the registry is not there yet. The same event delivered again finishes the job.
    expect(await deliver(created)).toMatch(/^500 REGISTRY_ABSENT$/);
    expect((await migrateMaster()).exitCode).toBe(0);
    expect(await deliver(created)).toBe('200 tid_94ecab17f8 provisioned');
    expect(await deliver(created)).toBe('200 tid_94ecab17f8 already-active');

    expect(await deliver(deleted)).toBe('200 tid_94ecab17f8 suspended');
    expect(await deliver(deleted)).toBe('200 tid_94ecab17f8 already-suspended');
    expect(await deliver(event('organization.updated', 'org_2abc123def456'))).toBe('200 nothing to do');
    // An old event that arrives again does not bring a deleted organization back.
    expect(await deliver(created)).toMatch(/^200 .* is SUSPENDED/);

    expect(await deliver(event('organization.created', 'org_forged'), 'v1,AAAA')).toMatch(/^400 /);
    const anHourAgo = new Date(Date.now() - 3_600_000);
    expect(await deliver(event('organization.created', 'org_replayed'), undefined, anHourAgo)).toMatch(
      /^400 /,
    );
    expect(await deliver('{"type":"organization.created",')).toMatch(/^400 /);
    expect(await deliver(event('user.created', 'user_1'))).toMatch(/^200 nothing to do$/);
    expect(await deliver(event('organization.created', ' '))).toMatch(/^422 /);
    expect(await query('SELECT clerk_org_id AS id, status FROM public.tenants ORDER BY 1')).toEqual([
      { id: 'org_2abc123def456', status: 'SUSPENDED' },
    ]);
  },
);

test.each(Object.keys(WEBHOOKS) as (keyof typeof WEBHOOKS)[])(
  '%s: in a storm of 200 events in any order, each is answered in time and done once, and a deleted organization is not in use',
  async (which) => {
    const { deliver, migrateMaster, query, proxy } = await startWebhook(which);
    expect((await migrateMaster()).exitCode).toBe(0);
    const ids = Array.from({ length: 50 }, (_, at) => `org_${at}`);
    const isDeleted = (_: string, at: number) => at % 2 === 0;
    const events = [
      ...ids.flatMap((id) => ['created', 'updated', 'created'].map((verb) => ({ verb, id }))),
      ...ids.filter(isDeleted).flatMap((id) => [1, 2].map(() => ({ verb: 'deleted', id }))),
    ];
    // What is not acknowledged is delivered again.
    let left = shuffled(events, seededRandom(1));
    let longestMs = 0;
    for (let delivery = 0; left.length > 0 && delivery < 20; delivery += 1) {
      const answers = await Promise.all(
        left.map(async ({ verb, id }) => {
          const beganAt = performance.now();
          const answer = await deliver(event(`organization.${verb}`, id));
          longestMs = Math.max(longestMs, performance.now() - beganAt);
          return answer;
        }),
      );
      expect(answers.filter((answer) => !/^(?:200|503) /.test(answer))).toEqual([]);
      left = left.filter((_, at) => answers[at]?.startsWith('503') === true);
    }
    expect(left).toEqual([]);
    const rows = await query<{ id: string; status: string }>(
      'SELECT clerk_org_id AS id, status FROM public.tenants',
    );
    expect(Object.fromEntries(rows.map(({ id, status }) => [id, status]))).toEqual(
      Object.fromEntries(ids.map((id, at) => [id, isDeleted(id, at) ? 'SUSPENDED' : 'ACTIVE'])),
    );

    // Then the network loses every packet.
    proxy.fallSilent();
    const beganAt = performance.now();
    const lost = ['created', 'deleted'].map((verb) => deliver(event(`organization.${verb}`, 'org_late')));
    for (const answer of await Promise.all(lost)) expect(answer).toMatch(/^503 /);
    expect(Math.max(longestMs, performance.now() - beganAt)).toBeLessThan(LIMIT_MS);
  },
);
