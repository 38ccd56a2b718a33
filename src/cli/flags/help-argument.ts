/** Moves --help to the end, so that it is about the command wherever it stands. */
export function settleHelp(args: readonly string[]): string[] {
  const end = args.indexOf('--') === -1 ? args.length : args.indexOf('--');
  const isHelp = (word: string) => word === '--help' || word === '-h';
  const [words, rest] = [args.slice(0, end), args.slice(end)];
  return [...words.filter((word) => !isHelp(word)), ...words.filter(isHelp), ...rest];
}
