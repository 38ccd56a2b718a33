const COMMANDS = new Set([
  'init',
  'doctor',
  'make',
  'migrate',
  'rollback',
  'tenant',
  'resolve',
  'status',
  'runs',
  'help',
]);
/** Commands behind which a word may be an argument of their own. */
const WITH_ARGUMENTS = new Set(['make', 'tenant', 'resolve', 'runs']);
const LOOKS_LIKE_A_FOLDER = /^\.|[/\\]/;

/**
 * `--embedded [dir]` may stand anywhere, with or without its folder, so the word behind it has to be told apart from a
 * command (`--embedded migrate master`) and from a command's own argument (`tenant provision --embedded org_1`): there
 * a folder must look like one. The result says it unmistakably: `--embedded=dir`, or `--embedded=` for the default.
 */
export function settleEmbedded(args: readonly string[]): string[] {
  const settled: string[] = [];
  let command: string | undefined;
  for (let at = 0; at < args.length; at += 1) {
    const word = args[at] ?? '';
    if (word === '--') return [...settled, ...args.slice(at)];
    if (word !== '--embedded') {
      if (!word.startsWith('-')) command ??= COMMANDS.has(word) ? word : undefined;
      settled.push(word);
      continue;
    }
    const next = args[at + 1];
    if (next !== undefined && isFolder(next, command)) {
      settled.push(`--embedded=${next}`);
      at += 1;
    } else settled.push('--embedded=');
  }
  return settled;
}

function isFolder(word: string, command: string | undefined): boolean {
  if (word === '' || word.startsWith('-')) return false;
  if (LOOKS_LIKE_A_FOLDER.test(word)) return true;
  if (command === undefined) return !COMMANDS.has(word);
  if (WITH_ARGUMENTS.has(command)) return false;
  return !['master', 'tenants', 'all'].includes(word);
}
