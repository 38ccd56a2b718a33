import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';

/**
 * The page of `report --html`: one file that loads nothing. Its policy allows this script and this style alone, so
 * nothing in the data could run, and no request is possible.
 * @param json the document of `report`
 */
export async function reportPage(json: string): Promise<string> {
  // The build writes them from src/page.
  const [script, style] = await Promise.all([readBuilt('page.js'), readBuilt('page.css')]);
  const policy = [
    `default-src 'none'`,
    `script-src ${hashOf(script)}`,
    `style-src ${hashOf(style)}`,
    'img-src data:',
    `base-uri 'none'`,
    `form-action 'none'`,
  ].join('; ');
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<link rel="icon" href="data:,">
<title>Fleet report</title>
<style>${style}</style>
</head>
<body>
<noscript>This page draws its charts and tables with JavaScript. tenantctl status and tenantctl runs show the same facts.</noscript>
<script type="application/json" id="report">${json.replaceAll('<', '\\u003c')}</script>
<script>${script}</script>
</body>
</html>
`;
}

function readBuilt(name: string): Promise<string> {
  return readFile(new URL(name, import.meta.url), 'utf8');
}

function hashOf(text: string): string {
  return `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
}
