import { isScriptName } from '../../core/files/script-name.ts';
import { counted } from '../../wording.ts';

/** "2 migrations, 1 script" */
export function countedSteps(names: readonly string[]): string {
  const scripts = names.filter(isScriptName).length;
  const migrations = names.length - scripts;
  return [
    ...(migrations > 0 || scripts === 0 ? [counted(migrations, 'migration')] : []),
    ...(scripts > 0 ? [counted(scripts, 'script')] : []),
  ].join(', ');
}
