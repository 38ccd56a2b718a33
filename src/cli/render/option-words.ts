import { duration, listed } from '../../wording.ts';

/** A run's recorded options in words: "canaries: 3", "wave: 50 %", "allow out of order", "no compile". Pure. */
export function optionWords(options: Readonly<Record<string, unknown>>): string[] {
  return Object.entries(options).flatMap(([name, value]) => {
    if (name === 'rollout') return optionWords(value as Readonly<Record<string, unknown>>);
    const words = wordsOf(name);
    if (value === true) return words;
    if (value === false) return `no ${words}`;
    return `${words}: ${name.endsWith('Ms') ? duration(Number(value)) : valueWords(value)}`;
  });
}

const NAMES: Readonly<Record<string, string>> = {
  canary: 'canaries',
  run: 'undo run',
  tenantCount: 'tenants',
};

/** "maxReplicaLagMs": "max replica lag" */
function wordsOf(name: string): string {
  return NAMES[name] ?? name.replace(/Ms$/, '').replaceAll(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}

function valueWords(value: unknown): string {
  if (Array.isArray(value)) return listed(value.map(String), 10);
  const { count, percent, tenants } = Object(value) as Readonly<Record<string, unknown>>;
  if (count !== undefined) return JSON.stringify(count);
  if (percent !== undefined) return `${JSON.stringify(percent)} %`;
  if (tenants !== undefined) return valueWords(tenants);
  return typeof value === 'string' ? value : JSON.stringify(value);
}
