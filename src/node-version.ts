import { versions } from 'node:process';
import { TenantctlError } from './errors.ts';

/** The same as `engines` in package.json. */
export const OLDEST_NODE = '22.18';

/** The major version of the Node.js that runs this. */
export const nodeMajor = versions.node.split('.', 1)[0];

export function isOldNode(version: string): boolean {
  const [oldestMajor = 0, oldestMinor = 0] = OLDEST_NODE.split('.').map(Number);
  const [major = 0, minor = 0] = version.replace(/^v/, '').split('.').map(Number);
  return major < oldestMajor || (major === oldestMajor && minor < oldestMinor);
}

/** @throws TenantctlError CONFIG_INVALID */
export function refuseOldNode(version = versions.node): void {
  if (!isOldNode(version)) return;
  throw new TenantctlError(
    'CONFIG_INVALID',
    `tenantctl needs Node.js ${OLDEST_NODE} or newer; this is ${version}.`,
    { hint: 'Install a newer Node.js: https://nodejs.org' },
  );
}
