import { spawnSync } from 'node:child_process';

/*
 * Fails on known vulnerabilities: any in what the package depends on, high and critical ones in what it is developed
 * with. Where nobody answers that knows of vulnerabilities, that is said, and nothing fails: neither a registry's bad
 * day nor a machine without a network says anything about this project.
 */

interface Advisory {
  readonly module_name: string;
  readonly severity: string;
  readonly title: string;
  readonly url: string;
}

interface Answer {
  readonly error?: { readonly code: string; readonly message: string };
  readonly advisories?: Readonly<Record<string, Advisory>>;
}

const GRAVE = new Set(['high', 'critical']);

/** @returns the advisories; undefined, with the reason on stderr, where nobody answers */
function audit(extent: '--prod' | '--dev'): Advisory[] | undefined {
  const pnpm = process.env.npm_execpath;
  if (pnpm === undefined) throw new Error('Run it by pnpm: pnpm check:audit');
  const isScript = /\.[cm]?js$/.test(pnpm);
  const { stdout, stderr } = spawnSync(
    isScript ? process.execPath : pnpm,
    [...(isScript ? [pnpm] : []), 'audit', extent, '--json'],
    { encoding: 'utf8', timeout: 60_000 },
  );
  const answer = read(stdout);
  if (answer?.advisories !== undefined) return Object.values(answer.advisories);
  const reason = answer?.error?.message ?? (stderr.trim() || 'no answer');
  console.error(`Not audited (${extent}): ${reason}`);
  return undefined;
}

function read(text: string): Answer | undefined {
  try {
    return JSON.parse(text) as Answer;
  } catch {
    return undefined;
  }
}

const found = [
  ...(audit('--prod') ?? []),
  ...(audit('--dev') ?? []).filter(({ severity }) => GRAVE.has(severity)),
];
for (const { module_name: name, severity, title, url } of found)
  console.error(`✖ ${name}: ${title} (${severity}) ${url}`);
process.exitCode = found.length > 0 ? 1 : 0;
