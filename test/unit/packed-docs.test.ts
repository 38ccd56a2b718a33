import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize, relative } from 'node:path';
import { expect, test } from 'vitest';

const ROOT = join(import.meta.dirname, '../..');
const { files } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
  files: readonly string[];
};

/** npm packs these whatever package.json says. */
const isPacked = (path: string) =>
  /^(?:README\.md|LICENSE|package\.json)$/.test(path) ||
  files.some((packed) => path === packed || path.startsWith(`${packed}/`));

const pages = [
  ...readdirSync(ROOT),
  ...readdirSync(join(ROOT, 'docs'), { recursive: true, encoding: 'utf8' }).map((path) => `docs/${path}`),
  ...files,
].filter((path) => path.endsWith('.md') && isPacked(path));

/** What a link to a heading must say: https://docs.github.com/en/get-started/writing-on-github */
const anchorOf = (heading: string) =>
  heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
    .trim()
    .replaceAll(' ', '-');

test.each([...new Set(pages)])(
  'every link of %s leads to a file of the package, and to a heading of it',
  (page) => {
    const text = readFileSync(join(ROOT, page), 'utf8').replaceAll(/```.*?```/gs, '');
    for (const [, target = ''] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^[a-z]+:/.test(target)) continue;
      const [path = '', anchor] = target.split('#');
      const file = path === '' ? page : relative(ROOT, join(ROOT, dirname(page), path));
      expect({ target, exists: existsSync(join(ROOT, file)) }).toEqual({ target, exists: true });
      expect({ target, isPacked: isPacked(normalize(file)) || files.includes(file) }).toEqual({
        target,
        isPacked: true,
      });
      if (anchor === undefined) continue;
      const headings = [...readFileSync(join(ROOT, file), 'utf8').matchAll(/^#+ (.+)$/gm)];
      expect(headings.map(([, heading = '']) => anchorOf(heading))).toContain(anchor);
    }
  },
);
