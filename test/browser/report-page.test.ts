import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { source as axeSource } from 'axe-core';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ReportDocument } from '../../src/core/documents/report-document.ts';
import type { StatusDocument } from '../../src/core/documents/status-document.ts';
import { launchChromium, openFile } from '../support/chromium-program.ts';
import { tenantctl } from '../support/cli.ts';
import { createDatabase } from '../support/database.ts';
import { HOSTILE, hostileFleet } from '../support/hostile-fleet.ts';
import { INIT_SQL } from '../support/init-sql.ts';
import { usualProject } from '../support/project.ts';
import type { StandingFleet } from '../support/standing-fleet.ts';

let standing: StandingFleet;
let file: string;
let status: StatusDocument;
let opening: Promise<Browser> | undefined;
/** Started by the first test: without the program all are skipped. */
const browser = () => (opening ??= launchChromium());

beforeAll(async () => {
  standing = await hostileFleet();
  const { project, testDatabase } = standing.fleet;
  const place = { cwd: project.folder, env: testDatabase.env };
  const written = await tenantctl(['report', '--html', 'fleet.html'], place);
  if (written.exitCode !== 0) throw new Error(written.stderr);
  file = join(project.folder, 'fleet.html');
  status = (await tenantctl(['status', '--json'], place)).json<StatusDocument>();
});

afterAll(async () => {
  await (await opening)?.close();
  await standing.close();
});

/** What axe-core finds: missing labels, landmarks and headings, low contrast … */
async function violations(page: Page): Promise<string[]> {
  await page.evaluate(axeSource);
  return page.evaluate(async () => {
    const { axe } = globalThis as unknown as {
      axe: { run(): Promise<{ violations: { id: string; nodes: { html: string }[] }[] }> };
    };
    const { violations } = await axe.run();
    return violations.map(({ id, nodes }) => `${id}: ${nodes[0]?.html}`);
  });
}

const figuresOf = (page: Page) =>
  page
    .locator('[data-figure]')
    .evaluateAll((all) =>
      Object.fromEntries(all.map((each) => [each.getAttribute('data-figure'), Number(each.textContent)])),
    );

/** The colours in the middle of the cells of the heat map, from the first tenant on. */
function cellColours(page: Page): Promise<string[]> {
  return page.evaluate(`
    Array.from({ length: 13 }, (_, at) =>
      String(document.querySelector('#tenants canvas').getContext('2d')
        .getImageData((at * 26 + 11) * 2, 11 * 2, 1, 1).data.slice(0, 3)))`);
}

test('the page shows the numbers of status, asks for nothing, and lets no name or message act', async () => {
  const { page, complaints } = await openFile(await browser(), file);

  const { byStatus, ...classes } = status.tenants;
  expect(await figuresOf(page)).toEqual(classes);
  expect(classes).toEqual({ total: 13, upToDate: 2, behind: 3, failed: 6, notActive: 1, broken: 1 });
  expect(await page.locator('#overview').innerText()).toContain(`By status: ${byStatus.ACTIVE} ACTIVE`);
  await page.locator('#versions summary').click();
  const versions = await page.locator('#versions tbody tr').allInnerTexts();
  expect(versions).toEqual(
    status.versions.map(({ version, tenants, pending }) => `${version}\t${tenants}\t${pending}`),
  );
  const text = await page.locator('main').innerText();
  for (const name of HOSTILE) expect(text).toContain(name);
  expect(await page.locator('#runs td.wide').first().innerText()).toContain(
    `6 tenants, 20260101000003_hostile.sql: </script><img src=x onerror="globalThis.isHurt = true"> {b|rich} مرحبا`,
  );
  expect(await readFile(file, 'utf8')).not.toContain('hunter2secret');
  // The second cell is the first tenant that failed: its name is as hostile in the tooltip.
  const cells = page.locator('#tenants .chart');
  await cells.hover({ position: { x: 26 + 11, y: 11 } });
  expect(await cells.locator('.tooltip').innerText()).toContain(`${HOSTILE.toSorted()[0]}\n`);
  expect(await page.evaluate(`'isHurt' in globalThis || document.images.length > 0`)).toBe(false);
  expect(complaints).toEqual([]);
});

test('the charts follow the colour scheme, and paper is light', async () => {
  const { page } = await openFile(await browser(), file, { colorScheme: 'light' });
  const light = await cellColours(page);
  await page.emulateMedia({ colorScheme: 'dark' });
  await expect.poll(() => cellColours(page)).not.toEqual(light);
  // Broken, six that failed, three behind, one that is not active, two up to date.
  const kinds = (await cellColours(page)).map((each, _, all) => all.indexOf(each));
  expect(kinds).toEqual([0, 1, 1, 1, 1, 1, 1, 7, 7, 7, 10, 11, 11]);

  await page.evaluate(`dispatchEvent(new Event('beforeprint'))`);
  expect(await cellColours(page)).toEqual(light);
  await page.evaluate(`dispatchEvent(new Event('afterprint'))`);
  expect(await cellColours(page)).not.toEqual(light);
  expect((await page.pdf()).length).toBeGreaterThan(10_000);
});

