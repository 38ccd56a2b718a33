import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { BrowserContextOptions, ConsoleMessage, Page } from 'playwright-core';
import { chromium, type Browser } from 'playwright-core';

const run = promisify(execFile);

/** TEST_CHROMIUM names another program. */
const CANDIDATES = [process.env.TEST_CHROMIUM, 'chromium', 'chromium-browser', 'google-chrome'];

/** The path of the program; undefined if not installed. */
export async function findChromium(): Promise<string | undefined> {
  for (const program of CANDIDATES) {
    if (program === undefined) continue;
    const { stdout } = await run('sh', ['-c', 'command -v -- "$0"', program]).catch(() => ({ stdout: '' }));
    if (stdout.trim() !== '') return stdout.trim();
  }
  return undefined;
}

/** Starts it; the caller closes it. */
export async function launchChromium(): Promise<Browser> {
  const executablePath = await findChromium();
  if (executablePath === undefined) throw new Error('There is no Chromium.');
  // Its sandbox does not work as root, which containers often are.
  return chromium.launch({ executablePath, args: ['--no-sandbox'] });
}

export interface WatchedPage {
  readonly page: Page;
  /** Everything that should not be: messages on the console, errors, requests for anything but the file. */
  readonly complaints: readonly string[];
}

/** Opens a file in a browser of its own, and writes down what a reader would not see. */
export async function openFile(
  browser: Browser,
  path: string,
  options: BrowserContextOptions = {},
): Promise<WatchedPage> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on('console', (message: ConsoleMessage) => complaints.push(`${message.type()}: ${message.text()}`));
  page.on('pageerror', (error) => complaints.push(`error: ${error.message}`));
  page.on('request', (request) => {
    if (!/^(?:file|data):/.test(request.url())) complaints.push(`request: ${request.url()}`);
  });
  await page.goto(`file://${path}`);
  return { page, complaints };
}
