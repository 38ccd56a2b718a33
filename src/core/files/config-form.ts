import { shellWord } from '../../wording.ts';
import type { Direction, Migration } from './load.ts';

interface Config {
  readonly inTransaction: boolean;
  readonly allowOutside?: readonly string[];
  readonly allowUnparsed?: boolean;
}

/** The line that configures a migration, in the form of its file. */
export function configForm(
  { file, text }: Pick<Migration, 'file' | 'text'>,
  direction: Direction,
  { inTransaction, allowOutside = [], allowUnparsed = false }: Config,
): string {
  const isReaching = allowOutside.length > 0;
  if (file.isGiven === true && isReaching) return `--allow-outside ${allowOutside.map(shellWord).join(' ')}`;
  if (file.format === 'sql' && file.kind !== 'seed') {
    const options = [
      ...(inTransaction ? [] : ['transaction:false']),
      ...(allowUnparsed ? ['allow-unparsed'] : []),
      ...(isReaching ? [`allow-outside:${allowOutside.map(inSql).join(',')}`] : []),
    ];
    return `-- migrate:${direction} ${options.join(' ')}`;
  }
  const options = [
    ...(inTransaction ? [] : ['transaction: false']),
    ...(allowUnparsed ? ['allowUnparsed: true'] : []),
    ...(isReaching ? [`allowOutside: [${allowOutside.map(inScript).join(', ')}]`] : []),
  ];
  const config = `{ ${options.join(', ')} }`;
  if (file.format === 'sql') return `export const config = ${config}; in a seed in TypeScript or JavaScript`;
  if (/^\s*module\.exports\s*=/m.test(text)) return `module.exports.config = ${config};`;
  if (/^\s*(?:module\.)?exports\.\w/m.test(text)) return `exports.config = ${config};`;
  return /^\s*export\s+default\b/m.test(text)
    ? `config: ${config} in the exported object`
    : `export const config = ${config};`;
}

/** In the options of an .sql file, spaces and commas separate: see parseSqlMigration. */
function inSql(name: string): string {
  return /[\s,']/.test(name) ? `'${name.replaceAll("'", "''")}'` : name;
}

function inScript(name: string): string {
  return /['\\]/.test(name) ? JSON.stringify(name) : `'${name}'`;
}
