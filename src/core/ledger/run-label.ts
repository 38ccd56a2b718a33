import { maskSecrets } from '../../secrets.ts';

/** In characters. */
const LENGTH = 200;

/**
 * A label in one line, without control and formatting characters, secrets, and what is too long. Pure.
 * @returns undefined if nothing is left
 */
export function cleanLabel(label: string | undefined): string | undefined {
  const words = (label ?? '').toWellFormed().replaceAll(/[\p{C}\p{Zl}\p{Zp}\s]+/gu, ' ');
  const clean = Array.from(maskSecrets(words.trim())).slice(0, LENGTH).join('');
  return clean === '' ? undefined : clean;
}