test('everything can be reached and used by keyboard', async () => {
  const { page } = await openFile(await browser(), file);
  const focused = () => page.evaluate(`document.activeElement.textContent.trim()`);
  const rows = () => page.locator('#tenants tbody th').allInnerTexts();
  const tabTo = async (is: () => Promise<boolean>) => {
    for (let presses = 0; presses < 40; presses += 1) {
      await page.keyboard.press('Tab');
      if (await is()) return;
    }
    throw new Error('Tab does not reach it.');
  };
  const isFocused = (selector: string) => () =>
    page.evaluate<boolean>(`document.activeElement.matches('${selector}')`);

  await page.keyboard.press('Tab');
  expect(await focused()).toBe('Skip to the report');
  await page.keyboard.press('Enter');
  expect(await page.evaluate(`document.activeElement.id`)).toBe('main');

  await tabTo(isFocused('#versions summary'));
  await page.keyboard.press('Enter');
  expect(await page.locator('#versions table').isVisible()).toBe(true);
  await tabTo(isFocused('#filter'));
  await page.keyboard.type('ORG_');
  expect(await rows()).toHaveLength(7);
  expect(await page.locator('#tenants [role=status]').innerText()).toBe('7 of 13 tenants');
  await tabTo(isFocused('#state'));
  await page.keyboard.press('b');
  await tabTo(isFocused('#tenants .scroller'));
  expect(await rows()).toEqual(['org_7']);
  await page.locator('#state').selectOption('');

  await tabTo(async () => (await focused()) === 'Organization');
  await page.keyboard.press('Enter');
  expect(await rows()).toEqual(['org_1', 'org_2', 'org_3', 'org_4', 'org_5', 'org_6', 'org_7']);
  await page.keyboard.press('Space');
  expect((await rows())[0]).toBe('org_7');
  const sorted = page.locator('#tenants [aria-sort]');
  expect([await sorted.innerText(), await sorted.getAttribute('aria-sort')]).toEqual([
    'Organization',
    'descending',
  ]);
});

test.for([
  { width: 1280, colorScheme: 'light' },
  { width: 400, colorScheme: 'dark' },
] as const)('axe finds nothing to object to: $width px, $colorScheme', async ({ width, colorScheme }) => {
  const { page } = await openFile(await browser(), file, { colorScheme, viewport: { width, height: 900 } });
  await page.locator('#measure').selectOption('Size');
  for (const summary of await page.locator('summary').all()) await summary.click();

  expect(await violations(page)).toEqual([]);
  expect(await page.evaluate(`document.documentElement.scrollWidth`)).toBe(width);
});

test('2,000 tenants are drawn within seconds, and shown by parts', async () => {
  const text = await readFile(file, 'utf8');
  const [, json = ''] = /<script type="application\/json" id="report">(.*)<\/script>/.exec(text) ?? [];
  const data = JSON.parse(json) as ReportDocument;
  const tenants = Array.from({ length: 2_000 }, (_, nth) => ({
    ...data.tenants[nth % data.tenants.length],
    clerkOrgId: `org_${nth}`,
    schema: `tid_${nth}`,
  }));
  const big = join(standing.fleet.project.folder, 'big.html');
  await writeFile(
    big,
    text.replace(json, () => JSON.stringify({ ...data, tenants }).replaceAll('<', '\\u003c')),
  );

  const started = performance.now();
  const { page, complaints } = await openFile(await browser(), big);
  await page.locator('#tenants canvas').waitFor();
  expect(performance.now() - started).toBeLessThan(10_000);
  expect(await page.locator('#tenants tbody tr').count()).toBe(200);
  await page.getByRole('button', { name: 'Show 200 more of 2,000' }).click();
  expect(await page.locator('#tenants tbody tr').count()).toBe(400);
  await page.locator('#filter').fill('org_1999');
  expect(await page.locator('#tenants tbody th').allInnerTexts()).toEqual(['org_1999']);
  expect(complaints).toEqual([]);
});

test('a database without tenants and without state of tenantctl has a page, too', async () => {
  const project = await usualProject();
  const database = await createDatabase();
  await database.query(INIT_SQL.replace(/^-- migrate:up\n/, '').replace(/-- migrate:down[^]*$/, ''));
  const place = { cwd: project.folder, env: database.env };
  expect(await tenantctl(['report', '--html', 'empty.html'], place)).toMatchObject({ exitCode: 0 });

  const { page, complaints } = await openFile(await browser(), join(project.folder, 'empty.html'));
  expect(await figuresOf(page)).toMatchObject({ total: 0, failed: 0 });
  const text = await page.locator('main').innerText();
  expect(text).toContain('The registry has no tenants.');
  expect(text).toContain('The ledger has no runs.');
  expect(complaints).toEqual([]);
  expect(await violations(page)).toEqual([]);
});
